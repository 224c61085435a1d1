"""The figure `calibration`: whether a verifier's score is the chance that a solution is correct.

Columns are data sets, rows are methods. In each panel: of the solutions in a bin of the score, the fraction
that is correct, for RL^V's own verifier, for the base method as its own judge and, if the comparison has
one, for the separate verifier on the base method's solutions; beneath, how many solutions fall into each
bin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.evaluation.templates import fill
from rlv.figures import style
from rlv.figures.accuracy_panels import Curve, in_order, panels, training_seeds
from rlv.figures.bins import ENDS, FEW, METRICS, NUMBERS, WIDE, bins, draw_diagrams
from rlv.figures.panel_captions import number
from rlv.figures.rows import refuse_empty

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VERIFIERS = {
    "own": Curve("rl_v", "weighted_voting", "own"),
    "judge": Curve("base", "weighted_voting", "judge"),
    "separate": Curve("base", "weighted_voting", "separate"),
}
LABELS = {
    "own": "RL$^V$, its own verifier",
    "judge": "Base RL, LLM as judge",
    "separate": "Base RL, separate verifier",
}


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: one row for each bin of each verifier.

    Columns: dataset, method, role, scorer, reasoner, verifier, budget, bin_low,
    bin_high, solutions, share (of all solutions), mean_score, fraction_correct, low, high, few (fewer than
    FEW solutions), seeds (training seeds of the RL^V reasoner), and for the whole verifier the metrics of
    METRICS with their `_low` and `_high`.

    `tables`: reliability and verification. `params`: comparisons, datasets. Of several training seeds the
    first is drawn. Raises DataError if the tables lack a verifier.
    """
    figure = params["figure"]
    refuse_empty(params)
    parts, seeds = [], training_seeds(params)
    for method, comparison in params["comparisons"].items():
        for dataset in params["datasets"]:
            for scorer, curve in VERIFIERS.items():
                if scorer == "separate" and not comparison.get("separate"):
                    continue
                reasoners, verifier = curve.source(comparison)
                wanted = {"dataset": dataset, "reasoner": reasoners[0], "verifier": verifier}
                labels = {"method": method, "role": curve.role, "scorer": scorer}
                found = bins(tables, wanted, figure, labels)
                parts.append(found.with_columns(seeds=pl.lit(seeds[method], pl.Int32)))
    names = ["dataset", "method", "role", "scorer", "reasoner", "verifier", "budget", "bin_low", "bin_high"]
    return pl.concat(parts).select(*names, *NUMBERS, "seeds", *WIDE)


def look(scorer: str) -> style.Look:
    """The look of the verifier's weighted voting elsewhere, solid, and named after what it reads."""
    curve = VERIFIERS[scorer]
    return replace(style.look(curve.role, curve.strategy, scorer), label=LABELS[scorer], line="-", width=1.2)


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    methods = [style.method_name(method) for method in in_order(data, "method")]
    # RL^V's own on top: it is what the figure is about.
    looks = {scorer: look(scorer) for scorer in VERIFIERS if scorer in set(data["scorer"])}
    found = (panel for _, _, panel in panels(data))
    return draw_diagrams(data, found, looks, "scorer", in_order(data, "dataset"), methods)


def caption(data: pl.DataFrame) -> str:
    """What the paper does, what to see, and what came out here, as reStructuredText."""
    compared = data.unique(["dataset", "method", "scorer"], maintain_order=True)
    own, judge = (compared.filter(pl.col("scorer") == scorer) for scorer in ("own", "judge"))
    pairs = own.join(judge, on=["dataset", "method"], suffix="_judge").drop_nulls(
        ["calibration_error", "calibration_error_judge"]
    )
    return fill(
        __file__,
        ".rst",
        few=data.filter(pl.col("few"), pl.col("solutions") > 0).height,
        enough=FEW,
        runs=data["seeds"].max(),
        better=pairs.filter(pl.col("calibration_error") < pl.col("calibration_error_judge")).height,
        pairs=pairs.height,
        panels=[(*names, _verifiers(panel)) for *names, panel in panels(compared)],
    )


def _verifiers(panel: pl.DataFrame) -> list[tuple[str, ...]]:
    """(scorer, calibration error, balanced accuracy) of each verifier of a panel, in words."""
    return [
        (row["scorer"], *(number(row, [f"{metric}{end}" for end in ENDS]) for metric in METRICS))
        for row in panel.iter_rows(named=True)
    ]
