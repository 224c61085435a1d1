"""On which side of no difference an interval lies: the one rule that all captions count by.

An interval that touches the bar is undecided, and so is one that is nothing but the bar. Left out on purpose:
the verdicts of claims, where the paper sets the bar (rlv/evaluation/claims).
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

# Differences of equal numbers, in another order.
ROUNDING = 1e-9


class Sides(NamedTuple):
    """How many intervals lie wholly above the bar, wholly below it, and neither."""

    ahead: int
    behind: int
    undecided: int

    @property
    def all(self) -> int:
        return sum(self)


def side(low: float | None, high: float | None, bar: float = 0.0) -> str:
    """ "ahead" where the whole interval is above the bar, "behind" where below, otherwise "undecided".

    Ends may be infinite; where one is undefined (None), nothing is decided.
    """
    if low is None or high is None:
        return "undecided"
    if low > bar + ROUNDING:
        return "ahead"
    return "behind" if high < bar - ROUNDING else "undecided"


def counted(rows: pl.DataFrame, name: str = "lead", bar: float = 0.0) -> Sides:
    """The sides of the intervals `name`_low to `name`_high, of the rows in which `name` is known."""
    ends = rows.drop_nulls(name).select(f"{name}_low", f"{name}_high").rows()
    found = [side(low, high, bar) for low, high in ends]
    return Sides(*(found.count(one) for one in ("ahead", "behind", "undecided")))
