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
from rlv.evaluation.stopping.race import race
from rlv.evaluation.tallies import Bools, Floats, Ints, required
from rlv.logistic import logit


def majority(classes_BN: Ints, correct_BN: Bools, scores_BN: Floats | None = None) -> Floats:
    """The most frequent class of the first n: credit_BN."""
    return race(classes_BN, correct_BN)[1]


def weighted_voting(classes_BN: Ints, correct_BN: Bools, scores_BN: Floats | None) -> Floats:
    """The class with the highest sum of scores: credit_BN."""
    return race(classes_BN, correct_BN, required(scores_BN))[1]


def best_of_n(classes_BN: Ints, correct_BN: Bools, scores_BN: Floats | None) -> Floats:
    """The solution with the highest score among those of the first n that vote: credit_BN."""
    steps, rows = classes_BN.T.shape
    scores_NB, correct_NB = required(scores_BN).T, correct_BN.T
    scores_NB = np.where(classes_BN.T >= 0, scores_NB, -np.inf)
    best_B, tied_B, hits_B = np.full(rows, -np.inf), np.zeros(rows), np.zeros(rows)
    credit_NB = np.empty((steps, rows))
    for n, score_B in enumerate(scores_NB):
        right_B = correct_NB[n]
        over_B, same_B = score_B > best_B, (score_B == best_B) & (score_B > -np.inf)
        hits_B = np.where(over_B, right_B, hits_B + (same_B & right_B))
        tied_B = np.where(over_B, 1.0, tied_B + same_B)
        best_B = np.maximum(best_B, score_B)
        credit_NB[n] = hits_B / np.maximum(tied_B, 1)
    return credit_NB.T


def log_odds(classes_BN: Ints, correct_BN: Bools, scores_BN: Floats | None) -> Floats:
    """The class with the highest sum of ln(s / (1 - s)) + ln(answers - 1) over the first n: credit_BN."""
    return bayes(classes_BN, correct_BN, logit(required(scores_BN)))[1]


CREDITS: dict[str, Callable[[Ints, Bools, Floats | None], Floats]] = {
    "majority": majority,
    "weighted_voting": weighted_voting,
    "best_of_n": best_of_n,
    "log_odds": log_odds,
}
