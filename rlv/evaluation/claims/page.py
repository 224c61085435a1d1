"""The scoreboard as an HTML page for the report: a plain table, claim by claim, that loads nothing else."""

from __future__ import annotations

from html import escape
from typing import Any

import polars as pl

from rlv.evaluation.claims.rows import bar, number

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem; color: #1a1a1a; background: #fff; }
table { border-collapse: collapse; width: 100%; max-width: 75rem; }
th, td { text-align: left; vertical-align: top; padding: 0.45rem 0.7rem; border-bottom: 1px solid #ddd; }
th { font-weight: 600; }
tbody th { padding-top: 1.3rem; border-bottom: 2px solid #999; }
.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
.detail { display: block; color: #555; font-size: 13px; margin-top: 0.2rem; }
.reproduced, .holds { color: #17643a; font-weight: 600; }
.not-reproduced, .does-not-hold { color: #a3231f; font-weight: 600; }
.undecided { color: #6b5900; font-weight: 600; }
"""
HEADS = ("Statement", "Number [95 % interval]", "Bar", "What the paper says", "Verdict")
WORDS = (
    "A verdict is about the whole 95 % interval. Against a bar that the paper's own claim sets a row is "
    "reproduced or not reproduced; against a bar that this project chose it holds or does not hold. It is "
    "undecided where the interval straddles or touches the bar."
)


def page(board: pl.DataFrame) -> str:
    """The claims table as a page, rows of one claim together under its name."""
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>Claims</title>',
        f"<style>{STYLE}</style></head><body>",
        f"<p>{escape(WORDS)}</p>",
        "<table><thead><tr>",
        *(f"<th>{escape(head)}</th>" for head in HEADS),
        "</tr></thead>",
    ]
    for part in board.partition_by("id", maintain_order=True):
        name = escape(part["id"][0].replace("_", " "))
        lines.append(f'<tbody><tr><th colspan="{len(HEADS)}">{name}</th></tr>')
        lines += [_line(row) for row in part.iter_rows(named=True)]
        lines.append("</tbody>")
    return "\n".join([*lines, "</table></body></html>", ""])


def _line(row: dict[str, Any]) -> str:
    kind = escape(row["verdict"].replace(" ", "-"))
    return (
        f"<tr><td>{escape(row['statement'])}"
        f'<span class="detail">{escape(row["detail"])}</span></td>'
        f'<td class="number">{number(row)}</td><td class="number">{bar(row)}</td>'
        f'<td>{escape(row["paper"])}</td><td class="{kind}">{escape(row["verdict"])}</td></tr>'
    )
