"""The figure `strategies`: one set of solutions of each RL^V reasoner, turned into answers in different ways.

Columns are data sets, rows are methods. In each panel the same solutions and the same scores: weighted
voting, best of N, majority voting (which reads no scores) and pass@N, the limit. Left out: base
methods (parallel_scaling.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.evaluation.templates import fill
from rlv.figures import style
from rlv.figures.accuracy_panels import Curve, draw_panels, select
from rlv.figures.panel_captions import about

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEST = Curve("rl_v", "best_of_n", "own")
MAJORITY = Curve("rl_v", "majority")
CURVES = (Curve("rl_v", "weighted_voting", "own"), BEST, MAJORITY, Curve("rl_v", "pass_at_n"))
RIVALS = {"best of N": BEST, "majority voting": MAJORITY}


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn; columns as in `accuracy_panels.select`, the lead is that of weighted voting.

    `tables`: curves and per_problem. `params`: comparisons, datasets, against, draws, seed. Raises DataError
    if the tables lack a curve.
    """
    return select(tables, params, CURVES)


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    return draw_panels(data, style.verified_name)


def caption(data: pl.DataFrame) -> str:
    """What the paper does, what to see, and what came out here, as reStructuredText."""
    return fill(__file__, ".rst", **about(data, RIVALS))
