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
from rlv.evaluation.verifier_metrics import ALL, ANSWERED
from rlv.figures import rows as of
from rlv.figures import style
from rlv.figures.accuracy_panels import Curve, in_order, panels, training_seeds
from rlv.figures.panel_captions import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEW = 20  # solutions in a bin below which its fraction means too little
# Metric -> the solutions that it is of: the bins have all of them, the accuracy is that of other figures.
METRICS = {"calibration_error": ALL, "balanced_accuracy": ANSWERED}
ENDS = ("", "_low", "_high")
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
    of.refuse_empty(params)
    parts, seeds = [], training_seeds(params)
    for method, comparison in params["comparisons"].items():
        for dataset in params["datasets"]:
            for scorer, curve in VERIFIERS.items():
                if scorer == "separate" and not comparison.get("separate"):
                    continue
                reasoners, verifier = curve.source(comparison)
                wanted = {"dataset": dataset, "reasoner": reasoners[0], "verifier": verifier}
                bins = of.curve(tables["reliability"], wanted, figure=figure, name="reliability")
                more: dict[str, Any] = {"method": method, "role": curve.role, "scorer": scorer}
                for metric, over in METRICS.items():
                    found = of.metric(tables["verification"], wanted, metric, figure=figure, over=over)
                    more |= {metric: found["value"]}
                    more |= {f"{metric}_{end}": found[end] for end in ("low", "high")}
                kinds = {name: None if isinstance(v, str) else pl.Float64 for name, v in more.items()}
                named = [pl.lit(v, dtype=kinds[name]).alias(name) for name, v in more.items()]
                parts.append(
                    bins.with_columns(
                        *named,
                        share=pl.col("solutions") / pl.col("solutions").sum(),
                        few=pl.col("solutions") < FEW,
                        seeds=pl.lit(seeds[method], pl.Int32),
                    )
                )
    names = ["dataset", "method", "role", "scorer", "reasoner", "verifier", "budget", "bin_low", "bin_high"]
    numbers = ["solutions", "share", "mean_score", "fraction_correct", "low", "high", "few", "seeds"]
    wide = [f"{metric}{end}" for metric in METRICS for end in ENDS]
    return pl.concat(parts).select(*names, *numbers, *wide)


def look(scorer: str) -> style.Look:
    """The look of the verifier's weighted voting elsewhere, solid, and named after what it reads."""
    curve = VERIFIERS[scorer]
    return replace(style.look(curve.role, curve.strategy, scorer), label=LABELS[scorer], line="-", width=1.2)


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    datasets, methods = in_order(data, "dataset"), in_order(data, "method")
    scorers = [scorer for scorer in VERIFIERS if scorer in set(data["scorer"])]
    with style.theme():
        import seaborn

        figure, axes_RC = _panels(len(methods), len(datasets))
        top = 100 * float(data["share"].to_numpy().max())
        for (upper, lower), (_, _, panel) in style.pairs(axes_RC, panels(data)):
            upper.plot([0, 1], [0, 1], color=style.DARK_GREY, linewidth=0.8, linestyle=":", zorder=1)
            for scorer in reversed(scorers):  # RL^V's own on top: it is what the figure is about
                bins = panel.filter(pl.col("scorer") == scorer).sort("bin_low")
                if not bins.is_empty():
                    _draw_bins(upper, lower, bins, look(scorer))
            upper.set(xlim=(-0.03, 1.03), ylim=(-0.04, 1.04))
            upper.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
            upper.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
            lower.set_ylim(0, 1.08 * top)
            lower.locator_params(axis="y", nbins=2)
        for axes in axes_RC[:, 1:].flat:
            axes.tick_params(labelleft=False)
        for axes in axes_RC[-1]:
            axes.set_xlabel("Score")
        for axes, label in zip(axes_RC[:, 0], ["Fraction correct", "Share (%)"] * len(methods), strict=True):
            axes.set_ylabel(label)
        figure.align_ylabels(axes_RC[:, 0])
        style.name_margins(axes_RC[::2], datasets, [style.method_name(m) for m in methods])
        style.legend_below(figure, [look(scorer) for scorer in scorers])
        seaborn.despine(figure)
    return figure


def _panels(methods: int, datasets: int) -> tuple[Figure, Any]:
    """For each method a row of diagrams, and close beneath it a row of counts; a gap between methods."""
    rows = 3 * methods - 1
    each = (2.3 if methods < 3 else 2.0) * methods / rows
    heights = ([3.4, 1.0, 0.15] * methods)[:rows]
    figure, axes_RC = style.panels(rows, datasets, each, sharex=True, height_ratios=heights)
    for gap in axes_RC[2::3].ravel():
        gap.remove()
    return figure, axes_RC[[row for row in range(rows) if row % 3 != 2]]


def _draw_bins(upper: Any, lower: Any, bins: pl.DataFrame, look: style.Look) -> None:
    """Bins with enough solutions as a line with intervals, the others as faint open markers; the counts."""
    full = bins.filter(~pl.col("few"))
    x, low, high = (full[c].to_numpy() for c in ("mean_score", "low", "high"))
    upper.vlines(x, low, high, color=look.color, linewidth=0.9, alpha=0.55, zorder=1.8)
    # The line breaks at a bin that means too little: nothing was measured along a straight line across it.
    enough = pl.when(~pl.col("few"))
    x, y = (bins.select(enough.then(c)).to_series().to_numpy() for c in ("mean_score", "fraction_correct"))
    style.line(upper, x, y, look)
    few = bins.filter(pl.col("few")).drop_nulls("mean_score")
    upper.plot(
        few["mean_score"].to_numpy(),
        few["fraction_correct"].to_numpy(),
        linestyle="None",
        marker=look.marker,
        markersize=2.8,
        markerfacecolor="None",
        markeredgecolor=look.color,
        markeredgewidth=0.6,
        alpha=0.5,
        label="_few",
    )
    edges = [*bins["bin_low"].to_list(), bins["bin_high"][-1]]
    lower.stairs(100 * bins["share"].to_numpy(), edges, color=look.color, linewidth=1.0)


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
