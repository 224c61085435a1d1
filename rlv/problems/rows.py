"""From the rows of a data set to its problems: columns mapped, rows chosen, ids given if there are none.

A row passes in this order: its columns are mapped (a source may refuse it: "not of this data set"), its level
is looked at, then whether its id is left out (`without`), and only then is it checked; problems whose text
is in another data set of the study are left out (`exclude`); the first `size` that remain are the data set.

If the authors give no id, it is made of the problem's text: `gsm8k/` and 12 hex digits of the text's
SHA-256, with `-2`, `-3` … for a text that came before. So a problem keeps its id, and with it the seeds of
its samples, wherever it stands and whichever file it comes from.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from rlv.errors import DataError
from rlv.problems.files import file_rows
from rlv.problems.table import level_of, problems_table, require_characters
from rlv.problems.text import normalised

Row = Mapping[str, Any]
# A row as the authors write it -> columns of the problems table; None if it is not of the data set.
Columns = Callable[[Row], dict[str, Any] | None]

# Column of the problems table -> names that files use for it, in order of preference.
FIELDS: dict[str, tuple[str, ...]] = {
    "problem_id": ("problem_id", "id", "unique_id"),
    "question": ("question", "problem"),
    "answer": ("answer",),
    "level": ("level",),
    "subject": ("subject",),
}
_NEEDED = ("problem_id", "question", "answer")


@dataclass(frozen=True)
class Selection:
    """Which rows become problems: of these levels (all if empty), less some ids and texts, `size` at most.

    `excluded` are texts of other data sets, normalised.
    """

    levels: tuple[int, ...] = ()
    without: tuple[str, ...] = ()
    excluded: Collection[str] = ()
    size: int | None = None


def by_fields(row: Row, fields: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The columns of a row by name: the study's own `fields`, else the first of FIELDS that it has."""
    mapped = {}
    for column, names in FIELDS.items():
        candidates = (fields[column],) if fields and column in fields else names
        mapped[column] = next((row[n] for n in candidates if row.get(n) is not None), None)
    return mapped


def is_ready(row: Row) -> bool:
    """Whether a row has our columns by name already, as a file has that was made from a published set."""
    return all(any(row.get(n) is not None for n in FIELDS[column]) for column in _NEEDED)


def choose(
    rows: Iterable[tuple[str, Row]],
    columns: Columns,
    selection: Selection,
    *,
    id_prefix: str | None = None,
    fields: Mapping[str, str] | None = None,
    left_out: Counter[str] | None = None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, problem) of the rows that are chosen, in order; see the module's header.

    `rows` are (where, row). Without `id_prefix` a row without an id is refused. `left_out` counts by reason:
    "source", "levels", "without", "exclude". Raises DataError for an unreadable level, for a missing column
    (`fields` only words that message), and for ids in `without` that no row had.
    """
    left_out = Counter() if left_out is None else left_out
    seen: Counter[str] = Counter()
    unmet = set(selection.without)
    taken = 0
    for where, row in rows:
        if taken == selection.size:
            return
        problem = columns(row)
        if problem is None:
            left_out["source"] += 1
            continue
        question = problem["question"]
        if problem["problem_id"] is None and id_prefix is not None and isinstance(question, str):
            require_characters(question, "question", where)
            seen[question] += 1
            problem["problem_id"] = text_id(id_prefix, question, seen[question])
        if selection.levels and level_of(problem["level"], where) not in selection.levels:
            left_out["levels"] += 1
        elif str(problem["problem_id"]) in selection.without:
            unmet.discard(str(problem["problem_id"]))
            left_out["without"] += 1
        else:
            _check_columns(problem, row, where, fields or {})
            if selection.excluded and normalised(str(question)) in selection.excluded:
                left_out["exclude"] += 1
                continue
            taken += 1
            yield where, problem
    if unmet and not (selection.levels or taken == selection.size):
        raise DataError(
            f"without: no problem has the id {min(unmet)!r}; ids that are there, or none, would do"
        )


def text_id(prefix: str, question: str, occurrence: int = 1) -> str:
    """The id of a problem that has none in its source: made from its text."""
    digest = hashlib.sha256(question.encode()).hexdigest()[:12]
    return f"{prefix}/{digest}" if occurrence == 1 else f"{prefix}/{digest}-{occurrence}"


def table_of(chosen: Iterable[tuple[str, Row]], name: str, size: int | None) -> pl.DataFrame:
    """The chosen rows as a problems table. Raises DataError for bad rows, and for fewer than `size`."""
    places: list[str] = []

    def rows() -> Iterator[Row]:
        for where, problem in chosen:
            places.append(where)
            yield problem

    table = problems_table(rows(), lambda i: places[i] if places else name)
    if size is not None and len(table) < size:
        raise DataError(f"{name}: {size} problems asked, found {len(table)}; a smaller size would do")
    return table


def load_local(
    path: str | Path,
    *,
    fields: Mapping[str, str] | None = None,
    size: int | None = None,
    levels: Sequence[int] = (),
    without: Sequence[str] = (),
) -> pl.DataFrame:
    """The problems of a local file, the first `size` of them if given.

    `levels` keeps the problems of these levels only; all if empty. `fields` maps columns of the problems
    table to the file's own names, before `FIELDS`. Raises DataError, with the file and the line (JSON Lines;
    blank lines count) or row (Parquet, from 1), for rows that break the contract, files that cannot be read,
    and files with fewer than `size` problems.
    """
    unknown = sorted(set(fields or {}) - FIELDS.keys())
    if unknown:
        raise DataError(
            f"{path}: fields maps {unknown}, which is no column of problems; known: {list(FIELDS)}"
        )
    selection = Selection(tuple(levels), tuple(without), size=size)
    rows = choose(file_rows(Path(path)), lambda row: by_fields(row, fields), selection, fields=fields)
    return table_of(rows, str(path), size)


def levels_of(path: str | Path, columns: Columns = by_fields) -> list[int | None]:
    """The level of every problem of a file, in its order; None if it has none."""
    mapped = ((where, columns(row)) for where, row in file_rows(Path(path)))
    return [level_of(problem["level"], where) for where, problem in mapped if problem is not None]


def _check_columns(problem: Row, row: Row, where: str, fields: Mapping[str, str]) -> None:
    for column in _NEEDED:
        if problem[column] is None:
            candidates = (fields[column],) if column in fields else FIELDS[column]
            identity = problem["problem_id"]
            hint = "" if identity is None else f"; `without: [{identity}]` leaves the problem out"
            raise DataError(
                f"{where}: no {column} (looked for {' or '.join(candidates)}, "
                f"found {', '.join(row) or 'nothing'}){hint}"
            )
