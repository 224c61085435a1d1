"""The scoreboard as an HTML page for the report (page.html.jinja): a plain table that loads nothing else."""

from __future__ import annotations

import polars as pl

from rlv.evaluation.claims.rows import bar, number
from rlv.evaluation.templates import fill


def page(board: pl.DataFrame) -> str:
    """The claims table as a page, rows of one claim together under its name; predictions if it has any."""
    claims = [(part["id"][0], part.to_dicts()) for part in board.partition_by("id", maintain_order=True)]
    predicted = board["predicted"].count() > 0
    return fill(__file__, ".html", claims=claims, number=number, bar=bar, predicted=predicted)
