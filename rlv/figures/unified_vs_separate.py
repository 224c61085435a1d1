"""The figure `unified_vs_separate`: one model that reasons and verifies against a verifier of its own.

Columns are data sets, rows are the methods whose comparison names a separate verifier (trained on the base
run's recorded solutions with only the verification objective). In each panel: RL^V by weighted voting with
its own scores; the same solutions scored by the separate verifier; the base method with the separate
verifier; the base method by majority voting. Left out: other objectives (objectives.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.errors import DataError
from rlv.evaluation.templates import fill
from rlv.figures.accuracy_panels import Curve, draw_panels, select, training_seeds
from rlv.figures.panel_captions import about

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SWAPPED = Curve("rl_v", "weighted_voting", "separate")
SEPARATE = Curve("base", "weighted_voting", "separate")
MAJORITY = Curve("base", "majority")
CURVES = (Curve("rl_v", "weighted_voting", "own"), SWAPPED, SEPARATE, MAJORITY)
RIVALS = {
    "its own solutions scored by the separate verifier": SWAPPED,
    "the base method with the separate verifier": SEPARATE,
    "majority voting of the base method": MAJORITY,
}


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: columns as in `accuracy_panels.select`, and seeds.

    The lead is that of RL^V's own scores; seeds is how many training seeds the RL^V reasoner has.

    `tables`: curves and per_problem. `params`: comparisons, datasets, against, draws, seed. Comparisons
    without a separate verifier are left out; of several training seeds the first is drawn. Raises DataError
    if none has one, or the tables lack a curve.
    """
    # A separate verifier learnt from one run's solutions: further training seeds have none of their own.
    having = {m: {**c, "replicas": {}} for m, c in params["comparisons"].items() if c.get("separate")}
    if params["comparisons"] and not having:
        raise DataError(
            f"figure {params['figure']}: none of the comparisons {', '.join(params['comparisons'])} names a "
            "separate verifier; add `separate: <verifier>` to one, with that verifier trained from solutions "
            "that its base reasoner recorded (`recorded_by`)"
        )
    drawn = select(tables, {**params, "comparisons": having}, CURVES)
    return drawn.with_columns(
        seeds=pl.col("method").replace_strict(training_seeds(params), return_dtype=pl.Int32)
    )


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    return draw_panels(data)


def caption(data: pl.DataFrame) -> str:
    """What the paper asks, what to see, and what came out here, as reStructuredText."""
    return fill(__file__, ".rst", runs=data["seeds"].max(), **about(data, RIVALS))
