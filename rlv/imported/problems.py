"""The problems of imported solutions: which solutions are of one problem, and its reference answer.

Solutions are of one problem if the file gives them one id; if it gives none, if their questions are equal;
if there are no questions either, if one row holds them. References come from the file, or from a file of
problems: a problem is found there by its text (rlv/problems/text.py), else by its id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from rlv import tables
from rlv.errors import DataError
from rlv.imported.fields import brief
from rlv.problems.files import file_rows
from rlv.problems.rows import FIELDS, by_fields, text_id
from rlv.problems.table import level_of
from rlv.problems.text import normalised

# In which an id is made of the text, as the ids of data sets without ids are.
_PREFIX = "imported"
_GIVE = "--problems FILE with them, --map answer=COLUMN or --correct COLUMN"
_NEEDED = ("problem_id", "question", "answer")
_OF_PROBLEM = ("question", "answer", "level", "subject")


def with_ids(
    frame: pl.DataFrame, several: bool, row: Callable[[pl.DataFrame], str], hint: str = ""
) -> tuple[pl.DataFrame, str]:
    """Solutions with a problem_id each, and what it was made of: "problem_id", "question" or "row".

    `several`: whether a row of the file held several solutions. `hint`: of what there is to name. Raises
    DataError, naming the row, for a solution without an id or question, if others have one, and if nothing
    tells which belong together.
    """
    if frame["problem_id"].null_count() < len(frame):
        _require(frame, "problem_id", row)
        return frame, "problem_id"
    if frame["question"].null_count() < len(frame):
        _require(frame, "question", row)
        texts = frame["question"].unique()
        ids = pl.Series([text_id(_PREFIX, text) for text in texts], dtype=pl.String)
        return frame.with_columns(
            pl.col("question").replace_strict(texts, ids).alias("problem_id")
        ), "question"
    if not several:
        raise DataError(
            f"{row(frame)}: nothing tells which solutions are of one problem; use --map problem_id=COLUMN or "
            f"--map question=COLUMN{hint}"
        )
    place = pl.struct("file", "row").rank("dense").cast(pl.String)
    return frame.with_columns(("row-" + place).alias("problem_id")), "row"


def _require(frame: pl.DataFrame, name: str, row: Callable[[pl.DataFrame], str]) -> None:
    without = frame.filter(pl.col(name).is_null() | (pl.col(name).str.strip_chars() == ""))
    if len(without):
        raise DataError(
            f"{row(without)}: no {name}; {len(without):,} of {len(frame):,} solutions have none. "
            f"Use --map {name}=COLUMN with a column that every row has"
        )


def problems_of(frame: pl.DataFrame, row: Callable[[pl.DataFrame], str]) -> pl.DataFrame:
    """The problems that solutions are of, one a row, by id; what the file does not say is null.

    Raises DataError, naming two rows, if a problem has two questions or two reference answers.
    """
    for name, hint in (
        ("question", "if ids are those of several data sets, import each by itself"),
        (
            "answer",
            "if it is what each solution states, use --map predicted=COLUMN, and another one for answer",
        ),
    ):
        known = frame.filter(pl.col(name).is_not_null())
        first = known.group_by("problem_id", maintain_order=True).agg(pl.col(name).first().alias("first"))
        other = known.join(first, "problem_id", maintain_order="left").filter(pl.col(name) != pl.col("first"))
        if len(other):
            before = known.filter(pl.col("problem_id") == other["problem_id"][0])
            raise DataError(
                f"{row(other)}: problem {brief(other['problem_id'][0])!r} has the {name} "
                f"{brief(other[name][0])!r}, but {brief(other['first'][0])!r} at {row(before)}; "
                f"expected one, {hint}"
            )
    found = frame.group_by("problem_id").agg(pl.col(_OF_PROBLEM).drop_nulls().first()).sort("problem_id")
    levels = [_level(level) for level in found["level"]]
    return found.with_columns(
        pl.Series("level", levels, dtype=pl.Int32), pl.col("answer").str.strip_chars().replace("", None)
    ).select(list(tables.SCHEMAS["problems"]))


def _level(value: Any) -> int | None:
    """A level; null if it is none, since a file of solutions is not about levels."""
    try:
        return level_of(int(value) if isinstance(value, str) and value.isdigit() else value, "")
    except DataError:
        return None


def with_references(
    problems: pl.DataFrame, path: Path, made_of: str, fields: Mapping[str, str] | None = None
) -> tuple[pl.DataFrame, Mapping[str, str], list[str]]:
    """Problems with what a file of problems says of them, and ids that change, old to new; with notes.

    A problem whose id is not of the samples' file (`made_of`) gets that of the file of problems. Where both
    files have an answer, that of the file of problems counts. `fields`: of that file, field -> column. Raises
    DataError for a file that cannot be read, a row without an answer, and an id that is there twice with two
    answers.
    """
    by_text, by_id = _indexed(path, fields)
    rows: list[dict[str, Any]] = []
    renamed: dict[str, str] = {}
    used: set[int] = set()
    counts: Counter[str] = Counter()
    for problem in problems.iter_rows(named=True):
        text = None if problem["question"] is None else normalised(problem["question"])
        found = by_text.get(text) if text is not None else None
        if found is None and made_of == "problem_id":
            found = by_id.get(problem["problem_id"])
            other = found["question"] if found else None
            counts["text"] += None not in (text, other) and text != normalised(str(other))
        if found is not None:
            used.add(id(found))
            counts["answer"] += problem["answer"] not in (None, found["answer"])
            said = {name: value for name, value in found.items() if value is not None}
            if made_of == "problem_id":
                said["problem_id"] = problem["problem_id"]
            problem = {**problem, **said}
        rows.append(problem)
    for before, after in zip(problems["problem_id"], rows, strict=True):
        renamed[before] = after["problem_id"]
    notes = [f"{len(used):,} of {len(problems):,} problems found in {path}"]
    if not used and made_of == "problem_id" and by_id:
        notes[0] += f" (its ids are such as {brief(min(by_id))!r}, here {brief(problems['problem_id'][0])!r})"
    if counts["text"]:
        notes.append(f"{counts['text']:,} problems have another text in {path}; found there by their id")
    if counts["answer"]:
        notes.append(f"{counts['answer']:,} problems have another answer in {path}; that one counts")
    unique = tables.frame("problems", rows).unique("problem_id", maintain_order=True, keep="first")
    return unique.sort("problem_id"), renamed, notes


_Index = dict[str, dict[str, Any]]


def _indexed(path: Path, fields: Mapping[str, str] | None) -> tuple[_Index, _Index]:
    """The problems of a file by normalised text and by id; a text with two answers is left out."""
    by_text: _Index = {}
    by_id: _Index = {}
    unclear = set()
    for where, found in _references(path, fields):
        identity, question = found["problem_id"], found["question"]
        if identity is not None and by_id.setdefault(identity, found)["answer"] != found["answer"]:
            raise DataError(f"{where}: duplicate id {identity!r}; every problem needs an id of its own")
        if question is not None:
            text = normalised(question)
            if by_text.setdefault(text, found)["answer"] != found["answer"]:
                unclear.add(text)
    return {text: found for text, found in by_text.items() if text not in unclear}, by_id


def _references(path: Path, fields: Mapping[str, str] | None) -> list[tuple[str, dict[str, Any]]]:
    unknown = [name for name in fields or () if name not in FIELDS]
    if unknown:
        raise DataError(f"--map-problems {unknown[0]}=…: expected one of {', '.join(FIELDS)}")
    found = []
    for where, row in file_rows(path):
        problem = by_fields(row, fields)
        if problem["answer"] is None or (problem["problem_id"] is None and problem["question"] is None):
            known = "; ".join(f"{name}: {' or '.join(FIELDS[name])}" for name in _NEEDED)
            raise DataError(
                f"{where}: found {', '.join(map(brief, row)) or 'nothing'}; a problem needs an answer, and a "
                f"question or an id. They are read from the columns {known}; others by --map-problems, "
                "such as --map-problems answer=gold"
            )
        texts = {name: None if (v := problem[name]) is None else str(v).strip() for name in problem}
        level = _level(problem["level"])
        found.append((where, {**texts, "question": problem["question"], "level": level}))
    return found


def require_references(problems: pl.DataFrame, solutions: pl.DataFrame, found: Sequence[str] = ()) -> None:
    """Raises DataError if solutions can neither be graded nor come graded; `found`: what files gave."""
    open_problems = problems.filter(pl.col("answer").is_null())["problem_id"]
    ungraded = solutions.filter(
        pl.col("problem_id").is_in(open_problems.implode()) & pl.col("correct").is_null()
    )
    if len(ungraded):
        first = ungraded["problem_id"].min()
        raise DataError(
            f"{ungraded['problem_id'].n_unique():,} of {len(problems):,} problems have no reference answer "
            f"(first: {brief(first)!r}), and {len(ungraded):,} of {len(solutions):,} of theirs do not "
            f"say whether they are right; {''.join(f'{one}; ' for one in found)}use {_GIVE}"
        )
