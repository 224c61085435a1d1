"""Tables of the commands: whole in a pipe, fitted to a terminal, coloured only where colours are wanted."""

from __future__ import annotations

import io
import re

import pytest

from rlv.columns import Column, colours_on, fitted, table
from rlv.commands.printing import say

COLUMNS = (
    Column("state", whole=True, colours={"done": "green"}),
    Column("n", right=True, least=4),
    Column("what"),
)
WORDS = "one two three four five six seven eight nine ten " * 3
ROWS = [("done", "12,345", WORDS), ("missing", "7", "#" * 70), ("done", "1", "")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_is_lines_of_its_full_width():
    lines = table(COLUMNS, ROWS)
    assert lines[0] == "state         n  what"
    assert lines[2] == f"missing       7  {'#' * 70}"
    assert all(line == line.rstrip() for line in lines)
    assert table((Column(), Column(right=True)), [("a", "1"), ("bb", "22")]) == ["a    1", "bb  22"]
    assert table(COLUMNS, []) == ["state     n  what"] and table((Column(),), []) == []


@pytest.mark.parametrize("width", [24, 40, 80, 500])
def test_on_a_terminal_it_fits_and_loses_nothing(width):
    lines = list(fitted(["before", *table(COLUMNS, ROWS), "after"], width, colour=False))
    assert (lines[0], lines[-1]) == ("before", "after")
    assert all(len(line) <= width for line in lines[1:-1])
    said = " ".join(lines[1:-1]).split()
    assert all(word in said for word in [*WORDS.split(), "12,345", "missing"])
    assert sum(line.count("#") for line in lines) == 70


def test_a_colour_says_nothing_that_the_word_does_not():
    plain, coloured = (list(fitted(table(COLUMNS, ROWS), 60, colour=c)) for c in (False, True))
    assert not any("\x1b" in line for line in plain)
    assert sum("\x1b[32m" in line for line in coloured) == 2
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in coloured] == plain


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "xterm", "NO_COLOR": "0"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(monkeypatch, environment, wanted):
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "60")
    terminal, file = Terminal(), io.StringIO()
    say(table(COLUMNS, ROWS), file=terminal)
    say(table(COLUMNS, ROWS), file=file)
    assert ("\x1b" in terminal.getvalue()) == wanted == colours_on(terminal)
    assert not colours_on(file) and file.getvalue().splitlines() == table(COLUMNS, ROWS)


@pytest.mark.parametrize("colour", [False, True])
def test_hostile_cells_stay_text(colour):
    hostile = "\x1b]0;title\x07\u202e\r\n[red]:smile:\x9b2J"
    lines = list(fitted(table((Column(), Column()), [("a", hostile)]), 80, colour=colour))
    assert len(lines) == 1 and lines[0].isprintable() and "[red]:smile:" in lines[0]
