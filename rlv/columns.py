"""Tables of the commands: plain lines at their full width, or fitted to a terminal and coloured.

A line of a table is text like any other, so that a pipe, a file and a test get it whole; it also has its
cells, from which a terminal's table is laid out again (`fitted`): numbers stay whole, texts wrap. A colour
follows from a word (`Column.colours`), so it never says anything that the word does not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from itertools import groupby
from typing import TextIO

from rlv.escapes import escaped

GAP = "  "


@dataclass(frozen=True)
class Column:
    """A column of a table. `right`: numbers, which stay whole; `least`: the narrowest that it is as text.

    `whole`: its cells never wrap. `colours`: from a cell's text to the colour that a terminal may show it in.
    """

    heading: str = ""
    right: bool = False
    least: int = 0
    whole: bool = False
    colours: Mapping[str, str] = field(default_factory=dict)


class Row(str):
    """A line of a table: its plain text, and its cells with their columns."""

    columns: tuple[Column, ...]
    cells: tuple[str, ...]


def table(columns: Sequence[Column], cells: Iterable[Sequence[str]]) -> list[Row]:
    """The lines of a table; the first has the headings, if there are any."""
    known = tuple(columns)
    headings = [tuple(column.heading for column in known)]
    every = [*(headings if any(headings[0]) else []), *map(tuple, cells)]
    widths = [max([c.least, *(len(row[i]) for row in every)]) for i, c in enumerate(known)]
    return [_row(known, row, widths) for row in every]


def _row(columns: tuple[Column, ...], cells: tuple[str, ...], widths: Sequence[int]) -> Row:
    padded = (
        cell.rjust(width) if column.right else cell.ljust(width)
        for cell, column, width in zip(cells, columns, widths, strict=True)
    )
    row = Row(GAP.join(padded).rstrip())
    row.columns, row.cells = columns, cells
    return row


def colours_on(file: TextIO) -> bool:
    """Whether a file is a terminal that may get colours (https://no-color.org, TERM=dumb)."""
    return file.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") not in ("", "dumb")


def fitted(lines: Iterable[str], width: int, *, colour: bool) -> Iterator[str]:
    """Lines as a terminal of this width shows them, escaped: tables fitted to it, all others as they are."""
    for columns, group in groupby(lines, lambda line: line.columns if isinstance(line, Row) else None):
        alike = list(group)
        if columns is None:
            yield from map(escaped, alike)
        else:
            rows = [line.cells for line in alike if isinstance(line, Row)]
            yield from _fitted(columns, rows, width, colour)


def _fitted(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int, colour: bool
) -> Iterator[str]:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    laid = Table(box=None, show_header=False, pad_edge=False, padding=(0, len(GAP), 0, 0))
    for column in columns:
        whole = column.right or column.whole
        laid.add_column(
            justify="right" if column.right else "left",
            no_wrap=whole,
            overflow="fold",
            min_width=column.least or None,
        )
    for cells in rows:
        laid.add_row(
            *(Text(escaped(cell), c.colours.get(cell, "")) for cell, c in zip(cells, columns, strict=True))
        )
    drawn = StringIO()
    # Neither marks nor pictures by name: cells are text.
    console = Console(
        file=drawn,
        width=max(width, 1),
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    console.print(laid)
    yield from (line.rstrip() for line in drawn.getvalue().splitlines())
