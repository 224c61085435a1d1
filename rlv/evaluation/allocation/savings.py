"""The ratios that claims are about: what one way to answer pays for the accuracy of another, with intervals.

    over_choice    the best of N (by a verifier) over the choice by difficulty
    over_bins      one choice for all problems over the choice by difficulty: what the bins add
    over_majority  a vote with a verifier over majority voting

Curves have the plain means in row 0 and resamples after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlv.evaluation.allocation.bins import NONE
from rlv.evaluation.allocation.reaching import cost_to_reach
from rlv.evaluation.equal_cost import accuracy_at
from rlv.evaluation.ratio import ordered_interval
from rlv.evaluation.tallies import Floats

# Costs and accuracies of a curve: costs_DK, accuracy_DK.
Curve = tuple[Floats, Floats]
# Small budgets are those of majority voting with so many solutions.
EARLY = 8


def over_choice(best: Curve, choices: Mapping[str, Curve], ns: Sequence[int]) -> list[dict[str, Any]]:
    """Rows of what the best of N pays over what each choice pays, at the accuracy of each N from 2 on."""
    late = [i for i, n in enumerate(ns) if n >= 2]
    targets = best[1][:, late]
    own_DM = cost_to_reach(*best, targets)
    rows = []
    for binning, choice in choices.items():
        ratio_DM = own_DM / cost_to_reach(*choice, targets, mixed=True)
        rows += _rows(ratio_DM, [ns[i] for i in late], what="over_choice", binning=binning)
    return rows


def over_bins(choices: Mapping[str, Curve], budgets_N: Floats, ns: Sequence[int]) -> list[dict[str, Any]]:
    """Rows of what one choice for all problems pays over what each other choice pays.

    At the accuracies that the one choice has at these budgets, which are those of `ns` solutions, from 2 on.
    """
    costs_DL, accuracy_DL = choices[NONE]
    late = [i for i, n in enumerate(ns) if n >= 2]
    at_DM = np.stack([accuracy_at(budget, costs_DL, accuracy_DL) for budget in budgets_N[late]], axis=1)
    own_DM = cost_to_reach(costs_DL, accuracy_DL, at_DM, mixed=True)
    rows = []
    for binning, choice in choices.items():
        if binning != NONE:
            ratio_DM = own_DM / cost_to_reach(*choice, at_DM, mixed=True)
            rows += _rows(ratio_DM, [ns[i] for i in late], what="over_bins", binning=binning)
    return rows


def over_majority(verifying: Curve, majority: Curve, ns: Sequence[int]) -> list[dict[str, Any]]:
    """Rows of what a vote with a verifier pays over what majority voting pays, at the accuracy of each N.

    The median is over N of 2 to EARLY; infinite where the vote never reaches the accuracy.
    """
    late = [i for i, n in enumerate(ns) if n >= 2]
    reference = tuple(array_DK[:, late] for array_DK in majority)
    own_DM = cost_to_reach(*majority, reference[1])
    ratio_DM = cost_to_reach(*verifying, reference[1]) / own_DM
    return _rows(ratio_DM, [ns[i] for i in late], what="over_majority", most=EARLY)


def _rows(
    ratio_DM: Floats, ns: Sequence[int], *, most: int | None = None, **labels: Any
) -> list[dict[str, Any]]:
    """One row an N, and one with N null: the median over all N, or over those up to `most`."""
    counted = [i for i, n in enumerate(ns) if most is None or n <= most] or [0]
    columns = [*ratio_DM.T, np.median(ratio_DM[:, counted], axis=1)]
    rows = []
    for n, ratio_D in zip([*ns, None], columns, strict=True):
        low, high = ordered_interval(ratio_D[1:])
        rows.append(labels | {"n": n, "ratio": float(ratio_D[0]), "low": low, "high": high})
    return rows
