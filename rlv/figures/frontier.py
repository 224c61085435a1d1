"""The figure `frontier`: accuracy against what it costs, every strategy of every verifier on one axis.

Columns are prices of reading, whole and (if known) cached; rows are data sets and reasoners. Over the lines
of strategies lie curves of choices (rlv/evaluation/allocation): vote, verifier and N by the difficulty of the
problem, judged on other problems than they were made on, as the price of compute falls from left to right.
Costs are FLOPs; tokens, or else solutions, if these are not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.equal_cost import accuracy_at
from rlv.evaluation.templates import fill
from rlv.figures import style
from rlv.figures.accuracy_panels import AGAINST, in_order, percent_axis
from rlv.figures.votes import NAMES, look, votes_in

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = ["dataset", "reasoner", "price", "unit", "binning", "lambda", "strategy", "verifier", "n"]
VALUES = ["accuracy", "low", "high", "cost", "on_hull"]
# Curves of choices, in the order of the legend; other ways to tell difficulty look like predicted ones.
CHOICES = {
    "oracle": style.Look("Chosen by difficulty (pass@1)", style.INK, "", "-", 2.0),
    "predicted": style.Look("Chosen by mean score (charged)", style.INK, "", (0, (4, 1.5)), 1.2),
    "level": style.Look("Chosen by level", style.INK, "", (0, (3, 1.2, 1, 1.2)), 1.2),
    "none": style.Look("One choice for all problems", style.INK, "", (0, (1, 1)), 1.2),
}
PRICES = {"whole": "Read whole", "cached": "Read with the cache of sampling"}
AXES = {**AGAINST, "solutions": AGAINST["n"]}
# Around a cell that some price of compute chooses for all problems.
RING: dict[str, Any] = {"s": 42, "facecolors": "none", "edgecolors": style.INK, "linewidths": 0.8}
# Inches of all rows of panels together, at most.
ROWS = 7.0
# Solutions whose cost is the budget that captions quote.
QUOTED = 8


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: one row a cell, or a choice at a price of compute. Columns: COLUMNS and VALUES.

    `tables`: frontier. `params`: datasets. Shuffled bins, a control of claims, are left out, as is a second
    price that is the first. Raises DataError if there is nothing to draw.
    """
    found = tables["frontier"].filter(
        pl.col("dataset").is_in(params["datasets"]), pl.col("binning") != "shuffled"
    )
    if found.is_empty():
        raise DataError(f"figure {params['figure']}: no allocation of {', '.join(params['datasets'])}")
    order = {dataset: i for i, dataset in enumerate(params["datasets"])}
    in_rows = found.sort(pl.col("dataset").replace_strict(order), maintain_order=True)
    return in_rows.filter(pl.col("price").is_in(distinct_prices(found))).select(*COLUMNS, *VALUES)


def distinct_prices(cells: pl.DataFrame) -> list[str]:
    """The prices of a table `frontier`, without the cached one if it changes no cell's cost.

    So it is with scores that nobody knows the price of, or that nothing is read for.
    """
    there = [price for price in PRICES if price in in_order(cells, "price")]
    if len(there) < len(PRICES):
        return there
    key = ["dataset", "reasoner", "strategy", "verifier", "n"]
    whole, cached = (
        cells.filter(pl.col("binning") == "", pl.col("price") == price).select(*key, "unit", "cost")
        for price in PRICES
    )
    both = whole.join(cached, on=key, how="full", coalesce=True)
    ratio = pl.col("cost") / pl.col("cost_right")
    same = (pl.col("unit") == pl.col("unit_right")) & ((ratio - 1).abs() < 1e-9)
    return there[:1] if both.select(same.fill_null(value=False).all()).item() else there


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    prices = [price for price in PRICES if price in in_order(data, "price")]
    rows = data.select("dataset", "reasoner").unique(maintain_order=True).rows()
    verifiers = [v for v in in_order(data, "verifier") if v]
    with style.theme():
        import seaborn

        figure, axes_RC = style.panels(len(rows), len(prices), min(2.3, ROWS / len(rows)), sharey="row")
        for axes_C, (dataset, reasoner) in zip(axes_RC, rows, strict=True):
            for axes, price in zip(axes_C, prices, strict=True):
                _panel(axes, data.filter(dataset=dataset, reasoner=reasoner, price=price), verifiers)
            percent_axis(axes_C[0])
            axes_C[0].set_ylabel("Accuracy (%)")
        for axes, price in zip(axes_RC[-1], prices, strict=True):
            axes.set_xlabel(", ".join(AXES[unit] for unit in in_order(data.filter(price=price), "unit")))
        names = [f"{dataset}\n{reasoner.replace('_', ' ')}" for dataset, reasoner in rows]
        style.name_margins(axes_RC, [PRICES[price] for price in prices], names)
        votes = votes_in(data.filter(binning=""))
        looks = [look(*vote, verifiers) for vote in votes] + [_chosen(b) for b in _binnings(data)]
        style.legend_below(figure, looks, grow=True)
        seaborn.despine(figure)
    return figure


def _panel(axes: Axes, panel: pl.DataFrame, verifiers: list[str]) -> None:
    """Strategies as thin lines, cells of the hull ringed; the choice by difficulty on top with its band."""
    if panel.is_empty():
        axes.set_axis_off()
        return
    for verifier, strategy in votes_in(panel.filter(binning="")):
        rows = panel.filter(binning="", verifier=verifier, strategy=strategy).sort("n")
        style.banded(axes, rows, look(verifier, strategy, verifiers), x="cost", band=0.0, alpha=0.75)
    hull = panel.filter(pl.col("on_hull").fill_null(value=False)).unique(
        ["cost", "accuracy"], maintain_order=True
    )
    axes.scatter(hull["cost"], 100 * hull["accuracy"], **RING, zorder=4)
    for first, binning in enumerate(_binnings(panel)):
        rows = panel.filter(binning=binning).unique(["cost", "accuracy"], maintain_order=True).sort("cost")
        style.banded(axes, rows, _chosen(binning), x="cost", band=0.0 if first else 0.13, zorder=3)
    style.cost_axis(axes, panel["cost"].to_list())


def _binnings(rows: pl.DataFrame) -> list[str]:
    """The choices that are there, in the order of CHOICES, others behind them."""
    there = [binning for binning in in_order(rows, "binning") if binning]
    return [b for b in CHOICES if b in there] + [b for b in there if b not in CHOICES]


def _chosen(binning: str) -> style.Look:
    known = CHOICES.get(binning)
    return known or style.Look(f"Chosen by {binning.replace('_', ' ')}", style.INK, "", (0, (4, 1.5)), 0.9)


def caption(data: pl.DataFrame) -> str:
    """What to see, and what every way to answer reaches at one budget, as reStructuredText."""
    keys = data.select("dataset", "reasoner", "price").unique(maintain_order=True).rows()
    found = [
        (dataset, reasoner, price, *_at_budget(data.filter(dataset=dataset, reasoner=reasoner, price=price)))
        for dataset, reasoner, price in keys
    ]
    units = [AXES[unit] for unit in in_order(data, "unit")]
    binnings = _binnings(data)
    return fill(
        __file__, ".rst", units=units, panels=found, binnings=binnings, several=len({k[2] for k in keys})
    )


def _at_budget(panel: pl.DataFrame) -> tuple[int, list[tuple[str, str]]]:
    """N, and at what N solutions cost: majority voting, the best other strategy, and the choices."""
    cells = panel.filter(binning="")
    single = cells.filter(strategy=cells["strategy"][0], verifier=cells["verifier"][0])
    n = min(single["n"].to_list(), key=lambda n: abs(n - QUOTED))
    budget = single.filter(n=n)["cost"][0]
    reached = {
        vote: _reached(cells.filter(verifier=vote[0], strategy=vote[1]), budget) for vote in votes_in(cells)
    }
    known = {vote: accuracy for vote, accuracy in reached.items() if accuracy is not None}
    said = [("majority voting", known[vote]) for vote in known if vote == ("", "majority")]
    others = {vote: accuracy for vote, accuracy in known.items() if vote[0]}
    if others:
        verifier, strategy = max(others, key=lambda vote: others[vote])
        said.append((f"{NAMES.get(strategy, strategy)} with ``{verifier}``", others[verifier, strategy]))
    for binning in _binnings(panel):
        accuracy = _reached(panel.filter(binning=binning), budget)
        if accuracy is not None:
            said.append((_chosen(binning).label.lower(), accuracy))
    return int(n), [(name, f"{100 * accuracy:.1f} %") for name, accuracy in said]


def _reached(rows: pl.DataFrame, budget: float) -> float | None:
    """Accuracy of a line at a budget; None if it cannot be had for that."""
    costs = rows["cost"].to_numpy()
    if budget < costs.min() * (1 - 1e-9):
        return None
    return float(accuracy_at(np.log(budget), np.log(costs), rows["accuracy"].to_numpy()))
