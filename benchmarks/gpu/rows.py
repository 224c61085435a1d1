"""One measured number beside its peer, its bar and whether it passed; and a table of them.

The parts measure, __main__.py collects.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Row:
    """`value` in `unit` (empty for a plain number) of `what`, compared with `beside`.

    `bar` is what the value must be, in words; `passed` is None for a number that is reported only. A row
    without a value has in `bar` the reason. `at_size`: speed or memory, which tiny sizes do not show.
    """

    part: str
    what: str
    value: float | None
    unit: str
    beside: str
    bar: str
    passed: bool | None
    at_size: bool = False


def at_most(
    part: str, what: str, value: float, bound: float, beside: str, unit: str = "", *, at_size: bool = False
) -> Row:
    """Passes up to the bound, the bound included; NaN never does."""
    return Row(part, what, value, unit, beside, f"at most {bound:.3g}", value <= bound, at_size)


def at_least(
    part: str, what: str, value: float, bound: float, beside: str, unit: str = "", *, at_size: bool = False
) -> Row:
    """Passes from the bound on, the bound included; NaN never does."""
    return Row(part, what, value, unit, beside, f"at least {bound:.3g}", value >= bound, at_size)


def within(part: str, what: str, value: float, share: float, beside: str) -> Row:
    """A ratio that passes within `share` of 1, on both sides; at real sizes only."""
    bar = f"{1 - share:.2f} to {1 + share:.2f}"
    return Row(part, what, value, "x", beside, bar, abs(value - 1) <= share, at_size=True)


def noted(part: str, what: str, value: float, unit: str, beside: str = "") -> Row:
    """Reported, with nothing that it must be."""
    return Row(part, what, value, unit, beside, "", None)


def failed(part: str, what: str, why: str) -> Row:
    """A row of a number that could not be measured: the reason, in one line."""
    return Row(part, what, None, "", "", " ".join(why.split()), False)


def skipped(part: str, what: str, why: str) -> Row:
    """Was not run, because something that it needs is not here."""
    return Row(part, what, None, "", "", " ".join(why.split()), None)


def unjudged(row: Row) -> Row:
    """The same number, reported only, if tiny sizes do not show it."""
    return replace(row, bar="", passed=None) if row.at_size and row.value is not None else row


def passed(rows: Sequence[Row]) -> bool:
    """Whether there are rows, all of them have a value, and none failed."""
    return bool(rows) and all(row.passed is not False and row.value is not None for row in rows)


def table(rows: Sequence[Row]) -> str:
    """As GitHub's Markdown, columns aligned; a row without a value has its reason in the last column."""
    head = ("", "measured", "value", "compared with", "must be", "")
    cells = [(row.part, row.what, _number(row), row.beside, row.bar, _verdict(row)) for row in rows]
    widths = [max(len(line[i]) for line in (head, *cells)) for i in range(len(head))]
    # A long reason does not make the other rows longer.
    widths[4] = max(len(line[4]) for line in (head, *cells) if len(line[4]) <= 40)

    def line(words: Sequence[str]) -> str:
        return "| " + " | ".join(word.ljust(width) for word, width in zip(words, widths, strict=True)) + " |"

    return "\n".join(
        [line(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, cells)]
    )


def _number(row: Row) -> str:
    if row.value is None:
        return "-"
    value = row.value
    if not math.isfinite(value):
        words = str(value)
    elif value == int(value) or abs(value) >= 1000:
        words = f"{value:,.0f}"
    elif 0 < abs(value) < 0.01:
        words = f"{value:.1e}"
    else:
        words = f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"
    return f"{words} {row.unit}".rstrip()


def _verdict(row: Row) -> str:
    if row.value is None:
        return "failed" if row.passed is False else "not run"
    return {True: "passed", False: "FAILED", None: ""}[row.passed]
