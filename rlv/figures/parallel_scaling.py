"""The figure `parallel_scaling`: what N solutions are worth, with and without a verifier trained alongside.

Columns are data sets, rows are methods. In each panel: RL^V by weighted voting with its own scores; the base
method by majority voting, and by weighted voting with itself prompted as judge; pass@N of RL^V as the limit.
Against N as in the paper, or against tokens or FLOPs, in which a verifier pays for what it reads.
Left out: other ways to vote over the same solutions (strategies.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.evaluation.templates import fill
from rlv.figures.accuracy_panels import Curve, draw_panels, panels, select
from rlv.figures.panel_captions import about, enough

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS = Curve("rl_v", "weighted_voting", "own")
MAJORITY = Curve("base", "majority")
JUDGE = Curve("base", "weighted_voting", "judge")
CURVES = (OURS, MAJORITY, JUDGE, Curve("rl_v", "pass_at_n"))
RIVALS = {"majority voting": MAJORITY, "the judge": JUDGE}


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn; columns as in `accuracy_panels.select`, the lead is that of RL^V's weighted voting.

    `tables`: curves and per_problem. `params`: comparisons, datasets, against, draws, seed. Raises DataError
    if the tables lack a curve.
    """
    return select(tables, params, CURVES)


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    return draw_panels(data)


def caption(data: pl.DataFrame) -> str:
    """What the paper found, what to see, and what came out here, as reStructuredText."""
    said = about(data, RIVALS)
    # Beside the leads: what the base method's best majority vote is worth.
    worth = [enough(panel, OURS, MAJORITY, "majority voting") for _, _, panel in panels(data)]
    said["panels"] = [(*panel, one) for panel, one in zip(said["panels"], worth, strict=True)]
    return fill(__file__, ".rst", **said)
