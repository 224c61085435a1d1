"""How N solutions of a problem become one answer: the third axis of RL^V, as pure functions on arrays.

Every vote maps arrays of one row a problem to the expected correctness of the answer that it picks:

    classes_PN  int   equivalence class of the answer within its problem, small integers; -1 casts no vote
    correct_PN  bool  whether the solution's answer is right
    scores_PN   float in [0, 1], or None for votes that read none
    -> credit_P float in [0, 1]

Ties are broken uniformly at random and the expectation over that is returned, so the result depends on the
order of nothing. A problem without a vote is wrong. The answer of a class is that of a member drawn at
random from its votes, which only matters if grading and grouping disagree inside a class.

A new vote is one function, its record in VOTES, one test. Votes that differ in a number are families
(weights.py): "softmax:0.1".
Left out: accuracy over random subsets of the recorded solutions (curves.py).
"""

from __future__ import annotations

import numpy as np

from rlv.evaluation.tallies import (
    Bools,
    Floats,
    Ints,
    Vote,
    leaders,
    mean_share,
    required,
    tally,
    tie_groups,
    weighted_credit,
)
from rlv.evaluation.weights import FAMILIES
from rlv.registry import Registry


def majority(classes_PN: Ints, correct_PN: Bools, scores_PN: Floats | None = None) -> Floats:
    """Self-consistency: the most frequent class. Scores are ignored. Returns credit_P."""
    counts_PC = tally(classes_PN)
    hits_PC = tally(classes_PN, correct_PN)
    return mean_share(hits_PC, counts_PC, leaders(counts_PC, counts_PC, counts_PC))


def weighted_voting(classes_PN: Ints, correct_PN: Bools, scores_PN: Floats | None) -> Floats:
    """The class with the highest sum of scores: the paper's main strategy. Returns credit_P."""
    return confident_voting(classes_PN, correct_PN, required(scores_PN))[0]


def confident_voting(classes_PN: Ints, correct_PN: Bools, scores_PN: Floats) -> tuple[Floats, Floats]:
    """Weighted voting and how sure it is: credit_P and confidence_P.

    The confidence is the mean score of the solutions that give the voted answer: over classes that tie the
    mean of theirs, and 0 without a vote.
    """
    return weighted_credit(classes_PN, correct_PN, scores_PN)


def best_of_n(classes_PN: Ints, correct_PN: Bools, scores_PN: Floats | None) -> Floats:
    """The answer of the solution with the highest score among those that vote. Returns credit_P."""
    votes_PN = classes_PN >= 0
    scores_PN = np.where(votes_PN, required(scores_PN), -np.inf)
    tied_PN = votes_PN & (scores_PN == scores_PN.max(axis=1, keepdims=True))
    return (tied_PN & correct_PN).sum(axis=1) / np.maximum(tied_PN.sum(axis=1), 1)


def expected_best(classes_PS: Ints, correct_PS: Bools, scores_PS: Floats | None, n: int) -> Floats:
    """Best-of-N in closed form. Returns accuracy_P.

    The best of a subset lies among the solutions tied at one score with probability
    (C(b + t, N) - C(b, N)) / C(S, N), b below and t tied, and is then any of the t with equal chance.
    Solutions that cast no vote rank below all others and are wrong.
    """
    votes_PS = classes_PS >= 0
    scores_PS = np.where(votes_PS, required(scores_PS), -np.inf)
    order_PS = np.argsort(scores_PS, axis=1)
    ranked_PS = np.take_along_axis(scores_PS, order_PS, axis=1)
    hits_PS = np.take_along_axis(votes_PS & correct_PS, order_PS, axis=1)
    below_PS, above_PS = tie_groups(ranked_PS)
    within_S = _within(ranked_PS.shape[1], n)
    weight_PS = (within_S[above_PS] - within_S[below_PS]) / (above_PS - below_PS)
    return (weight_PS * hits_PS).sum(axis=1)


def pass_at_n(classes_PN: Ints, correct_PN: Bools, scores_PN: Floats | None = None) -> Floats:
    """Upper limit of every vote: 1 if any voting solution is correct. Returns credit_P."""
    return np.asarray(((classes_PN >= 0) & correct_PN).any(axis=1), dtype=np.float64)


def expected_pass(classes_PS: Ints, correct_PS: Bools, scores_PS: Floats | None, n: int) -> Floats:
    """pass@N in closed form (Chen et al. 2021, eq. 1). Returns accuracy_P.

    1 - C(S - c, N) / C(S, N) with c correct solutions.
    """
    hits_P = ((classes_PS >= 0) & correct_PS).sum(axis=1)
    size = classes_PS.shape[1]
    return 1 - _within(size, n)[size - hits_P]


VOTES = Registry(
    "rlv.votes",
    Vote,
    {
        "majority": Vote(majority),
        "best_of_n": Vote(best_of_n, reads_scores=True, closed_form=expected_best),
        "weighted_voting": Vote(weighted_voting, reads_scores=True),
        "pass_at_n": Vote(pass_at_n, closed_form=expected_pass, limit=True),
    },
    families=FAMILIES,
)


def _within(size: int, n: int) -> Floats:
    """C(k, n) / C(size, n) for k = 0 … size: the chance that a subset of n lies within k given ones."""
    k = np.arange(size, 0, -1)
    falling = np.concatenate([[1.0], np.cumprod(np.maximum(k - n, 0) / k)])
    return falling[::-1]
