"""The figure `attacks`: which texts that are wrong by construction a verifier accepts.

Rows are verifiers, each with the reasoner whose solutions the attacks pretend to be; columns are attacks. Of
three tables, one above the other, the first has the share that is accepted at 1/2, the second that at the
threshold that 95 % of honest right solutions reach, the third the chance that best-of-N returns the attack.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.templates import fill
from rlv.figures import style
from rlv.figures.accuracy_panels import in_order

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = ["dataset", "reasoner", "verifier"]
# Wider cells than a column of a page has room for.
WIDE = 11
CELL = 0.3  # inches
UNDEFINED = ".93"


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: the rows of the table `attacks` on the figure's data sets, or on all.

    Raises DataError if there are none.
    """
    wanted = params["datasets"] or tables["attacks"]["dataset"].unique().to_list()
    found = tables["attacks"].filter(pl.col("dataset").is_in(wanted))
    if found.is_empty():
        raise DataError(
            f"figure {params['figure']}: no attacks on {', '.join(wanted)}; see `attacks.datasets`"
        )
    return found


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    attacks, rows = in_order(data, "attack"), data.select(ROW).unique(maintain_order=True).rows()
    n = data["captures_n"].max()
    panels = {
        "accepted": "Accepted at 1/2 (%)",
        "accepted_95": "Accepted, like 95 % of right ones (%)",
        "captures": f"Returned by the best of {n} (%)",
    }
    with style.theme():
        figure, axes_RC = style.panels(3, 1, CELL * len(rows) + 0.25)
        if len(attacks) > WIDE:
            figure.set_figwidth(style.PAGE)
        for axes, (column, title) in zip(axes_RC[:, 0], panels.items(), strict=True):
            draw_table(axes, _cells(data, column, rows, attacks))
            axes.set_title(title, loc="left")
            axes.set_yticks(range(len(rows)), [_name(row, data) for row in rows])
            axes.set_xticks(range(len(attacks)), [])
        names = [attack.removeprefix("key:").replace("_", " ") for attack in attacks]
        axes_RC[-1, 0].set_xticklabels(names, rotation=50, ha="right", rotation_mode="anchor")
    return figure


def _cells(data: pl.DataFrame, column: str, rows: list[tuple[Any, ...]], attacks: list[str]) -> np.ndarray:
    """Percentages [rows, attacks]; NaN where an attack could not be made."""
    found = {tuple(key): value for *key, value in data.select(*ROW, "attack", column).iter_rows()}
    cells = [[found.get((*row, attack)) for attack in attacks] for row in rows]
    return 100 * np.array(cells, dtype=np.float64)


def draw_table(axes: Axes, cells_RA: np.ndarray) -> None:
    """Percentages as coloured cells with their numbers; NaN is an empty one."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("accepted", ["white", style.VERMILION])
    colours = colours.with_extremes(bad=UNDEFINED)
    axes.imshow(np.ma.masked_invalid(cells_RA), cmap=colours, vmin=0, vmax=100, aspect="auto")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for (row, column), value in np.ndenumerate(cells_RA):
        if np.isfinite(value):
            ink = "white" if value > 75 else style.INK
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=ink, fontsize=style.SMALL)


def _name(row: tuple[str, ...], data: pl.DataFrame) -> str:
    """Verifier and reasoner of a row, and the data set if there are several."""
    dataset, reasoner, verifier = (name.replace("_", " ") for name in row)
    where = f", {dataset}" if data["dataset"].n_unique() > 1 else ""
    return f"{verifier}\non {reasoner}{where}"


def caption(data: pl.DataFrame) -> str:
    """What the cells are, and the worst attack on each verifier, as reStructuredText."""
    worst = data.filter(~pl.col("baseline")).sort("accepted", descending=True)
    tuned = data["threshold_from"].unique().sort().to_list()
    return fill(
        __file__,
        ".rst",
        worst=worst.unique(ROW, keep="first", maintain_order=True).sort(ROW).to_dicts(),
        thresholds=tuned,
        n=data["captures_n"].max(),
        problems=data["problems"].max(),
        keys=[a.removeprefix("key:") for a in in_order(data, "attack") if a.startswith("key:")],
        baseline=in_order(data.filter("baseline"), "attack"),
    )
