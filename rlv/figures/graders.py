"""The figure `graders`: verdicts of models beside those of the rules, and which attacks they call right.

Above, a row for each grader and each verdict of the rules, a column for each verdict of the grader. Below, a
row for each grader, a column for each attack: the share that is called right.
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
from rlv.figures.attacks import CELL, WIDE, draw_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMED = ["dataset", "reasoner", "grader"]
ATTACKED = "attacks"


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: a cell a row, with its share and its interval.

    Columns: dataset, reasoner, grader; rule ("right", "wrong", or "attacks"), column (a verdict, or an
    attack), share, share_low, share_high, baseline. Raises DataError if there are none.
    """
    wanted = params["datasets"] or tables["confusion"]["dataset"].unique().to_list()
    shares = ["share", "share_low", "share_high"]
    said = tables["confusion"].with_columns(pl.col("verdict").alias("column"), baseline=False)
    names = {"accepted": "share", "accepted_low": "share_low", "accepted_high": "share_high"}
    attacked = (
        tables["grader_attacks"].rename(names | {"attack": "column"}).with_columns(rule=pl.lit(ATTACKED))
    )
    columns = [*NAMED, "rule", "column", *shares, "baseline"]
    found = pl.concat([said.select(columns), attacked.select(columns)])
    found = found.filter(pl.col("dataset").is_in(wanted))
    if found.is_empty():
        raise DataError(f"figure {params['figure']}: no grader has graded {', '.join(wanted)}; see `graders`")
    return found


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    said, attacked = data.filter(pl.col("rule") != ATTACKED), data.filter(pl.col("rule") == ATTACKED)
    panels = [
        (said, [*NAMED, "rule"], "Verdicts of the model (%)"),
        (attacked, [*NAMED, "rule"], "Wrong by construction, called right (%)"),
    ]
    with style.theme():
        lines = [rows.select(key).unique(maintain_order=True).rows() for rows, key, _ in panels]
        figure, axes_RC = style.panels(2, 1, CELL * max(map(len, lines)) + 0.6)
        if attacked["column"].n_unique() > WIDE:
            figure.set_figwidth(style.PAGE)
        for axes, (rows, key, title), names in zip(axes_RC[:, 0], panels, lines, strict=True):
            columns = in_order(rows, "column")
            cells = {tuple(row): share for *row, share in rows.select(*key, "column", "share").iter_rows()}
            shares = [[cells.get((*name, column)) for column in columns] for name in names]
            draw_table(axes, 100 * np.array(shares, dtype=np.float64).reshape(len(names), len(columns)))
            axes.set_title(title, loc="left")
            axes.set_yticks(range(len(names)), [_name(name, data) for name in names])
            shown = [column.removeprefix("key:").replace("_", " ") for column in columns]
            axes.set_xticks(range(len(columns)), shown, rotation=50, ha="right", rotation_mode="anchor")
    return figure


def _name(row: tuple[str, ...], data: pl.DataFrame) -> str:
    """Grader and reasoner of a row, the data set if there are several, and the verdict of the rules."""
    dataset, reasoner, grader, rule = (name.replace("_", " ") for name in row)
    where = f", {dataset}" if data["dataset"].n_unique() > 1 else ""
    who = f"{grader} on {reasoner}{where}"
    return who if rule == ATTACKED else f"{who}\nrules: {rule}"


def caption(data: pl.DataFrame) -> str:
    """What the cells are, and what came out for each grader, as reStructuredText."""
    found = []
    for names in data.select(NAMED).unique(maintain_order=True).rows():
        mine = data.filter(*[pl.col(column) == value for column, value in zip(NAMED, names, strict=True)])
        cells = {(row["rule"], row["column"]): row for row in mine.iter_rows(named=True)}
        tried = mine.filter(pl.col("rule") == ATTACKED, ~pl.col("baseline")).sort("share", descending=True)
        worst = tried.row(0, named=True) if len(tried) else None
        found.append((names, cells["right", "right"], cells["wrong", "right"], worst))
    return fill(__file__, ".rst", graders=found)
