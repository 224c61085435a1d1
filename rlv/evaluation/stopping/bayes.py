"""The most probable answer after each of n solutions, by Bayes' rule from calibrated scores.

A class has the weight exp(Σ (logit + ln M)) over its solutions, M the number of different answers so far less
1 (at least 1), and "none of them is right" has the weight 1. The vote for the most probable class is
`log_odds` (rlv/evaluation/weights.py, where it is derived).

M changes the weight of every class, so each step looks at all of them: at those that are voted for twice or
more along the row, in the order of their first vote. All others have one vote at most and are kept together,
by the sum of their weights and by the highest, which changes no number and lets a problem have as many
answers as solutions.
"""

from __future__ import annotations

import numpy as np

from rlv.evaluation.stopping.places import cells
from rlv.evaluation.tallies import TIE, Bools, Floats, Ints


class _Lone:
    """Classes with one vote in the row, after n solutions: their odds, the highest, and its worth."""

    def __init__(self, rows: int) -> None:
        self.odds_B = np.zeros(rows)
        self.best_B = np.full(rows, -np.inf)
        self.tied_B = np.zeros(rows)
        self.hits_B = np.zeros(rows)

    def add(self, here_B: Bools, logit_B: Floats, right_B: Bools) -> None:
        """One more solution in the rows where its class is a lone one."""
        logit_B = np.where(here_B, logit_B, -np.inf)
        over_B, same_B = logit_B > self.best_B, here_B & (logit_B == self.best_B)
        self.odds_B += np.exp(logit_B)
        self.tied_B = np.where(over_B, 1.0, self.tied_B + same_B)
        self.hits_B = np.where(over_B, right_B, self.hits_B + (same_B & right_B))
        self.best_B = np.maximum(self.best_B, logit_B)


def bayes(classes_BN: Ints, correct_BN: Bools, logits_BN: Floats) -> tuple[Floats, Floats]:
    """The chance of the most probable answer after n solutions, and whether it is right: two arrays BN.

    `logits_BN`: ln(s / (1 - s)) of calibrated scores. The second is the credit of a vote for that answer,
    ties shared; the first depends on nothing that is known of right and wrong.
    """
    rows, steps = classes_BN.shape
    cells_NB, voting_NB = cells(classes_BN)
    logits_NB, correct_NB = np.ascontiguousarray(logits_BN.T), np.ascontiguousarray(correct_BN.T)
    repeated = np.bincount(cells_NB.ravel(), minlength=rows * (int(classes_BN.max(initial=-1)) + 2)) > 1
    place, seen = np.full(len(repeated), -1), np.zeros(len(repeated), dtype=bool)
    most = max(1, min(int(repeated.reshape(-1, rows).sum(axis=0).max()), steps))
    sums_CB, counts_CB = np.full((most, rows), -np.inf), np.zeros((most, rows))
    hits_CB, shares_CB, sizes_B = np.zeros((most, rows)), np.zeros((most, rows)), np.zeros(rows)
    answers_B, kept_B, row_B = np.zeros(rows, np.int64), np.zeros(rows, np.int64), np.arange(rows)
    lone = _Lone(rows)
    chance_NB, credit_NB = np.empty((steps, rows)), np.empty((steps, rows))
    for n, cell_B in enumerate(cells_NB):
        voting_B, often_B = voting_NB[n], voting_NB[n] & repeated[cell_B]
        new_B = voting_B & ~seen[cell_B]
        seen[cell_B] = True
        answers_B = answers_B + new_B
        first_B = new_B & often_B
        place[cell_B[first_B]] = kept_B[first_B]
        kept_B = kept_B + first_B
        at, weight = (place[cell_B[often_B]], row_B[often_B]), logits_NB[n][often_B]
        sums_CB[at] = np.where(counts_CB[at] > 0, sums_CB[at], 0.0) + weight
        counts_CB[at] += 1
        hits_CB[at] += correct_NB[n][often_B]
        shares_CB[at] = hits_CB[at] / counts_CB[at]
        lone.add(voting_B & ~often_B, logits_NB[n], correct_NB[n])
        spread_B = np.log(np.maximum(answers_B - 1, 1))
        sizes_B += voting_B * np.abs(logits_NB[n] + spread_B)
        there = max(int(kept_B.max()), 1)
        values_CB = sums_CB[:there] + counts_CB[:there] * spread_B
        alone_B = lone.best_B + spread_B
        best_B = np.maximum(values_CB.max(axis=0), alone_B)
        # Nobody has voted: -inf is no lead.
        least_B = np.where(answers_B > 0, best_B - TIE * sizes_B, np.inf)
        # As numbers: their sums are several times as fast as those of truth values.
        tied_CB, beside_B = (values_CB >= least_B).astype(np.float64), alone_B >= least_B
        tied_B = tied_CB.sum(axis=0) + beside_B * lone.tied_B
        shares_B = (tied_CB * shares_CB[:there]).sum(axis=0) + beside_B * lone.hits_B
        credit_NB[n] = shares_B / np.maximum(tied_B, 1)
        top_B = np.maximum(best_B, 0.0)
        others_B = lone.odds_B * np.exp(spread_B - top_B) + np.exp(-top_B)
        # Seven digits do for a chance, in a quarter of the time.
        odds_CB = np.exp((values_CB - top_B).astype(np.float32))
        chance_NB[n] = np.exp(best_B - top_B) / (odds_CB.sum(axis=0) + others_B)
    return chance_NB.T, credit_NB.T
