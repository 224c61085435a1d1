"""Reliability diagrams: bins of scores, what they come to, and their picture.

In each panel: of the solutions in a bin of the score, the fraction that is correct, with the diagonal on
which a score is the chance of being right; beneath, how many solutions fall into each bin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.evaluation.verifier_metrics import ALL, ANSWERED
from rlv.figures import rows as of
from rlv.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEW = 20  # solutions in a bin below which its fraction means too little
# Metric -> the solutions that it is of: the bins have all of them, the accuracy is that of other figures.
METRICS = {"calibration_error": ALL, "balanced_accuracy": ANSWERED}
ENDS = ("", "_low", "_high")
NUMBERS = ("solutions", "share", "mean_score", "fraction_correct", "low", "high", "few")
WIDE = tuple(f"{metric}{end}" for metric in METRICS for end in ENDS)


def bins(
    tables: Mapping[str, pl.DataFrame], wanted: Mapping[str, str], figure: str, labels: Mapping[str, Any]
) -> pl.DataFrame:
    """The bins of one verifier: rows of the reliability table with `labels` and the columns NUMBERS and WIDE.

    `share`: of all solutions. `few`: whether the bin has fewer than FEW. WIDE: the metrics of the whole
    verifier with their `_low` and `_high`. `wanted`: dataset, reasoner, verifier. `tables`: reliability and
    verification. Raises DataError if the tables lack the verifier.
    """
    found = of.curve(tables["reliability"], wanted, figure=figure, name="reliability")
    more: dict[str, Any] = dict(labels)
    for metric, over in METRICS.items():
        number = of.metric(tables["verification"], wanted, metric, figure=figure, over=over)
        more |= {metric: number["value"]}
        more |= {f"{metric}_{end}": number[end] for end in ("low", "high")}
    kinds = {name: None if isinstance(v, str | int) else pl.Float64 for name, v in more.items()}
    named = [pl.lit(v, dtype=kinds[name]).alias(name) for name, v in more.items()]
    return found.with_columns(
        *named, share=pl.col("solutions") / pl.col("solutions").sum(), few=pl.col("solutions") < FEW
    )


def draw_diagrams(
    data: pl.DataFrame,
    panels: Iterable[pl.DataFrame],
    looks: Mapping[str, style.Look],
    key: str,
    columns: Sequence[str],
    rows: Sequence[str],
) -> Figure:
    """The picture: `panels` row by row, in each the verifiers that `key` names, the first on top.

    `columns`, `rows`: the names of the panels' columns and rows.
    """
    with style.theme():
        import seaborn

        figure, axes_RC = _panels(len(rows), len(columns))
        top = 100 * float(data["share"].to_numpy().max())
        for (upper, lower), panel in style.pairs(axes_RC, panels):
            upper.plot([0, 1], [0, 1], color=style.DARK_GREY, linewidth=0.8, linestyle=":", zorder=1)
            for name in reversed(list(looks)):
                found = panel.filter(pl.col(key) == name).sort("bin_low")
                if not found.is_empty():
                    _draw_bins(upper, lower, found, looks[name])
            upper.set(xlim=(-0.03, 1.03), ylim=(-0.04, 1.04))
            upper.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
            upper.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
            lower.set_ylim(0, 1.08 * top)
            lower.locator_params(axis="y", nbins=2)
        for axes in axes_RC[:, 1:].flat:
            axes.tick_params(labelleft=False)
        for axes in axes_RC[-1]:
            axes.set_xlabel("Score")
        for axes, label in zip(axes_RC[:, 0], ["Fraction correct", "Share (%)"] * len(rows), strict=True):
            axes.set_ylabel(label)
        figure.align_ylabels(axes_RC[:, 0])
        style.name_margins(axes_RC[::2], columns, rows)
        style.legend_below(figure, list(looks.values()), grow=True)
        seaborn.despine(figure)
    return figure


def _panels(rows: int, columns: int) -> tuple[Figure, Any]:
    """For each row of diagrams close beneath it a row of counts; a gap between rows."""
    lines = 3 * rows - 1
    each = (2.3 if rows < 3 else 2.0) * rows / lines
    heights = ([3.4, 1.0, 0.15] * rows)[:lines]
    figure, axes_RC = style.panels(lines, columns, each, sharex=True, height_ratios=heights)
    for gap in axes_RC[2::3].ravel():
        gap.remove()
    return figure, axes_RC[[line for line in range(lines) if line % 3 != 2]]


def _draw_bins(upper: Any, lower: Any, found: pl.DataFrame, look: style.Look) -> None:
    """Bins with enough solutions as a line with intervals, the others as faint open markers; the counts."""
    full = found.filter(~pl.col("few"))
    x, low, high = (full[c].to_numpy() for c in ("mean_score", "low", "high"))
    upper.vlines(x, low, high, color=look.color, linewidth=0.9, alpha=0.55, zorder=1.8)
    # The line breaks at a bin that means too little: nothing was measured along a straight line across it.
    enough = pl.when(~pl.col("few"))
    x, y = (found.select(enough.then(c)).to_series().to_numpy() for c in ("mean_score", "fraction_correct"))
    style.line(upper, x, y, look)
    few = found.filter(pl.col("few")).drop_nulls("mean_score")
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
    edges = [*found["bin_low"].to_list(), found["bin_high"][-1]]
    lower.stairs(100 * found["share"].to_numpy(), edges, color=look.color, linewidth=1.0)
