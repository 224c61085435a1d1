"""The figure `adaptive`: stopping rules, accuracy against how many solutions they draw.

Columns are data sets, rows are reasoners and their verifiers. In each panel a rule is a curve over its
number; fixed numbers of solutions, by majority and by weighted voting, are the reference, and "the leader is
m ahead" (black) is what a finer rule has to beat. Rules that read scores are drawn with those of the row's
verifier. Against mean solutions a problem, or against tokens or FLOPs, if these are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.errors import DataError
from rlv.evaluation.templates import fill
from rlv.figures import style
from rlv.figures.accuracy_panels import AGAINST, in_order, percent_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = [
    *("dataset", "reasoner", "reader", "verifier", "family", "number", "rule", "vote", "against", "x"),
    *("accuracy", "low", "high", "samples", "n_max", "fitted"),
]
# (family, vote) -> look, in the legend's order. Labels are short: two of them stand beside each other in a
# column. A fixed number is dashed, in the colour of the rule that has its vote.
DASHED, DOTTED = (0, (5, 1.5)), (0, (3, 1.2, 1, 1.2))
LOOKS = {
    ("fixed", "majority"): style.Look("Fixed, majority", style.ORANGE, "s", DASHED),
    ("fixed", "weighted_voting"): style.Look("Fixed, weighted", style.BLUE, "o", DASHED),
    ("fixed", "log_odds"): style.Look("Fixed, log odds", style.VERMILION, "", DASHED, 0.8),
    ("fixed", "best_of_n"): style.Look("Fixed, best", style.WINE, "", DASHED, 0.8),
    ("lead", "majority"): style.Look("Lead, votes", style.DARK_GREY, "v", "-", 1.1),
    ("lead", "weighted_voting"): style.Look("Lead, scores", style.INK, "v", "-", 1.1),
    ("beta", "majority"): style.Look("ASC (beta)", style.GREEN, "D", "-", 1.1),
    ("window", "majority"): style.Look("ESC (window)", style.PURPLE, "^", DOTTED, 1.1),
    ("share", "majority"): style.Look("Share", style.BROWN, "p", (0, (1, 1)), 1.1),
    ("posterior", "log_odds"): style.Look("Posterior", style.VERMILION, "P"),
    ("confident", "weighted_voting"): style.Look("Confident", style.OLIVE, "X", DOTTED, 1.1),
    ("pandora", "best_of_n"): style.Look("Pandora", style.WINE, "*", (0, (1, 1)), 1.1),
}


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: one row a panel and rule, rules of one family and vote by their numbers.

    Columns: COLUMNS; `reader` is the verifier of the panel, `x` mean solutions, tokens or FLOPs a problem.
    `tables`: adaptive. `params`: datasets, against. Raises DataError if there is nothing to draw, or nobody
    knows such a cost.
    """
    against = params.get("against", "n")
    column = "samples" if against == "n" else against
    split = pl.col("rule").str.split_exact(":", 1).struct
    name, number = split.field("field_0"), split.field("field_1")
    looks = pl.DataFrame([{"family": f, "vote": v, "place": k} for k, (f, v) in enumerate(LOOKS)])
    rows = (
        tables["adaptive"]
        .filter(pl.col("dataset").is_in(list(params["datasets"])))
        .with_columns(family=name, number=number.cast(pl.Float64, strict=False), against=pl.lit(against))
        .join(looks, on=["family", "vote"], how="inner", maintain_order="left")
        .with_columns(x=pl.col(column))
    )
    if rows.is_empty():
        raise DataError(
            f"figure {params['figure']}: no stopping rule to draw; name data sets under `stopping`"
        )
    unknown = rows.filter(pl.col("x").is_null())
    if not unknown.is_empty():
        reasoner, dataset = unknown.select("reasoner", "dataset").row(0)
        raise DataError(
            f"figure {params['figure']}: nobody knows the {against} of {reasoner!r} on {dataset!r}; draw it "
            "against n"
        )
    parts = []
    for dataset in params["datasets"]:
        here = rows.filter(pl.col("dataset") == dataset)
        for reasoner in in_order(here, "reasoner"):
            mine = here.filter(pl.col("reasoner") == reasoner)
            readers = [v for v in in_order(mine, "verifier") if v] or [""]
            for reader in readers:
                panel = mine.filter(pl.col("verifier").is_in(["", reader])).with_columns(
                    reader=pl.lit(reader)
                )
                parts.append(panel.sort("place", "number"))
    return pl.concat(parts).select(COLUMNS)


def _panels(data: pl.DataFrame) -> list[tuple[str, str]]:
    """(reasoner, verifier) of the rows of panels."""
    return data.select("reasoner", "reader").unique(maintain_order=True).rows()


def _curves(panel: pl.DataFrame) -> Iterator[tuple[tuple[str, str], pl.DataFrame]]:
    """A panel's curves: (family, vote) and its rows, by number."""
    for (family, vote), rows in panel.group_by("family", "vote", maintain_order=True):
        yield (str(family), str(vote)), rows


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    datasets, rows = in_order(data, "dataset"), _panels(data)
    with style.theme():
        import seaborn

        height = 2.6 if len(rows) == 1 else 2.1
        figure, axes_RC = style.panels(len(rows), len(datasets), height, sharex="col")
        for row, (reasoner, reader) in enumerate(rows):
            for column, dataset in enumerate(datasets):
                panel = data.filter(dataset=dataset, reasoner=reasoner, reader=reader)
                # Bands would be several times as high as the curves are apart: they are in the CSV.
                for key, curve in _curves(panel):
                    style.banded(axes_RC[row, column], curve.sort("x"), LOOKS[key], band=0.0)
                percent_axis(axes_RC[row, column])
        for column, axes in enumerate(axes_RC[0]):
            style.cost_axis(axes, data.filter(dataset=datasets[column])["x"].to_list())
        label = "Solutions a problem, mean" if data["against"][0] == "n" else AGAINST[data["against"][0]]
        for axes in axes_RC[-1]:
            axes.set_xlabel(label)
        for axes in axes_RC[:, 0]:
            axes.set_ylabel("Accuracy (%)")
        style.name_margins(axes_RC, datasets, [f"{a}\n{b}".strip().replace("_", " ") for a, b in rows])
        drawn = set(data.select("family", "vote").rows())
        style.legend_below(figure, [look for key, look in LOOKS.items() if key in drawn], grow=True)
        seaborn.despine(figure)
    return figure


def caption(data: pl.DataFrame) -> str:
    """What to see, and what came out, as reStructuredText."""
    panels = []
    for (dataset, reasoner, reader), panel in data.group_by(
        "dataset", "reasoner", "reader", maintain_order=True
    ):
        panels.append((dataset, reasoner, reader, [_said(*of) for of in _curves(panel)]))
    said = data.filter(pl.col("fitted") != "").select("reasoner", "verifier", "fitted")
    fitted = said.unique(maintain_order=True).rows()
    half = f"{50 * (data['high'] - data['low']).max():.0f}"  # pyright: ignore[reportOperatorIssue]
    return fill(__file__, ".rst", against=data["against"][0], panels=panels, fitted=fitted, half=half)


def _said(key: tuple[str, str], curve: pl.DataFrame) -> tuple[str, str, str, str]:
    """A curve's name, and of the rule on it that is most accurate, the cheapest of equals, its numbers."""
    best = curve.sort("accuracy", -pl.col("samples"), descending=True).row(0, named=True)
    return (
        LOOKS[key].label,
        best["rule"],
        f"{100 * best['accuracy']:.1f}",
        f"{best['samples']:.1f}",
    )
