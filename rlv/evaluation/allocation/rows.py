"""Rows of the tables `frontier` and `allocation`: cells, curves of choices, and the choices themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rlv.evaluation.allocation.bins import Bins
from rlv.evaluation.allocation.cells import SOLUTIONS, Menu
from rlv.evaluation.allocation.choice import chosen, on_hull, sums
from rlv.evaluation.allocation.curves import Choices, Priced
from rlv.evaluation.bootstrap import interval
from rlv.evaluation.equal_cost import accuracy_at
from rlv.evaluation.prices import Price
from rlv.evaluation.tallies import Floats

# The columns of what a cell costs, as units call it.
UNITS = {"n": SOLUTIONS, "tokens": "tokens", "flops": "flops"}


def cell_rows(offered: Menu, price: Price, accuracy_DK: Floats, cost_DK: Floats) -> list[dict[str, Any]]:
    """One row a cell of the table `frontier`."""
    low_K, high_K = interval(accuracy_DK[1:])
    hull_K = on_hull(accuracy_DK[0], cost_DK[0])
    paid = {unit: cost_QK.mean(axis=0) for unit, cost_QK in offered.paid(price).items()}
    return [
        {"binning": "", "lambda": None, "strategy": cell.strategy, "verifier": cell.verifier}
        | {"accuracy": accuracy_DK[0, k], "low": low_K[k], "high": high_K[k], "cost": cost_DK[0, k]}
        | {column: paid[unit][k] for column, unit in UNITS.items()}
        | {"on_hull": bool(hull_K[k])}
        for k, cell in enumerate(offered.cells)
    ]


def curve_rows(choices: Mapping[str, Choices], prices_L: Floats) -> list[dict[str, Any]]:
    """One row a binning and price of the table `frontier`; intervals are of accuracy at the row's cost."""
    rows = []
    for binning, choice in choices.items():
        costs_DL, accuracy_DL = choice.cost_DL[1:], choice.accuracy_DL[1:]
        for at, price in enumerate(prices_L):
            cost = choice.cost_DL[0, at]
            low, high = interval(accuracy_at(cost, costs_DL, accuracy_DL))
            rows.append(
                {"binning": binning, "lambda": float(price), "strategy": "", "verifier": ""}
                | {"accuracy": choice.accuracy_DL[0, at], "low": float(low), "high": float(high)}
                | {"cost": cost, **{column: choice.costs[unit][at] for column, unit in UNITS.items()}}
                | {"on_hull": None}
            )
    return rows


def choice_rows(priced: Priced, told: Mapping[str, Bins]) -> list[dict[str, Any]]:
    """One row a binning, price and bin of the table `allocation`: the cell that all problems choose."""
    offered = priced.menu
    values_VQK = np.stack([offered.accuracy_QK, offered.paid(priced.price)[priced.unit]])
    rows, votes = [], list(offered.curves())
    vote_K = np.array([votes.index((cell.strategy, cell.verifier)) for cell in offered.cells])
    for binning, bins in told.items():
        count = int(bins.bins_Q.max()) + 1
        folds_Q = np.zeros_like(bins.bins_Q)
        known = sums(values_VQK, bins.bins_Q, folds_Q, priced.weights_DQ, (1, count))
        with np.errstate(divide="ignore", invalid="ignore"):
            means_VDBK = known.values_VDFBK[:, :, 0] / known.weights_DFB[:, 0, :, None]
        for price in priced.prices_L:
            choice_DB = chosen(known, float(price))[:, 0]
            for one in range(count):
                hardness = bins.hardness_Q[bins.bins_Q == one]
                k = int(choice_DB[0, one])
                cell = offered.cells[k]
                low, high = interval(means_VDBK[0, 1:, one, k])
                same_D = vote_K[choice_DB[1:, one]] == vote_K[k]
                rows.append(
                    {"binning": binning, "lambda": float(price), "bin": one + 1}
                    | {"hardness_low": hardness.min(), "hardness_high": hardness.max()}
                    | {"problems": len(hardness) / 2}
                    | {"strategy": cell.strategy, "verifier": cell.verifier, "n": cell.n}
                    | {"accuracy": means_VDBK[0, 0, one, k], "low": float(low), "high": float(high)}
                    | {"cost": means_VDBK[1, 0, one, k], "stable": float(same_D.mean())}
                )
    return rows
