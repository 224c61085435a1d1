"""Curves of cross-fitted choices: accuracy against cost as the price of compute falls, by each binning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rlv.evaluation.allocation.bins import NONE, Bins
from rlv.evaluation.allocation.cells import Menu
from rlv.evaluation.allocation.choice import crossfitted
from rlv.evaluation.bootstrap import resampled_means
from rlv.evaluation.prices import Price
from rlv.evaluation.tallies import Floats, Ints

# Bins that know nothing: those of the first difficulty, dealt out to the problems at random.
SHUFFLED, SHUFFLES = "shuffled", 4


@dataclass(frozen=True)
class Choices:
    """One curve: accuracy_DL and cost_DL, in row 0 of all problems, then of resamples.

    `costs`: the mean in each unit, cost_L.
    """

    accuracy_DL: Floats
    cost_DL: Floats
    costs: Mapping[str, Floats]


@dataclass(frozen=True)
class Priced:
    """A menu by one price of reading, counted in `unit`; rows of weights_DQ as those of Choices."""

    menu: Menu
    price: Price
    unit: str
    prices_L: Floats
    folds_Q: Ints
    weights_DQ: Floats

    def choices(self, bins_Q: Ints, charges: Mapping[str, Floats]) -> Choices:
        """What is chosen by these bins, with what it costs to tell them (by unit, charge_Q)."""
        paid = self.menu.paid(self.price)
        values_VQK = np.stack([self.menu.accuracy_QK, paid[self.unit]])
        accuracy_DL, cost_DL = self._crossfitted(values_VQK, bins_Q, self.weights_DQ)
        # All units, of the very choices that the mean makes.
        every_VQK = np.stack([*values_VQK, *paid.values()])
        mean_VL = self._crossfitted(every_VQK, bins_Q, self.weights_DQ[:1])[2:, 0]
        costs = dict(zip(paid, mean_VL, strict=True))
        for unit, charge_Q in charges.items():
            costs[unit] = costs[unit] + charge_Q.mean()
            if unit == self.unit:
                cost_DL = cost_DL + resampled_means(charge_Q[:, None], self.weights_DQ)
        return Choices(accuracy_DL, cost_DL, costs)

    def _crossfitted(self, values_VQK: Floats, bins_Q: Ints, weights_DQ: Floats) -> Floats:
        return crossfitted(values_VQK, bins_Q, self.prices_L, self.folds_Q, weights_DQ)


def choice_curves(priced: Priced, told: Mapping[str, Bins], seed: int) -> dict[str, Choices]:
    """Choices by each binning, and by SHUFFLED bins if there are any: the mean of several shuffles."""
    curves = {}
    for binning, bins in told.items():
        curves[binning] = priced.choices(bins.bins_Q, bins.charged(priced.price))
    known = next((bins for binning, bins in told.items() if binning != NONE), None)
    if known is not None:
        rng, problems = np.random.default_rng([seed, 2]), len(known.bins_Q) // 2
        found = []
        for _ in range(SHUFFLES):
            # A problem keeps its two rows together.
            order_P = rng.permutation(problems)
            found.append(priced.choices(known.bins_Q[np.concatenate([order_P, problems + order_P])], {}))
        curves[SHUFFLED] = Choices(
            np.mean([one.accuracy_DL for one in found], axis=0),
            np.mean([one.cost_DL for one in found], axis=0),
            {unit: np.mean([one.costs[unit] for one in found], axis=0) for unit in found[0].costs},
        )
    return curves
