"""The scoreboard as an HTML page for the report: a plain table, claim by claim, that loads nothing else."""

from __future__ import annotations

from html import escape
from typing import Any

import polars as pl

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem; color: #1a1a1a; background: #fff; }
table { border-collapse: collapse; width: 100%; max-width: 75rem; }
th, td { text-align: left; vertical-align: top; padding: 0.45rem 0.7rem; border-bottom: 1px solid #ddd; }
th { font-weight: 600; }
tbody th { padding-top: 1.3rem; border-bottom: 2px solid #999; }
.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
.detail { display: block; color: #555; font-size: 13px; margin-top: 0.2rem; }
.reproduced { color: #17643a; font-weight: 600; }
.not-reproduced { color: #a3231f; font-weight: 600; }
.undecided { color: #6b5900; font-weight: 600; }
"""
HEADS = ("Statement", "Number [95 % interval]", "Bar", "Paper", "Verdict")


def page(board: pl.DataFrame) -> str:
    """The claims table as a page, rows of one claim together under its name."""
    lines = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>Claims</title>',
        f"<style>{STYLE}</style></head><body>",
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
    number = "undefined" if row["ours"] is None else f"{row['ours']:.3g}"
    if row["low"] is not None and row["high"] is not None:
        number += f" [{row['low']:.3g}, {row['high']:.3g}]"
    kind = escape(row["verdict"].replace(" ", "-"))
    return (
        f"<tr><td>{escape(row['statement'])}"
        f'<span class="detail">{escape(row["detail"])}</span></td>'
        f'<td class="number">{number}</td><td class="number">{row["bar"]:g}</td>'
        f'<td>{escape(row["paper"])}</td><td class="{kind}">{escape(row["verdict"])}</td></tr>'
    )
