"""Data sets as problems tables: every source's rows go through the same checks.

    local   a file of yours: JSON Lines (.jsonl, .json, .ndjson) or Parquet, one problem a row
    mini    the generated task (rlv/mini/task.py)

Field names of local files are mapped by `FIELDS`: the first name that a row has is taken. Left out on
purpose: downloads. A data set enters a study as a file and by its digest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from rlv import tables
from rlv.errors import DataError
from rlv.job import Job, Stage
from rlv.store import file_digest

# Column of the problems table -> names that files use for it, in order of preference.
FIELDS: dict[str, tuple[str, ...]] = {
    "problem_id": ("problem_id", "id", "unique_id"),
    "question": ("question", "problem"),
    "answer": ("answer",),
    "level": ("level",),
    "subject": ("subject",),
}
_JSON_LINES = (".jsonl", ".json", ".ndjson")
_LEVEL = re.compile(r"(?:Level\s*)?(\d+)", re.IGNORECASE)


def problems_table(rows: Iterable[Mapping[str, Any]], where: str | Callable[[int], str]) -> pl.DataFrame:
    """Rows with the keys of the problems table as that table, in order.

    A level may be an integer, "Level 3" or null ("Level ?" is null too). `where` names row i (from 0) in
    messages: a function, or a text that gets " row i+1" appended. Raises DataError for the first row
    without an id, question or answer, with an id seen before, or with a level that is none; and where there
    are no rows.
    """
    name = where if callable(where) else lambda i: f"{where} row {i + 1}"
    found: list[dict[str, Any]] = []
    first_seen: dict[str, int] = {}
    for i, row in enumerate(rows):
        problem = {key: _text(row.get(key), key, name(i)) for key in ("problem_id", "question", "answer")}
        identity = problem["problem_id"]
        if identity in first_seen:
            raise DataError(
                f"{name(i)}: duplicate id {identity!r}, first at {name(first_seen[identity])}; "
                "every problem needs an id of its own"
            )
        first_seen[identity] = i
        subject = row.get("subject")
        subject = None if subject is None else str(subject)
        found.append({**problem, "level": _level(row.get("level"), name(i)), "subject": subject})
    if not found:
        raise DataError(
            f"{where if isinstance(where, str) else where(0)}: no problems; at least one would do"
        )
    return tables.frame("problems", found)


def load_local(
    path: str | Path,
    *,
    fields: Mapping[str, str] | None = None,
    size: int | None = None,
    levels: Sequence[int] = (),
) -> pl.DataFrame:
    """The problems of a local file, the first `size` of them where given.

    `levels` keeps the problems of these levels only; all where empty. `fields` maps columns of the problems
    table to the file's own names, before `FIELDS`. Raises DataError, with the file and the line (JSON Lines;
    blank lines count) or row (Parquet, from 1), for rows that break the contract, files that cannot be read,
    and files with fewer than `size` problems.
    """
    path = Path(path)
    unknown = sorted(set(fields or {}) - FIELDS.keys())
    if unknown:
        raise DataError(
            f"{path}: fields maps {unknown}, which is no column of problems; known: {list(FIELDS)}"
        )
    places: list[int] = []
    unit = "row" if path.suffix == ".parquet" else "line"

    def mapped() -> Iterator[dict[str, Any]]:
        for place, row in _rows(path):
            if len(places) == size:
                return
            here = f"{path} {unit} {place}"
            problem = _map_fields(row, fields or {}, here)
            if levels and _level(problem["level"], here) not in levels:
                continue
            places.append(place)
            yield problem

    _check_readable(path)
    table = problems_table(mapped(), lambda i: f"{path} {unit} {places[i]}" if places else str(path))
    if size is not None and len(table) < size:
        raise DataError(f"{path}: {size} problems asked, found {len(table)}; a smaller size would do")
    return table


def levels_of(path: str | Path) -> list[int | None]:
    """The level of every problem of a local file, in its order; None where it has none."""
    path = Path(path)
    _check_readable(path)
    unit = "row" if path.suffix == ".parquet" else "line"
    names = FIELDS["level"]
    return [
        _level(next((row[n] for n in names if row.get(n) is not None), None), f"{path} {unit} {place}")
        for place, row in _rows(path)
    ]


def mini(*, form: str, reach: int, split: str, size: int, seed: int = 0) -> pl.DataFrame:
    """Problems of the generated task. Raises DataError where there is no such task, or fewer problems."""
    from rlv.mini import task

    return problems_table(task.problems(form, reach, split, size, seed), "mini task")


@dataclass(frozen=True)
class Source:
    """Where problems come from: a function, and the keys of a study's data set that are its arguments.

    A `path` enters the artifact's key by the file's content, all other keys by their values.
    """

    load: Callable[..., pl.DataFrame]
    keys: tuple[str, ...]


# Name in a study's `datasets.<name>.source` -> source.
SOURCES: dict[str, Source] = {
    "local": Source(load_local, ("path", "size", "levels")),
    "mini": Source(mini, ("form", "reach", "split", "size")),
}


def _text(value: Any, key: str, where: str) -> str:
    # Answers of GSM8K-like files may be JSON numbers; anything else is a mistake.
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: {key} is {_shown(value)}; a text that is not empty would do")
    return value if key == "question" else value.strip()


def _level(value: Any, where: str) -> int | None:
    if value is None or value in ("", "Level ?"):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _LEVEL.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise DataError(
            f"{where}: level is {_shown(value)}; an integer, a text like 'Level 3' or null would do"
        )
    return int(match[1])


def _map_fields(row: Mapping[str, Any], fields: Mapping[str, str], where: str) -> dict[str, Any]:
    mapped = {}
    for column, names in FIELDS.items():
        candidates = (fields[column],) if column in fields else names
        name = next((n for n in candidates if row.get(n) is not None), None)
        if name is None and column not in ("level", "subject"):
            raise DataError(
                f"{where}: no {column} (looked for {' or '.join(candidates)}, "
                f"found {', '.join(row) or 'nothing'})"
            )
        mapped[column] = None if name is None else row[name]
    return mapped


def _check_readable(path: Path) -> None:
    if path.suffix not in (*_JSON_LINES, ".parquet"):
        raise DataError(
            f"{path}: found {path.suffix or 'no suffix'}; {', '.join(_JSON_LINES)} or .parquet would do"
        )
    if not path.is_file():
        raise DataError(f"{path}: no such file")


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line or row number from 1, row) of every problem in the file."""
    if path.suffix == ".parquet":
        try:
            frame = pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise DataError(f"{path}: not a readable Parquet file ({error})") from error
        yield from enumerate(frame.iter_rows(named=True), start=1)
        return
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:  # bad JSON and bad UTF-8 alike
                raise DataError(
                    f"{path} line {number}: not JSON ({error}); one object a line would do"
                ) from error
            if not isinstance(row, dict):
                raise DataError(f"{path} line {number}: found {_shown(row)}; one object a line would do")
            yield number, row


def _shown(value: Any) -> str:
    shown = repr(value)
    return "missing" if value is None else shown if len(shown) <= 60 else f"{shown[:60]}…"


def _run(job: Job) -> dict[str, Any]:
    arguments = job.params
    source = SOURCES[arguments.pop("source")]
    if "path" in source.keys:
        path = Path(str(job.how["path"]))
        if file_digest(path) != arguments["sha256"]:
            raise DataError(f"{path}: changed while the study was running; run again")
        arguments["path"] = path
    table = source.load(**{key: arguments[key] for key in source.keys})
    job.write(table, "problems")
    job.log(f"{len(table)} problems")
    return {"problems": len(table)}


PROBLEMS = Stage(recipe=1, run=_run)
