"""The claims of a study by method and data set, each with a picture of its interval and its bar."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlv.evaluation.claims.rows import bar, number

# Units of the picture's width; margins leave room for what lies at an end.
WIDTH, MARGIN = 220.0, 8.0


@dataclass(frozen=True)
class Picture:
    """Places on the picture of a claim, from 0 to WIDTH; None: undefined. `open_end`: unbounded above."""

    low: float | None
    value: float | None
    high: float | None
    bar: float
    open_end: bool
    label: str


@dataclass(frozen=True)
class Row:
    """A claim as the page has it: its text, and its picture."""

    name: str
    statement: str
    number: str
    bar: str
    paper: str
    verdict: str
    predicted: str
    detail: str
    picture: Picture


@dataclass(frozen=True)
class Group:
    """The claims about one method on one data set; "" if they are about no one."""

    method: str
    dataset: str
    rows: tuple[Row, ...]


def groups(
    rows: Sequence[Mapping[str, Any]],
    methods: Sequence[str],
    datasets: Sequence[str],
) -> list[Group]:
    """Rows of the claims table by method and data set, methods first; all rows of a claim share their scale.

    `methods`, `datasets`: in their order. Rows about none of them, and those of a scoreboard that is too old
    to say, come last. Raises KeyError or TypeError if a row is none.
    """
    scales = {name: _scale([row for row in rows if row["id"] == name]) for name in {r["id"] for r in rows}}
    found: dict[tuple[str, str], list[Row]] = {(m, d): [] for m in (*methods, "") for d in (*datasets, "")}
    for row in rows:
        about = (row.get("method") or "", row.get("dataset") or "")
        found[about if about in found else ("", "")].append(_row(row, scales[row["id"]]))
    return [Group(method, dataset, tuple(part)) for (method, dataset), part in found.items() if part]


def verdicts(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many rows have each verdict, the most frequent first."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["verdict"]] = counts.get(row["verdict"], 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _scale(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """The least and the largest number that the picture of any of these rows has to show."""
    numbers = [row[key] for row in rows for key in ("low", "ours", "high", "bar") if row[key] is not None]
    low, high = min(numbers), max(numbers)
    return (low, high) if high > low else (low - 1.0, high + 1.0)


def _row(row: Mapping[str, Any], scale: tuple[float, float]) -> Row:
    return Row(
        row["id"],
        row["statement"],
        number(row),
        bar(row),
        row["paper"],
        row["verdict"],
        row.get("predicted") or "",
        row["detail"],
        _picture(row, scale),
    )


def _picture(row: Mapping[str, Any], scale: tuple[float, float]) -> Picture:
    least, largest = scale

    def place(value: float | None) -> float | None:
        if value is None:
            return None
        return round(MARGIN + (WIDTH - 2 * MARGIN) * (value - least) / (largest - least), 1)

    open_end = row["low"] is not None and row["high"] is None
    at_bar = place(row["bar"])
    assert at_bar is not None
    return Picture(
        place(row["low"]),
        place(row["ours"]),
        WIDTH - 1 if open_end else place(row["high"]),
        at_bar,
        open_end,
        f"{number(row)}; bar {bar(row)}",
    )
