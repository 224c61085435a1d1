"""What every vote is made of: votes and weights by class, the classes that lead, and what these are worth.

Axes as in votes.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer]
Bools = NDArray[np.bool_]
Floats = NDArray[np.floating]
# Sums of the same scores in another order differ only by rounding; closer than this (relative to the largest
# sum of the scores' sizes in a class of the problem) is a tie.
TIE = 1e-11


@dataclass(frozen=True)
class Vote:
    """A way from N solutions to one answer.

    `count`: from the arrays above to credit_P. `reads_scores`: it needs a verifier, and pays for the reading.
    `closed_form`: from the arrays of all S solutions and N to the mean of `count` over all subsets of N,
    accuracy_P; None if there is no formula. `limit`: it knows what is right, and is no rival of other votes.
    """

    count: Callable[[Ints, Bools, Floats | None], Floats]
    reads_scores: bool = False
    closed_form: Callable[[Ints, Bools, Floats | None, int], Floats] | None = None
    limit: bool = False


def weighted_credit(classes_PN: Ints, correct_PN: Bools, weights_PN: Floats) -> tuple[Floats, Floats]:
    """The class with the highest sum of weights of any sign: credit_P, and the mean weight of its votes.

    That mean is over classes that tie the mean of theirs, and 0 without a vote.
    """
    totals_PC, counts_PC = tally(classes_PN, weights_PN), tally(classes_PN)
    # Weights of both signs may cancel: their sum is then smaller than the rounding of what was summed.
    one_sign = bool((weights_PN >= 0).all())
    sizes_PC = totals_PC if one_sign else tally(classes_PN, np.abs(weights_PN))
    tied_PC = leaders(totals_PC, counts_PC, sizes_PC)
    credit_P = mean_share(tally(classes_PN, correct_PN), counts_PC, tied_PC)
    return credit_P, mean_share(totals_PC, counts_PC, tied_PC)


def tally(classes_PN: Ints, weights_PN: NDArray | None = None) -> Floats:
    """Votes (or their weights) a class: totals_PC, C the largest class + 1."""
    problems = classes_PN.shape[0]
    width = max(int(classes_PN.max(initial=-1)), 0) + 2
    # Column 0 collects the solutions that cast no vote: dropping it is cheaper than masking them out.
    cells_PN = classes_PN + (np.arange(problems) * width + 1)[:, None]
    weights = None if weights_PN is None else weights_PN.ravel()
    totals = np.bincount(cells_PN.ravel(), weights, minlength=problems * width)
    return totals.reshape(problems, width)[:, 1:].astype(np.float64, copy=False)


def leaders(totals_PC: Floats, counts_PC: Floats, sizes_PC: Floats) -> Bools:
    """Which classes share the highest total, of any sign; classes without votes take no part.

    `sizes_PC`: sums of the absolute scores, against which rounding is measured. Raises ValueError for totals
    that are not finite: one infinite score would outvote everything, or tie with everything.
    """
    votes_PC = counts_PC > 0
    if not np.isfinite(totals_PC[votes_PC]).all():
        raise ValueError("a total of scores is not finite; use scores with bounds, such as clipped log-odds")
    slack_P1 = TIE * np.where(votes_PC, sizes_PC, 0.0).max(axis=1, keepdims=True)
    totals_PC = np.where(votes_PC, totals_PC, -np.inf)
    return votes_PC & (totals_PC >= totals_PC.max(axis=1, keepdims=True) - slack_P1)


def tie_groups(ranked_PN: Floats) -> tuple[Ints, Ints]:
    """Of ascending values, where the group of those that equal each begins, and where the next one does."""
    problems, size = ranked_PN.shape
    edge_PN = np.ones((problems, size + 1), dtype=bool)
    edge_PN[:, 1:-1] = ranked_PN[:, 1:] != ranked_PN[:, :-1]
    place = np.arange(size + 1)
    first_PN = np.maximum.accumulate(np.where(edge_PN, place, 0), axis=1)[:, :-1]
    next_PN = np.minimum.accumulate(np.where(edge_PN, place, size)[:, ::-1], axis=1)[:, ::-1][:, 1:]
    return first_PN, next_PN


def places(scores_PN: Floats) -> tuple[Floats, Floats]:
    """How many scores of the problem are above each, and how many equal it, itself included."""
    order_PN = np.argsort(scores_PN, axis=1)
    first_PN, next_PN = tie_groups(np.take_along_axis(scores_PN, order_PN, axis=1))
    above_PN, equal_PN = (np.empty(scores_PN.shape) for _ in range(2))
    np.put_along_axis(above_PN, order_PN, (scores_PN.shape[1] - next_PN).astype(np.float64), axis=1)
    np.put_along_axis(equal_PN, order_PN, (next_PN - first_PN).astype(np.float64), axis=1)
    return above_PN, equal_PN


def mean_share(amounts_PC: Floats, counts_PC: Floats, chosen_PC: Bools) -> Floats:
    """Amount a vote of each chosen class, averaged over the chosen classes; 0 if there are none."""
    shares_PC = np.divide(amounts_PC, counts_PC, out=np.zeros_like(amounts_PC), where=chosen_PC)
    return shares_PC.sum(axis=1) / np.maximum(chosen_PC.sum(axis=1), 1)


def required(scores_PN: Floats | None) -> Floats:
    """The scores that a vote reads. Raises ValueError if there are none."""
    if scores_PN is None:
        raise ValueError("this vote needs scores")
    return scores_PN
