"""The figure `pooled_within`: does a verifier know which solution is right, or which problem is easy?

Columns are data sets. A row is a verifier of a reasoner's solutions, with two dots: its AUROC over solutions
of all problems together, and within problems, in the mean over problems. Nothing is assumed about how
solutions and scores came about, so it is drawn of solutions that others sampled, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.errors import DataError
from rlv.evaluation.templates import fill
from rlv.evaluation.verifier_metrics import ANSWERED
from rlv.figures import style
from rlv.figures.accuracy_panels import in_order
from rlv.figures.bins import ENDS
from rlv.figures.panel_captions import number
from rlv.figures.rows import metric

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRICS = {"auroc": "pooled", "within_auroc": "within"}
LOOKS = {
    "pooled": style.Look("Any two solutions (pooled)", style.ORANGE, "s", "None"),
    "within": style.Look("Two solutions of one problem (within)", style.BLUE, "o", "None"),
}
_LABELS = ["dataset", "reasoner", "verifier", "budget"]
# Inches of a row, and of a figure without rows.
_ROW, _HEIGHT = 0.165, 0.45


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: one row a data set, reasoner and verifier.

    Columns: dataset, reasoner, verifier, budget, pooled, pooled_low, pooled_high, within, within_low and
    within_high, of solutions that have an answer; null if undefined. `tables`: verification. `params`:
    datasets. Raises DataError if no verifier has read anything, and if a table lacks a metric.
    """
    rows = []
    for dataset in params["datasets"]:
        here = tables["verification"].filter(pl.col("dataset") == dataset)
        for reasoner, verifier in here.select("reasoner", "verifier").unique(maintain_order=True).rows():
            label = {"dataset": dataset, "reasoner": reasoner, "verifier": verifier}
            row: dict[str, Any] = dict(label)
            for name, called in METRICS.items():
                found = metric(here, label, name, figure=params["figure"], over=ANSWERED)
                row |= {"budget": found["budget"], called: found["value"]}
                row |= {f"{called}_{end}": found[end] for end in ("low", "high")}
            rows.append(row)
    if not rows:
        raise DataError(
            f"figure {params['figure']}: no scores of any verifier; name one under a reasoner's `verifiers`"
        )
    numbers = [f"{called}{end}" for called in METRICS.values() for end in ENDS]
    kinds = dict.fromkeys(_LABELS, pl.String) | {"budget": pl.Int32} | dict.fromkeys(numbers, pl.Float64)
    return pl.DataFrame(rows, schema=kinds)


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    datasets, reasoners = in_order(data, "dataset"), in_order(data, "reasoner")
    # A line for the name of each reasoner, and below it one for each of its verifiers.
    lines = [
        (reasoner, verifier)
        for reasoner in reasoners
        for verifier in ("", *in_order(data.filter(pl.col("reasoner") == reasoner), "verifier"))
    ]
    place = {line: k for k, line in enumerate(lines)}
    with style.theme():
        import seaborn

        figure, axes_RC = style.panels(
            1, len(datasets), _HEIGHT + _ROW * len(lines), sharex=True, sharey=True
        )
        for axes, dataset in zip(axes_RC[0], datasets, strict=True):
            axes.axvline(0.5, color=style.DARK_GREY, linewidth=0.8, linestyle=":", zorder=1)
            for row in data.filter(pl.col("dataset") == dataset).iter_rows(named=True):
                _pair(axes, row, place[row["reasoner"], row["verifier"]])
            axes.set_xlabel("AUROC")
            axes.grid(axis="y", visible=False)
        first = axes_RC[0, 0]
        first.set_ylim(len(lines) - 0.4, -0.6)
        names = [(verifier or reasoner).replace("_", " ") for reasoner, verifier in lines]
        first.set_yticks(range(len(lines)), names)
        for axes in axes_RC[0]:
            axes.tick_params(axis="y", length=0)
        for label, (_, verifier) in zip(first.get_yticklabels(), lines, strict=True):
            label.set_fontweight("normal" if verifier else "bold")
        first.locator_params(axis="x", nbins=5)
        style.name_margins(axes_RC, datasets, [""])
        style.legend_below(figure, list(LOOKS.values()))
        seaborn.despine(figure, left=True)
    return figure


def _pair(axes: Any, row: Mapping[str, Any], place: int) -> None:
    """The two dots of a verifier with their intervals, one a little above the other, and what joins them."""
    ends = [row[called] for called in LOOKS]
    if None not in ends:
        axes.plot(ends, [place, place], color=style.GREY, linewidth=0.9, zorder=1.5, label="_joined")
    for offset, (called, look) in zip((-0.14, 0.14), LOOKS.items(), strict=True):
        value, low, high = (row[f"{called}{end}"] for end in ENDS)
        if value is None:
            continue
        if low is not None and high is not None:
            axes.plot(
                [low, high], [place + offset] * 2, color=look.color, linewidth=1.1, alpha=0.6, zorder=1.8
            )
        style.line(axes, [value], [place], look, zorder=2.5)


def caption(data: pl.DataFrame) -> str:
    """What to see, and what came out, as reStructuredText."""
    known = data.drop_nulls(list(LOOKS))
    rows = [
        (
            *(row[name] for name in _LABELS[:3]),
            *(number(row, [f"{called}{end}" for end in ENDS]) for called in LOOKS),
        )
        for row in data.iter_rows(named=True)
    ]
    chance = known.filter(pl.col("within_low") <= 0.5, pl.col("within_high") >= 0.5).height
    lower = known.filter(pl.col("within") < pl.col("pooled")).height
    return fill(__file__, ".rst", rows=rows, all=known.height, lower=lower, chance=chance)
