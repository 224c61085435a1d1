"""The figure `allocation`: which strategy wins at which difficulty of a problem, and at which budget.

One map a data set and reasoner (rows) and price of reading (columns). Rows of a map are bins of difficulty,
the easiest on top; columns are budgets, what N solutions cost without a verifier. The colour is that of the
winner's verifier, hatched if it picks the best of N; it is pale where the 95 % interval of the lead over the
second contains 0. Numbers are accuracies in percent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.errors import DataError
from rlv.evaluation.templates import fill
from rlv.figures import style
from rlv.figures.accuracy_panels import in_order
from rlv.figures.frontier import PRICES, ROWS, distinct_prices
from rlv.figures.votes import NAMES, drawn_at, look, places

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = [
    *("dataset", "reasoner", "price", "unit", "binning", "bin", "problems", "n", "budget"),
    *("strategy", "verifier", "place", "accuracy", "second", "second_verifier", "lead", "low", "high"),
]
# By what difficulty is told, in captions.
TOLD = {
    "oracle": "the share of wrong ones among other solutions of the problem",
    "predicted": "the mean score of a few other solutions",
    "level": "the level of the problem",
}
HATCHED = "best_of_n"
PALE = 0.35


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: one row a bin and budget of each map. Columns: COLUMNS.

    `place`: of the winner's verifier among the looks (`votes.places` of all of the allocations), so that its
    colour is that of the figure `frontier`; -1 without one. Of the ways to tell difficulty the first of the
    study; a second price that is the first is left out. `tables`: winners and frontier. `params`: datasets.
    Raises DataError if there is nothing to draw.
    """
    found = tables["winners"].filter(pl.col("dataset").is_in(params["datasets"]), pl.col("binning") != "none")
    if found.is_empty():
        raise DataError(
            f"figure {params['figure']}: no bins of difficulty on {', '.join(params['datasets'])}; name a "
            "way to tell it under `allocation.difficulties`"
        )
    order = {dataset: i for i, dataset in enumerate(params["datasets"])}
    first = found.filter(binning=found["binning"][0])
    here = tables["frontier"].filter(pl.col("dataset").is_in(params["datasets"]))
    place_of = {"": -1, **places([verifier for verifier in in_order(here, "verifier") if verifier])}
    place = pl.col("verifier").replace_strict(place_of, return_dtype=pl.Int32)
    first = first.filter(pl.col("price").is_in(distinct_prices(here)))
    in_rows = first.sort(pl.col("dataset").replace_strict(order), maintain_order=True)
    return in_rows.with_columns(place=place).select(COLUMNS)


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    prices = [price for price in PRICES if price in in_order(data, "price")]
    rows = data.select("dataset", "reasoner").unique(maintain_order=True).rows()
    with style.theme():
        figure, axes_RC = style.panels(len(rows), len(prices), min(1.5, ROWS / len(rows)))
        for axes_C, (dataset, reasoner) in zip(axes_RC, rows, strict=True):
            for axes, price in zip(axes_C, prices, strict=True):
                _map(axes, data.filter(dataset=dataset, reasoner=reasoner, price=price))
            axes_C[0].set_ylabel("Bin (easy to hard)")
        for axes in axes_RC[-1]:
            axes.set_xlabel("Budget: the cost of so many solutions")
        names = [f"{dataset}\n{reasoner.replace('_', ' ')}" for dataset, reasoner in rows]
        style.name_margins(axes_RC, [PRICES[price] for price in prices], names)
        _legend(figure, data)
    return figure


def _map(axes: Axes, panel: pl.DataFrame) -> None:
    """One rectangle a bin and budget."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    if panel.is_empty():
        axes.set_axis_off()
        return
    budgets, bins = sorted(panel["n"].unique()), sorted(panel["bin"].unique())
    for row in panel.iter_rows(named=True):
        at = budgets.index(row["n"]), bins.index(row["bin"])
        strength = 1.0 if _decided(row) else PALE
        color = tuple(1 - strength * (1 - part) for part in to_rgb(_color(row)))
        hatch = "////" if row["strategy"] == HATCHED else None
        axes.add_patch(Rectangle(at, 1, 1, facecolor=color, edgecolor="white", hatch=hatch, linewidth=0.8))
        dark = strength == 1.0
        axes.text(
            at[0] + 0.5,
            at[1] + 0.5,
            f"{100 * row['accuracy']:.0f}",
            ha="center",
            va="center",
            color="white" if dark else style.INK,
            fontsize=style.SMALL,
            fontweight="bold" if dark else "normal",
            bbox={"facecolor": color, "edgecolor": "none", "pad": 0.8},
        )
    axes.set_xlim(0, len(budgets))
    axes.set_ylim(len(bins), 0)
    axes.set_xticks([i + 0.5 for i in range(len(budgets))], [str(n) for n in budgets])
    axes.set_yticks([i + 0.5 for i in range(len(bins))], [str(b) for b in bins])
    axes.tick_params(length=0)
    axes.grid(visible=False)


def _decided(row: Mapping[str, Any]) -> bool:
    """Whether the winner is ahead of all others, or the budget affords no other."""
    return row["lead"] is None or row["low"] > 0


def _color(row: Mapping[str, Any]) -> str:
    if row["place"] >= 0:
        return drawn_at(row["place"])[0]
    return look("", row["strategy"], []).color


def _legend(figure: Figure, data: pl.DataFrame) -> None:
    """One patch a winner, under all maps."""
    from matplotlib.patches import Patch

    votes = (
        data.select("verifier", "strategy", "place").unique(maintain_order=True).sort("verifier", "strategy")
    )
    handles = []
    for row in votes.iter_rows(named=True):
        label = look(row["verifier"], row["strategy"], [row["verifier"]]).label
        hatch = "////" if row["strategy"] == HATCHED else None
        handles.append(Patch(facecolor=_color(row), edgecolor="white", hatch=hatch, label=label))
    columns = 1 if figure.get_figwidth() < style.PAGE else 2
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def caption(data: pl.DataFrame) -> str:
    """What to see, and which strategies win how often, as reStructuredText."""
    found = []
    keys = data.select("dataset", "reasoner", "price").unique(maintain_order=True).rows()
    for dataset, reasoner, price in keys:
        panel = data.filter(dataset=dataset, reasoner=reasoner, price=price)
        ahead = [row for row in panel.iter_rows(named=True) if row["lead"] is not None and row["low"] > 0]
        names = [_named(row) for row in ahead]
        counts = sorted(((names.count(name), name) for name in set(names)), reverse=True)
        alone = sum(row["lead"] is None for row in panel.iter_rows(named=True))
        found.append((dataset, reasoner, price, panel.height, alone, counts))
    binning = data["binning"][0]
    return fill(__file__, ".rst", told=TOLD.get(binning, binning.replace("_", " ")), panels=found)


def _named(row: Mapping[str, Any]) -> str:
    if not row["verifier"]:
        return "majority voting" if row["strategy"] == "majority" else row["strategy"]
    return f"{NAMES.get(row['strategy'], row['strategy'])} with ``{row['verifier']}``"
