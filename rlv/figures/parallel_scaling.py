"""The figure `parallel_scaling`: what N solutions are worth, with and without a verifier trained alongside.

Columns are data sets, rows are methods. In each panel: RL^V by weighted voting with its own scores; the base
method by majority voting, and by weighted voting with itself prompted as judge; pass@N of RL^V as the limit.
Left out on purpose: other ways to vote over the same solutions (strategies.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.figures import style
from rlv.figures.accuracy_panels import (
    Curve,
    draw_panels,
    in_order,
    lead_over,
    points,
    quoted_ns,
    select,
    tally,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES = (
    Curve("rl_v", "weighted_voting"),
    Curve("base", "majority"),
    Curve("base", "weighted_voting"),
    Curve("rl_v", "pass_at_n"),
)


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn; columns as in `accuracy_panels.select`, the lead is that of RL^V's weighted voting.

    `tables`: curves and per_problem. `params`: comparisons, datasets, draws, seed. Raises DataError where the
    tables lack a curve.
    """
    return select(tables, params, CURVES)


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    return draw_panels(data)


def caption(data: pl.DataFrame) -> str:
    """What the paper found, what to see, and what came out here, as reStructuredText."""
    ns = quoted_ns(data)
    over_majority = tally(lead_over(data, "base", "majority", ns[0]))
    over_judge = tally(lead_over(data, "base", "weighted_voting", ns[0]))
    lines = [
        "Accuracy against the number N of solutions sampled for each problem; bands are 95 % intervals ",
        "over problems. The paper reports that RL\\ :sup:`V` raises accuracy on MATH by over 20 % with ",
        "parallel sampling and makes test-time scaling 8 to 32 times more efficient than the base method. ",
        "To see: how far weighted voting with RL\\ :sup:`V`'s own scores (blue) lies, at the same N, above ",
        "majority voting of the base method (orange) and above weighted voting with the base method as its ",
        "own judge (purple), and how close it comes to pass@N, the limit of any choice among its N ",
        "solutions (dashed grey). Against majority voting of the base method at ",
        f"N = {ns[0]} it is {over_majority}; ",
        f"against the judge, {over_judge}. ",
        "Its lead in percentage points with paired 95 % intervals:\n\n",
    ]
    for method in in_order(data, "method"):
        for dataset in in_order(data, "dataset"):
            panel = data.filter(pl.col("method") == method, pl.col("dataset") == dataset)
            lines.append(f"* {style.method_name(method)} on ``{dataset}``: {_panel(panel, ns)}\n")
    return "".join(lines)


def _panel(panel: pl.DataFrame, ns: list[int]) -> str:
    """Both leads at the quoted N, and how many solutions the base method's best majority vote is worth."""
    said = []
    for n in ns:
        over = [lead_over(panel, "base", s, n).to_dicts() for s in ("majority", "weighted_voting")]
        majority, judge = (points(rows[0]) if rows else "not measured" for rows in over)
        said.append(f"at N = {n} {majority} over majority voting, {judge} over the judge")
    ours = panel.filter(pl.col("role") == "rl_v", pl.col("strategy") == "weighted_voting").sort("n")
    base = panel.filter(pl.col("role") == "base", pl.col("strategy") == "majority").sort("n")
    target = base.row(-1, named=True)
    enough = ours.filter(pl.col("accuracy") >= target["accuracy"])
    goal = f"the {100 * target['accuracy']:.1f} % that majority voting reaches at N = {target['n']}"
    if enough.is_empty():
        said.append(f"N = {ours['n'].max()} is not enough for {goal}")
    else:
        said.append(f"N = {enough['n'][0]} is enough for {goal}")
    return "; ".join(said) + "."
