"""The checks that every row goes through on its way into a problems table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import polars as pl

from rlv import tables
from rlv.errors import DataError

# What the table's column holds.
_HIGHEST = 2**31 - 1
_LEVEL = re.compile(r"(?:Level\s*)?(\d{1,10})", re.IGNORECASE)


def problems_table(rows: Iterable[Mapping[str, Any]], where: str | Callable[[int], str]) -> pl.DataFrame:
    """Rows with the keys of the problems table as that table, in order.

    A level may be an integer, "Level 3" or null ("Level ?" is null too). `where` names row i (from 0) in
    messages: a function, or a text that gets " row i+1" appended. Raises DataError for the first row
    without an id, question or answer, with an id seen before, or with a level that cannot be read; and if
    there are no rows.
    """
    name = where if callable(where) else lambda i: f"{where} row {i + 1}"
    found: list[dict[str, Any]] = []
    first_seen: dict[str, int] = {}
    for i, row in enumerate(rows):
        problem = {key: _text(row.get(key), key, name(i)) for key in ("problem_id", "question")}
        identity = problem["problem_id"]
        # The id is what leaves such a row out (`without`).
        problem["answer"] = _text(row.get("answer"), "answer", name(i), of=f" in problem {identity!r}")
        if identity in first_seen:
            raise DataError(
                f"{name(i)}: duplicate id {identity!r}, first at {name(first_seen[identity])}; "
                "every problem needs an id of its own"
            )
        first_seen[identity] = i
        subject = row.get("subject")
        subject = None if subject is None else str(subject)
        require_characters(subject or "", "subject", name(i))
        found.append({**problem, "level": level_of(row.get("level"), name(i)), "subject": subject})
    if not found:
        raise DataError(
            f"{where if isinstance(where, str) else where(0)}: no problems; at least one would do"
        )
    return tables.frame("problems", found)


def level_of(value: Any, where: str) -> int | None:
    """A level as files give it, as an integer; None if there is none. Raises DataError naming `where`."""
    if value is None or value in ("", "Level ?"):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _HIGHEST:
        return value
    match = _LEVEL.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or int(match[1]) > _HIGHEST:
        raise DataError(
            f"{where}: level is {shown(value)}; an integer, a text like 'Level 3' or null would do"
        )
    return int(match[1])


def shown(value: Any) -> str:
    """A value as messages show it, cut if it is long."""
    text = repr(value)
    return "missing" if value is None else text if len(text) <= 60 else f"{text[:60]}…"


def _text(value: Any, key: str, where: str, of: str = "") -> str:
    # Answers of GSM8K-like files may be JSON numbers; anything else is a mistake.
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: {key} is {shown(value)}{of}; a text that is not empty would do")
    require_characters(value, key, where)
    return value if key == "question" else value.strip()


def require_characters(text: str, key: str, where: str) -> None:
    """Raises DataError, naming `where`, for half of a surrogate pair, which no UTF-8 has."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(text[error.start]):04x}"
        raise DataError(
            f"{where}: {key} has {half} at character {error.start + 1}, half of a surrogate pair; the whole "
            "character, or none, would do"
        ) from None
