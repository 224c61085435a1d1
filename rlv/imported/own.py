"""This project's own tables as solutions: a table of samples or solutions, and those of their scores.

A table is told by its columns (rlv/tables). Scores belong to a solution by problem, sample and budget; the
verifier is called as its file, or as the folder of a file called scores.parquet. Of solutions at several
budgets the largest is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from rlv.errors import DataError
from rlv.imported.files import ROW, Part, held

# The dialect, and what stands before a verifier's name in the column of its scores.
NAME, SCORE = "rlv", "score:"
_KEY = ("problem_id", "sample_id", "budget")
_OF_SOLUTIONS = (
    *("problem_id", "sample_id", "budget", "text", "answer", "correct"),
    *("n_tokens", "n_prompt_tokens", "finish_reason"),
)


@dataclass(frozen=True)
class OwnTables:
    """Solutions with their scores in columns `score:<verifier>`, as parts, and tables of problems."""

    solutions: list[Part]
    problems: list[Part]
    notes: list[str]


def kind_of_table(part: Part) -> str:
    """Which of the project's tables a part is: "problems", "solutions" (samples, too) or "scores"."""
    if "sample_id" not in part.schema:
        return "problems"
    if "text" in part.schema:
        return "solutions"
    if "score" in part.schema:
        return "scores"
    raise DataError(
        f"{part.path}: a table with problem_id, sample_id and budget, but neither text nor score; a table of "
        "samples, solutions, scores or problems would do"
    )


def joined(parts: Sequence[Part]) -> OwnTables:
    """The tables put together.

    Raises DataError if there are no solutions among them, or if a solution has two scores of one verifier.
    """
    of_kind: dict[str, list[Part]] = {"problems": [], "solutions": [], "scores": []}
    for part in parts:
        of_kind[kind_of_table(part)].append(part)
    if not of_kind["solutions"]:
        files = ", ".join(str(part.path) for part in parts)
        raise DataError(
            f"{files}: no solutions among these tables; their table of samples or solutions would do"
        )
    notes: list[str] = []
    frames = [
        part.read([name for name in _OF_SOLUTIONS if name in part.schema]) for part in of_kind["solutions"]
    ]
    largest = max(budget for frame in frames if isinstance(budget := frame["budget"].max(), int))
    dropped = sum(frame.filter(pl.col("budget") != largest).height for frame in frames)
    if dropped:
        notes.append(f"rlv: {dropped:,} solutions at budgets below {largest:,} left out; that one is read")
    scores = _scores(of_kind["scores"])
    solutions = []
    for part, frame in zip(of_kind["solutions"], frames, strict=True):
        frame = frame.filter(pl.col("budget") == largest)
        for table in scores.values():
            frame = frame.join(table, _KEY, "left", maintain_order="left")
        frame = frame.drop("budget").rename({"answer": "predicted"}, strict=False)
        if len(frame):
            solutions.append(held(part.path, "row", frame, part.notes))
    return OwnTables(solutions, of_kind["problems"], notes)


def _scores(parts: Sequence[Part]) -> dict[str, pl.DataFrame]:
    tables: dict[str, list[pl.DataFrame]] = {}
    for part in parts:
        name = part.path.parent.name if part.path.stem == "scores" else part.path.stem
        tables.setdefault(name, []).append(part.read([*_KEY, "score"]).drop(ROW))
    found = {}
    for name, frames in tables.items():
        table = pl.concat(frames).rename({"score": f"{SCORE}{name}"})
        twice = table.filter(table.select(_KEY).is_duplicated())
        if len(twice):
            raise DataError(
                f"scores of {name!r}: problem {twice['problem_id'][0]!r} sample {twice['sample_id'][0]} has "
                "two; tables of two verifiers need files of different names"
            )
        found[name] = table
    return found
