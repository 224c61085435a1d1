"""A row of the claims table: a number with its interval, the bar, the source of the bar, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rlv.evaluation.bootstrap import Estimate, Floats
from rlv.evaluation.claims.evidence import Column, Evidence, Pair
from rlv.evaluation.sides import side

# The source of a bar: a claim of the paper, or a choice of this project.
PAPER, OURS = "paper", "ours"

REPRODUCED, NOT_REPRODUCED, UNDECIDED = "reproduced", "not reproduced", "undecided"
# Verdicts on our own bars, for which the paper has nothing to reproduce.
HOLDS, DOES_NOT_HOLD = "holds", "does not hold"

# On a terminal.
COLOURS = {
    REPRODUCED: "green",
    HOLDS: "green",
    NOT_REPRODUCED: "red",
    DOES_NOT_HOLD: "red",
    UNDECIDED: "yellow",
}

# What the paper states about most numbers here.
NOT_STATED = "not stated"


def verdict(low: float, high: float, bar: float, direction: str, bar_from: str = PAPER) -> str:
    """Whether an interval lies beyond the bar on the claim's side of it ("above" or "below").

    Undecided if the interval straddles or touches the bar, or an end is undefined; ends may be infinite.
    """
    if direction not in ("above", "below"):
        raise ValueError(f"direction {direction!r}; known: above, below")
    if bar_from not in (PAPER, OURS):
        raise ValueError(f"bar_from {bar_from!r}; known: {PAPER}, {OURS}")
    if direction == "below":
        low, high, bar = -high, -low, -bar
    yes, no = (REPRODUCED, NOT_REPRODUCED) if bar_from == PAPER else (HOLDS, DOES_NOT_HOLD)
    return {"ahead": yes, "behind": no, "undecided": UNDECIDED}[side(low, high, bar)]


def row(
    name: str,
    statement: str,
    paper: str,
    ours: Estimate,
    bar: float,
    bar_from: str,
    detail: str,
    direction: str = "above",
) -> dict:
    """A row of the claims table. `paper`: the paper's statement; `bar_from`: the bar's source, PAPER or OURS.

    Undefined and infinite numbers become null. If `ours` itself is one of these, the verdict is undecided.
    """
    numbers = {"ours": ours.value, "low": ours.low, "high": ours.high}
    decided = UNDECIDED
    if np.isfinite(ours.value):
        decided = verdict(ours.low, ours.high, bar, direction, bar_from)
    return (
        {"id": name, "statement": statement, "paper": paper, "bar": bar, "bar_from": bar_from}
        | {"detail": detail, "verdict": decided}
        | {key: value if np.isfinite(value) else None for key, value in numbers.items()}
    )


def points_row(name: str, statement: str, evidence: Evidence, pair: Pair, ours: Column, base: Column) -> dict:
    """The row of a difference in points, paired over problems; our bar: better than 0."""
    values_Q2 = evidence.values(pair, [ours, base])
    gain = points(evidence, pair, values_Q2)
    above, below = 100 * values_Q2.mean(axis=0)
    detail = f"{above:.1f} % against {below:.1f} %{_by_seed(evidence, pair, values_Q2)}"
    detail += evidence.unfinished(pair, (ours.side, base.side))
    return row(name, statement, NOT_STATED, gain, 0.0, OURS, detail)


def _by_seed(evidence: Evidence, pair: Pair, values_Q2: Floats) -> str:
    """The difference in points of every training seed, if there are several."""
    seeds = len(evidence.seeds(pair))
    if seeds == 1:
        return ""
    means_R2 = values_Q2.reshape(seeds, -1, 2).mean(axis=1)
    return "; by seed " + ", ".join(f"{100 * (above - below):+.1f}" for above, below in means_R2)


def points(evidence: Evidence, pair: Pair, values_Q2: Floats) -> Estimate:
    """By how many percentage points the first column is ahead of the second, paired."""
    return evidence.estimate(pair, values_Q2, lambda m: 100 * (m[..., 0] - m[..., 1]))


def spread(estimate: Estimate, form: str) -> str:
    """As text, `1.5 [1.2, 1.9]`; in words if not finite: `undefined`, and `1.5 [1.2, unbounded]`."""
    if not np.isfinite(estimate.value):
        return "undefined"
    if np.isnan(estimate.low) or np.isnan(estimate.high):
        return f"{estimate.value:{form}} [undefined]"
    low, high = (
        f"{end:{form}}" if np.isfinite(end) else "unbounded" for end in (estimate.low, estimate.high)
    )
    return f"{estimate.value:{form}} [{low}, {high}]"


def number(row: Mapping[str, Any]) -> str:
    """The number of a row of the claims table with its interval, in three digits; null in words."""
    if row["ours"] is None:
        return "undefined"
    if row["low"] is None:
        return f"{row['ours']:.3g}"  # no interval: measured once
    high = "unbounded" if row["high"] is None else f"{row['high']:.3g}"
    return f"{row['ours']:.3g} [{row['low']:.3g}, {high}]"


def bar(row: Mapping[str, Any]) -> str:
    """The bar of a row of the claims table and its source: `20 (paper)`, `0 (ours)`."""
    return f"{row['bar']:g} ({row['bar_from']})"


def where(evidence: Evidence, pair: Pair) -> str:
    """The end of a statement: on which data set, and over which seeds if the study has several."""
    (_, first), *others = evidence.seeds(pair)
    if others:
        return f"on {evidence.dataset} over {1 + len(others)} training seeds"
    alone = f" with one training seed ({first})" if pair.replicas else ""
    return f"on {evidence.dataset}{alone}"
