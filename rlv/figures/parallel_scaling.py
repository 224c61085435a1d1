"""The figure `parallel_scaling`: what N solutions are worth, with and without a verifier trained alongside.

Columns are data sets, rows are methods. In each panel: RL^V by weighted voting with its own scores; the base
method by majority voting, and by weighted voting with itself prompted as judge; pass@N of RL^V as the limit.
Against N as in the paper, or against tokens or FLOPs, where a verifier pays for what it reads.
Left out on purpose: other ways to vote over the same solutions (strategies.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.figures.accuracy_panels import Curve, draw_panels, quoted_ns, select
from rlv.figures.panel_captions import axes_sentence, enough, leads, no_number, panel_list, same, tallies

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
    where the tables lack a curve.
    """
    return select(tables, params, CURVES)


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    return draw_panels(data)


def caption(data: pl.DataFrame) -> str:
    """What the paper found, what to see, and what came out here, as reStructuredText."""
    ns = quoted_ns(data)
    return "".join(
        [
            axes_sentence(data),
            "The paper reports that RL\\ :sup:`V` raises accuracy on MATH by over 20 % with parallel ",
            "sampling and makes test-time scaling 8 to 32 times more efficient than the base method. ",
            f"To see: how far weighted voting with RL\\ :sup:`V`'s own scores (blue) lies, at {same(data)}, ",
            "above majority voting of the base method (orange) and above weighted voting with the base ",
            "method as its own judge (purple), and how close it comes to pass@N, the limit of any choice ",
            "among its N solutions (dashed grey). Here weighted voting is, ",
            f"{tallies(data, RIVALS, ns)}. ",
            f"Its lead in percentage points with paired 95 % intervals{no_number(data)}:\n\n",
            panel_list(data, lambda panel: _said(panel, ns)),
        ]
    )


def _said(panel: pl.DataFrame, ns: list[int]) -> list[str]:
    """Both leads at the quoted N, and what the base method's best majority vote is worth."""
    return [*leads(panel, RIVALS, ns), enough(panel, OURS, MAJORITY, "majority voting")]
