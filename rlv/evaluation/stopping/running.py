"""Votes over the first n solutions, for every n in one pass: what the answer is worth wherever a rule stops.

    credit_BN = CREDITS["majority"](classes_BN, correct_BN, scores_BN)

Column n - 1 is what the vote of that name (rlv/evaluation/votes.py) makes of the first n solutions, ties
shared. A pass goes along n and updates what one more solution changes, so that 256 votes of 256 solutions
cost little more than one; that is what makes replaying many rules fast.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rlv.evaluation.stopping.bayes import bayes
from rlv.evaluation.stopping.fitted import logit
from rlv.evaluation.stopping.places import cells
from rlv.evaluation.tallies import TIE, Bools, Floats, Ints, required


def majority(classes_BN: Ints, correct_BN: Bools, scores_BN: Floats | None = None) -> Floats:
    """The most frequent class of the first n: credit_BN."""
    return _leading(classes_BN, correct_BN, None)


def weighted_voting(classes_BN: Ints, correct_BN: Bools, scores_BN: Floats | None) -> Floats:
    """The class with the highest sum of scores: credit_BN."""
    return _leading(classes_BN, correct_BN, required(scores_BN))


def _leading(classes_BN: Ints, correct_BN: Bools, weights_BN: Floats | None) -> Floats:
    """The classes with the highest total of weights of 0 or more, each worth its share of right votes.

    Totals only grow: the set of leaders changes only by the class that was voted for.
    """
    rows, steps = classes_BN.shape
    cells_NB, voting_NB = cells(classes_BN)
    correct_NB = np.ascontiguousarray(correct_BN.T)
    weights_NB = None if weights_BN is None else np.ascontiguousarray(weights_BN.T)
    size = rows * (int(classes_BN.max(initial=-1)) + 2)
    totals, counts, hits = np.zeros(size), np.zeros(size), np.zeros(size)
    # A class leads if it carries the number of its row's present set of leaders.
    member, present_B = np.full(size, -1), np.zeros(rows, dtype=np.int64)
    first_B, tied_B, shares_B = np.full(rows, -1.0), np.zeros(rows), np.zeros(rows)
    credit_NB = np.empty((steps, rows))
    for n, cell_B in enumerate(cells_NB):
        voting_B = voting_NB[n]
        before_B = hits[cell_B] / np.maximum(counts[cell_B], 1)
        counts[cell_B] += 1
        hits[cell_B] += correct_NB[n]
        totals[cell_B] += 1.0 if weights_NB is None else weights_NB[n]
        total_B, share_B = totals[cell_B], hits[cell_B] / counts[cell_B]
        slack_B = TIE * first_B
        over_B = voting_B & (total_B > first_B + slack_B)
        beside_B = voting_B & ~over_B & (total_B >= first_B - slack_B)
        known_B = beside_B & (member[cell_B] == present_B)
        present_B = present_B + over_B
        member[cell_B] = np.where(over_B | beside_B, present_B, member[cell_B])
        shares_B = np.where(over_B, share_B, shares_B + beside_B * (share_B - known_B * before_B))
        tied_B = np.where(over_B, 1.0, tied_B + (beside_B & ~known_B))
        first_B = np.where(over_B, total_B, first_B)
        credit_NB[n] = shares_B / np.maximum(tied_B, 1)
    return credit_NB.T


def best_of_n(classes_BN: Ints, correct_BN: Bools, scores_BN: Floats | None) -> Floats:
    """The solution with the highest score among those of the first n that vote: credit_BN."""
    rows, steps = classes_BN.shape
    scores_BN = np.where(classes_BN >= 0, required(scores_BN), -np.inf)
    best_B, tied_B, hits_B = np.full(rows, -np.inf), np.zeros(rows), np.zeros(rows)
    credit_BN = np.empty((rows, steps))
    for n in range(steps):
        score_B, right_B = scores_BN[:, n], correct_BN[:, n]
        over_B, same_B = score_B > best_B, (score_B == best_B) & (score_B > -np.inf)
        hits_B = np.where(over_B, right_B, hits_B + (same_B & right_B))
        tied_B = np.where(over_B, 1.0, tied_B + same_B)
        best_B = np.maximum(best_B, score_B)
        credit_BN[:, n] = hits_B / np.maximum(tied_B, 1)
    return credit_BN


def log_odds(classes_BN: Ints, correct_BN: Bools, scores_BN: Floats | None) -> Floats:
    """The class with the highest sum of ln(s / (1 - s)) + ln(answers - 1) over the first n: credit_BN."""
    return bayes(classes_BN, correct_BN, logit(required(scores_BN)))[1]


CREDITS: dict[str, Callable[[Ints, Bools, Floats | None], Floats]] = {
    "majority": majority,
    "weighted_voting": weighted_voting,
    "best_of_n": best_of_n,
    "log_odds": log_odds,
}
