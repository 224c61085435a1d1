"""The figure `boundary`: does RL find what its start could not, or only find it sooner?

Columns are data sets, rows are methods. In each panel pass@N, the limit of any choice among N solutions: of
the base method, of RL^V, of the model that both started from, and of that model at its best temperature (the
cold start), where these are evaluated. Where the start's curve crosses those of RL, training has lost
problems that the start still solves now and then (Yue et al. 2025, arXiv 2504.13837; Wu et al. 2025, arXiv
2507.14843).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.evaluation.templates import fill
from rlv.figures import style
from rlv.figures.accuracy_panels import UNTRAINED, Curve, curve_keys, draw_panels, select
from rlv.figures.panel_captions import about

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASE, OURS = Curve("base", "pass_at_n"), Curve("rl_v", "pass_at_n")
STARTS = {"its start": Curve("start", "pass_at_n"), "its cold start": Curve("cold", "pass_at_n")}
LOOKS = {
    "base": style.Look("Base RL", style.ORANGE, "s", (0, (5, 1.5))),
    "rl_v": style.Look("RL$^V$", style.BLUE, "o"),
    "start": style.Look("Start model", style.DARK_GREY, "^", (0, (3, 1.2, 1, 1.2))),
    "cold": style.Look("Start model at its best temperature", style.MAROON, "p", (0, (1, 1))),
}


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn; columns as in `accuracy_panels.select`, the lead is that of the base method.

    `tables`: curves and per_problem. `params`: comparisons, datasets, draws, seed. Starts are drawn where
    they are evaluated. Raises DataError if the tables lack a curve.
    """
    parts = []
    for dataset in params["datasets"]:
        for method, comparison in params["comparisons"].items():
            there = set(tables["curves"].filter(pl.col("dataset") == dataset)["reasoner"])
            known = [c for c in STARTS.values() if comparison.get(c.role) in there]
            panel = {**params, "datasets": [dataset], "comparisons": {method: comparison}}
            parts.append(select(tables, panel, [BASE, OURS, *known], of_limits=True))
    found = pl.concat(parts) if parts else select(tables, params, [BASE])
    order = {method: i for i, method in enumerate(params["comparisons"])}
    return found.sort(pl.col("method").replace_strict(order), maintain_order=True)


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows: bands are those of the base method and of the starts."""
    bands = [key for key in curve_keys(data) if key[0] in ("base", *UNTRAINED)]
    return draw_panels(data, look=lambda role, strategy, scorer: LOOKS[role], bands=bands)


def caption(data: pl.DataFrame) -> str:
    """What is asked, what to see, and what came out here, as reStructuredText."""
    there = {role for role, _, _ in curve_keys(data)}
    rivals = {name: curve for name, curve in STARTS.items() if curve.role in there}
    return fill(__file__, ".rst", starts=sorted(there & set(UNTRAINED)), **about(data, rivals))
