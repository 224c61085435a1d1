"""A row of the claims table: a number with its interval, the bar that the paper sets, and the verdict."""

from __future__ import annotations

import numpy as np

from rlv.evaluation.bootstrap import Estimate
from rlv.evaluation.claims.evidence import Column, Evidence, Pair

REPRODUCED, NOT_REPRODUCED, UNDECIDED = "reproduced", "not reproduced", "undecided"

# Differences of equal numbers, in another order.
ROUNDING = 1e-9


def verdict(low: float, high: float, bar: float, direction: str) -> str:
    """Whether an interval lies on the claim's side of the bar ("above" or "below"; the bar itself is on it).

    Undecided where the interval straddles the bar, an end is undefined, or it is nothing but the bar: two
    methods that do the same on every problem say nothing about which is better.
    """
    if direction not in ("above", "below"):
        raise ValueError(f"direction {direction!r}; known: above, below")
    if np.isnan(low) or np.isnan(high):
        return UNDECIDED
    if direction == "below":
        low, high, bar = -high, -low, -bar
    if max(abs(low - bar), abs(high - bar)) <= ROUNDING:
        return UNDECIDED
    if low >= bar - ROUNDING:
        return REPRODUCED
    return NOT_REPRODUCED if high < bar else UNDECIDED


def row(
    name: str,
    statement: str,
    paper: str,
    ours: Estimate,
    bar: float,
    detail: str,
    direction: str = "above",
) -> dict:
    """One row; `paper` is what the paper says. Numbers without meaning become null and decide nothing."""
    numbers = {"ours": ours.value, "low": ours.low, "high": ours.high}
    return (
        {"id": name, "statement": statement, "paper": paper, "bar": bar, "detail": detail}
        | {key: value if np.isfinite(value) else None for key, value in numbers.items()}
        | {"verdict": verdict(ours.low, ours.high, bar, direction)}
    )


def points_row(
    name: str, statement: str, paper: str, evidence: Evidence, pair: Pair, ours: Column, base: Column
) -> dict:
    """The row of a difference in points, paired over problems, with 0 as the bar."""
    values_QK = evidence.values(pair, [ours, base])
    gain = evidence.estimate(pair, values_QK, lambda m: 100 * (m[..., 0] - m[..., 1]))
    above, below = 100 * values_QK.mean(axis=0)
    return row(name, statement, paper, gain, 0.0, f"{above:.1f} % against {below:.1f} %")


def spread(estimate: Estimate, form: str) -> str:
    """`1.5 [1.2, 1.9]`, and `undefined` where there is no number."""
    if np.isnan(estimate.value):
        return "undefined"
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"


def where(evidence: Evidence, pair: Pair) -> str:
    """The end of a statement: on which data set, and over how many training seeds where these are several."""
    seeds = len(evidence.seeds(pair))
    return f"on {evidence.dataset}" + (f" over {seeds} training seeds" if seeds > 1 else "")
