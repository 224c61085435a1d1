"""The figure `strategies`: one set of solutions of each RL^V reasoner, turned into answers in different ways.

Columns are data sets, rows are methods. In each panel the same solutions and the same scores: weighted
voting, best of N, majority voting (which reads no scores) and pass@N, the limit. Left out on purpose: base
methods (parallel_scaling.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.figures import style
from rlv.figures.accuracy_panels import Curve, draw_panels, quoted_ns, select
from rlv.figures.panel_captions import axes_sentence, leads, no_number, panel_list, tallies

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEST = Curve("rl_v", "best_of_n", "own")
MAJORITY = Curve("rl_v", "majority")
CURVES = (Curve("rl_v", "weighted_voting", "own"), BEST, MAJORITY, Curve("rl_v", "pass_at_n"))
RIVALS = {"best of N": BEST, "majority voting": MAJORITY}


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn; columns as in `accuracy_panels.select`, the lead is that of weighted voting.

    `tables`: curves and per_problem. `params`: comparisons, datasets, against, draws, seed. Raises DataError
    where the tables lack a curve.
    """
    return select(tables, params, CURVES)


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    return draw_panels(data, style.verified_name)


def caption(data: pl.DataFrame) -> str:
    """What the paper does, what to see, and what came out here, as reStructuredText."""
    ns = quoted_ns(data)
    return "".join(
        [
            "The same solutions of each RL\\ :sup:`V` reasoner, turned into one answer in different ways. ",
            axes_sentence(data),
            "The paper's main strategy is weighted voting: the answer with the highest sum of the ",
            "verifier's scores (blue). To see: what the scores add to counting votes (green), what voting ",
            "adds to trusting the single highest score (vermilion, an orange-red; a fall with N says that ",
            "the verifier can be fooled), and what is left to pass@N (dashed grey). Weighted voting is, ",
            f"{tallies(data, RIVALS, ns)}. ",
            f"Its lead in percentage points with paired 95 % intervals{no_number(data)}:\n\n",
            panel_list(data, lambda panel: leads(panel, RIVALS, ns), "\\ :sup:`V`"),
        ]
    )
