"""The best cell of each bin at a price of compute, and what choices are worth on other problems.

A cell is a way to answer: a strategy and its N. At price λ (accuracy a unit of cost) a bin of problems gets
the cell with the highest mean accuracy - λ x mean cost. From λ = inf to 0 the choices run along the upper
convex hull of accuracy against cost, so no budget has to be fixed (Snell et al. 2024, section 3.2, choose by
difficulty at fixed budgets). A choice is judged on problems that it was not made on (`crossfit`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rlv.evaluation.tallies import Bools, Floats, Ints

# What an accuracy may be apart for nothing.
TIE = 1e-9


@dataclass(frozen=True)
class Sums:
    """Weighted sums of V values over the problems of each fold and bin, in D resamples.

    values_VDFBK: accuracy first, then costs, the first of which is what is paid. weights_DFB: how many.
    """

    values_VDFBK: Floats
    weights_DFB: Floats

    @property
    def others(self) -> Sums:
        """For each fold the sums over all other folds; with one fold, over that fold itself."""
        if self.weights_DFB.shape[1] == 1:
            return self
        total_VD1BK = self.values_VDFBK.sum(axis=2, keepdims=True)
        total_D1B = self.weights_DFB.sum(axis=1, keepdims=True)
        return Sums(total_VD1BK - self.values_VDFBK, total_D1B - self.weights_DFB)


def sums(values_VQK: Floats, bins_Q: Ints, folds_Q: Ints, weights_DQ: Floats, sizes: tuple[int, int]) -> Sums:
    """Sums by fold and bin; `sizes`: how many folds and bins there are, which may be empty."""
    (folds, bins), (values, _, cells), draws = sizes, values_VQK.shape, len(weights_DQ)
    values_VDFBK, weights_DFB = np.zeros((values, draws, folds, bins, cells)), np.zeros((draws, folds, bins))
    # One product of two matrices a fold and bin: many times as fast as one of each value.
    weights_QD = np.ascontiguousarray(weights_DQ.T)
    values_QJ = np.moveaxis(values_VQK, 0, 1).reshape(values_VQK.shape[1], values * cells)
    for fold in range(folds):
        for one in range(bins):
            inside_Q = (folds_Q == fold) & (bins_Q == one)
            weights_iD = weights_QD[inside_Q]
            weights_DFB[:, fold, one] = weights_iD.sum(axis=0)
            summed_DVK = (weights_iD.T @ values_QJ[inside_Q]).reshape(draws, values, cells)
            values_VDFBK[:, :, fold, one] = np.moveaxis(summed_DVK, 1, 0)
    return Sums(values_VDFBK, weights_DFB)


def chosen(known: Sums, price: float) -> Ints:
    """The cell of each fold and bin at one price: chosen_DFB, indices of K.

    Of equal ones the cheapest counts, then the first. A bin without problems gets what all bins together
    would. An infinite price takes the cheapest cell.
    """
    values_VDFBK, empty_DFB = known.values_VDFBK, known.weights_DFB <= 0
    if empty_DFB.any():
        together = values_VDFBK.sum(axis=3, keepdims=True)
        values_VDFBK = np.where(empty_DFB[None, ..., None], together, values_VDFBK)
    accuracy, cost = values_VDFBK[0], values_VDFBK[1]
    # Sums in another order differ by rounding, which must not choose: what is equal decides by the other.
    scale = max(float(cost.max()), 1e-300)
    if np.isinf(price):
        return (TIE * accuracy - cost / scale).argmax(axis=-1)
    return (accuracy - max(price, TIE / scale) * cost).argmax(axis=-1)


def frontier(accuracy_PK: Floats, cost_PK: Floats, bins_P: Ints, prices_L: Floats) -> Ints:
    """Per price of compute and bin the cell with the highest mean accuracy - price x mean cost: choice_LB."""
    values_VPK, bins = np.stack([accuracy_PK, cost_PK]), int(bins_P.max()) + 1
    everyone = np.ones((1, len(bins_P)))
    known = sums(values_VPK, bins_P, np.zeros_like(bins_P), everyone, (1, bins))
    return np.stack([chosen(known, float(price))[0, 0] for price in prices_L])


def crossfit(
    accuracy_PK: Floats, cost_PK: Floats, bins_P: Ints, prices_L: Floats, folds_P: Ints
) -> tuple[Floats, Floats]:
    """Mean accuracy_L and cost_L of choices that are made on the other folds' problems.

    `folds_P`: the fold of each problem, from 0; if there is only one, choices are judged on their own
    problems.
    """
    values_VPK = np.stack([accuracy_PK, cost_PK])
    accuracy_L, cost_L = crossfitted(values_VPK, bins_P, prices_L, folds_P, np.ones((1, len(bins_P))))[:, 0]
    return accuracy_L, cost_L


def crossfitted(
    values_VQK: Floats, bins_Q: Ints, prices_L: Floats, folds_Q: Ints, weights_DQ: Floats
) -> Floats:
    """`crossfit` in every resample, of all values: means_VDL. Choices are made anew in each resample."""
    sizes = int(folds_Q.max()) + 1, int(bins_Q.max()) + 1
    own = sums(values_VQK, bins_Q, folds_Q, weights_DQ, sizes)
    others = own.others
    means = []
    for price in prices_L:
        choice_DFB = chosen(others, float(price))
        taken = np.take_along_axis(own.values_VDFBK, choice_DFB[None, ..., None], axis=-1)
        means.append(taken[..., 0].sum(axis=(2, 3)))
    return np.stack(means, axis=-1) / own.weights_DFB.sum(axis=(1, 2))[:, None]


def price_grid(accuracy_PK: Floats, cost_PK: Floats, count: int = 24) -> Floats:
    """Prices at which to choose, falling: infinite, `count` in equal ratios, and 0: prices_L.

    The ends are those at which a whole point of accuracy, and a thousandth of one, is worth the difference
    between the cheapest cell and the next, and between all cells.
    """
    costs = np.unique(cost_PK.mean(axis=0))
    steps = np.diff(costs)
    steps = steps[steps > 1e-9 * costs[-1]]
    if not len(steps):
        return np.array([np.inf, 0.0])
    high, low = 1.0 / steps.min(), 1e-5 / (costs[-1] - costs[0])
    return np.concatenate([[np.inf], np.geomspace(high, low, count), [0.0]])


def on_hull(accuracy_K: Floats, cost_K: Floats) -> Bools:
    """Which cells some price chooses for all problems alike: the vertices of the upper convex hull.

    Of cells with equal costs and accuracies the first. A cell that is dearer than another and no better is
    on no hull.
    """
    hull: list[int] = []
    for k in np.lexsort((np.arange(len(cost_K)), -accuracy_K, cost_K)):
        if hull and accuracy_K[k] <= accuracy_K[hull[-1]]:
            continue
        while len(hull) > 1 and _below(hull[-2], hull[-1], k, accuracy_K, cost_K):
            hull.pop()
        hull.append(int(k))
    return np.isin(np.arange(len(cost_K)), hull)


def _below(left: int, middle: int, right: int, accuracy_K: Floats, cost_K: Floats) -> bool:
    """Whether the middle cell lies on or below the line from left to right."""
    rise = (accuracy_K[right] - accuracy_K[left]) * (cost_K[middle] - cost_K[left])
    return bool((accuracy_K[middle] - accuracy_K[left]) * (cost_K[right] - cost_K[left]) <= rise)
