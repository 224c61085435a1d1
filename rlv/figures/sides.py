"""How many intervals lie on which side of no difference: what captions count (rule: evaluation/sides.py)."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from rlv.evaluation.sides import side


class Sides(NamedTuple):
    """How many intervals lie wholly above the bar, wholly below it, and neither."""

    ahead: int
    behind: int
    undecided: int

    @property
    def all(self) -> int:
        """How many intervals were counted."""
        return sum(self)


def counted(rows: pl.DataFrame, name: str = "lead", bar: float = 0.0) -> Sides:
    """The sides of the intervals `name`_low to `name`_high, of the rows in which `name` is known."""
    ends = rows.drop_nulls(name).select(f"{name}_low", f"{name}_high").rows()
    found = [side(low, high, bar) for low, high in ends]
    return Sides(*(found.count(one) for one in ("ahead", "behind", "undecided")))
