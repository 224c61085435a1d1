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
    Curve("rl_v", "best_of_n"),
    Curve("rl_v", "majority"),
    Curve("rl_v", "pass_at_n"),
)
RIVALS = {"best_of_n": "best of N", "majority": "majority voting"}


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn; columns as in `accuracy_panels.select`, the lead is that of weighted voting.

    `tables`: curves and per_problem. `params`: comparisons, datasets, draws, seed. Raises DataError where the
    tables lack a curve.
    """
    return select(tables, params, CURVES)


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    return draw_panels(data, style.verified_name)


def caption(data: pl.DataFrame) -> str:
    """What the paper does, what to see, and what came out here, as reStructuredText."""
    ns = quoted_ns(data)
    over_best = tally(lead_over(data, "rl_v", "best_of_n", ns[-1]))
    over_majority = tally(lead_over(data, "rl_v", "majority", ns[0]))
    lines = [
        "The same solutions of each RL\\ :sup:`V` reasoner, turned into one answer in different ways; ",
        "bands are 95 % intervals over problems. The paper's main strategy is weighted voting: the answer ",
        "with the highest sum of the verifier's scores (blue). To see: what the scores add to counting ",
        "votes (green), what voting adds to trusting the single highest score (red; a fall with N says that ",
        "the verifier can be fooled), and what is left to pass@N (dashed grey). ",
        f"Against majority voting at N = {ns[0]}, weighted voting is {over_majority}; ",
        f"against best of N at N = {ns[-1]}, {over_best}. ",
        "Its lead in percentage points with paired 95 % intervals:\n\n",
    ]
    for method in in_order(data, "method"):
        for dataset in in_order(data, "dataset"):
            panel = data.filter(pl.col("method") == method, pl.col("dataset") == dataset)
            said = []
            for n in ns:
                over = [
                    f"{points(row)} over {name}"
                    for strategy, name in RIVALS.items()
                    for row in lead_over(panel, "rl_v", strategy, n).iter_rows(named=True)
                ]
                said.append(f"at N = {n} {', '.join(over)}")
            lines.append(f"* {style.method_name(method)}\\ :sup:`V` on ``{dataset}``: {'; '.join(said)}.\n")
    return "".join(lines)
