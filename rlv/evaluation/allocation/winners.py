"""Which strategy is the most accurate in a bin of problems, at a budget: rows of the table `winners`.

Budgets are what N solutions of the bin cost without reading. A strategy with a verifier reaches fewer
solutions with the same budget. Its accuracy is linear in the logarithm of cost between its N, and held beyond
the largest.
Winners are those of the problems that they are told of; their lead over the second has an interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rlv.evaluation.allocation.bins import Bins
from rlv.evaluation.allocation.cells import Menu
from rlv.evaluation.allocation.curves import Priced
from rlv.evaluation.bootstrap import interval, resampled_means
from rlv.evaluation.equal_cost import accuracy_at
from rlv.evaluation.tallies import Floats

# Accuracies and costs that differ by rounding are equal; the strategy that the study has first wins then.
ROUNDING = 1e-9


def winner_rows(priced: Priced, told: Mapping[str, Bins]) -> list[dict[str, Any]]:
    """One row a binning, bin and budget."""
    offered, rows = priced.menu, []
    values = offered.accuracy_QK, offered.paid(priced.price)[priced.unit]
    for binning, bins in told.items():
        for one in range(int(bins.bins_Q.max()) + 1):
            inside_Q = bins.bins_Q == one
            weights_Di = priced.weights_DQ[:, inside_Q]
            # A resample without a problem of the bin says nothing of it.
            weights_Di = weights_Di[weights_Di.sum(axis=1) > 0]
            accuracy_DK, cost_DK = (resampled_means(value_QK[inside_Q], weights_Di) for value_QK in values)
            label = {"binning": binning, "bin": one + 1, "problems": inside_Q.sum() / 2}
            one_D = resampled_means(offered.generated[priced.unit][inside_Q, None], weights_Di)[:, 0]
            for n in offered.ns:
                at_budget = _at(offered, n * one_D, accuracy_DK, cost_DK)
                if at_budget:
                    rows.append(label | {"n": n, "budget": n * one_D[0]} | _first(at_budget))
    return rows


def _at(
    offered: Menu, budget_D: Floats, accuracy_DK: Floats, cost_DK: Floats
) -> dict[tuple[str, str], Floats]:
    """(strategy, verifier) -> accuracy_D at budgets, of those whose cheapest cell it affords."""
    found = {}
    for vote, cells in offered.curves().items():
        costs_DN = cost_DK[:, cells]
        if costs_DN[0].min() <= budget_D[0] * (1 + ROUNDING):
            found[vote] = accuracy_at(np.log(budget_D), np.log(costs_DN), accuracy_DK[:, cells])
    return found


def _first(at_budget: Mapping[tuple[str, str], Floats]) -> dict[str, Any]:
    """The strategy that is ahead, the next one, and the lead with its interval."""
    best = max(accuracy_D[0] for accuracy_D in at_budget.values())
    winner = next(vote for vote, accuracy_D in at_budget.items() if accuracy_D[0] >= best - ROUNDING)
    others = {vote: accuracy_D for vote, accuracy_D in at_budget.items() if vote != winner}
    found = {"strategy": winner[0], "verifier": winner[1], "accuracy": at_budget[winner][0]}
    if not others:
        nothing = dict.fromkeys(("lead", "low", "high"))
        return found | {"second": None, "second_verifier": None} | nothing
    second = max(others, key=lambda vote: others[vote][0])
    lead_D = at_budget[winner] - others[second]
    low, high = interval(lead_D[1:])
    leads = {"lead": lead_D[0], "low": float(low), "high": float(high)}
    return found | {"second": second[0], "second_verifier": second[1]} | leads
