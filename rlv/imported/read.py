"""Files of solutions as problems, solutions and scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from rlv.errors import DataError
from rlv.imported import own
from rlv.imported.dialects import Dialect, recognise
from rlv.imported.fields import Columns, brief, overridden, require, seen, suggestions
from rlv.imported.files import ROW, Part, open_part
from rlv.imported.problems import problems_of, require_references, with_ids, with_references
from rlv.imported.rows import solutions_of
from rlv.imported.scores import check_scales, scaled

# Bytes of a solution's text; a longer one is no solution that a grader should see.
LONGEST_TEXT = 1_000_000
# Of `Imported.solutions`.
SOLUTIONS: Mapping[str, pl.DataType] = {
    "problem_id": pl.String(),
    "sample_id": pl.Int32(),  # 0, 1, … within the problem, in the order of the files
    "text": pl.String(),  # null if the file has none, or one that is too long
    "answer": pl.String(),  # as the file states it; null: it states none
    "correct": pl.Boolean(),  # as the file states it; null: it does not
    "n_tokens": pl.Int32(),
    "n_prompt_tokens": pl.Int32(),
    "finish_reason": pl.String(),
}


@dataclass(frozen=True)
class Imported:
    """Solutions that somebody else sampled. Rows are sorted by problem, so the order of problems in the
    files does not matter; that of a problem's solutions does.

    `problems`: a problems table (rlv/tables) in which question and answer may be null; without an answer,
    every solution of the problem has `correct`. `solutions`: SOLUTIONS. `scores`: verifier -> problem_id,
    sample_id, score in [0, 1], steps (the scores of steps that it is made of, as the file has them; null: of
    none), for the solutions that have one. `dialect`: the format's name. `mapping`:
    field -> column, as `--map` would say it. `notes`: what was left out, changed or is uneven, counted, in
    words.
    """

    problems: pl.DataFrame
    solutions: pl.DataFrame
    scores: dict[str, pl.DataFrame]
    dialect: str
    mapping: dict[str, str]
    notes: list[str]


def read_samples(
    paths: Sequence[str | Path] | str | Path,
    *,
    problems: str | Path | None = None,
    problem_mapping: Mapping[str, str] | None = None,
    mapping: Mapping[str, str | Sequence[str]] | None = None,
    correct: str | None = None,
    dialect: str | None = None,
    scale: Mapping[str, str] | None = None,
) -> Imported:
    """The solutions of files of one format, as if they were one file.

    `problems`: a file of problems (JSON Lines or Parquet) with reference answers; `problem_mapping`: its
    field -> column, if the columns have other names than a data set's. `mapping`: field -> column
    (fields.py), before what the dialect says. `correct`: the column that says which solutions are right,
    which is trusted. `dialect`: a name of DIALECTS, if it is not recognised. `scale`: column of scores ->
    "rank", "sigmoid" or "exp", for those outside [0, 1].

    Raises DataError, naming file and row or column and the flag to use, for files that cannot be read,
    columns that cannot be told, values that are not of their field, and missing references.
    """
    files = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not files:
        raise DataError("no files of solutions; one at least would do")
    if len(set(files)) < len(files):
        twice = next(path for path in files if files.count(path) > 1)
        raise DataError(f"{twice}: named twice; its solutions would count twice")
    parts = [open_part(path) for path in files]
    notes = [note for part in parts for note in part.notes]
    record = _one_dialect(parts, dialect, mapped=bool(mapping))
    if record.name == own.NAME:
        together = own.joined(parts)
        notes += together.notes
        parts, problem_parts = together.solutions, together.problems
    else:
        problem_parts = []
    columns, frame, several = _solutions(parts, record, mapping, correct, notes)
    check_scales(scale or {}, columns.scores)
    names = [part.row for part in parts]

    def row(rows: pl.DataFrame) -> str:
        return names[rows["file"][0]](rows["row"][0])

    frame, made_of = with_ids(frame, several, row, _near(parts))
    table = problems_of(frame, row)
    references = [part.path for part in problem_parts] + ([] if problems is None else [Path(problems)])
    matched: list[str] = []
    for path in references:
        fields = problem_mapping if problems is not None and path == Path(problems) else None
        table, renamed, found = with_references(table, path, made_of, fields)
        frame = frame.with_columns(pl.col("problem_id").replace(renamed))
        matched += found
    notes += matched
    frame = _numbered(_without_duplicates(frame, notes), notes)
    _note_equals(frame, notes)
    solutions = frame.with_columns(pl.col("predicted").alias("answer")).select(
        pl.col(name).cast(kind) for name, kind in SOLUTIONS.items()
    )
    require_references(table, solutions, matched)
    scores = _scores(frame, columns, scale or {}, row, notes)
    _describe(frame, table, notes)
    return Imported(table, solutions, scores, record.name, columns.words(), notes)


def _near(parts: Sequence[Part]) -> str:
    """What a message adds about columns that may tell problems apart."""
    schema = parts[0].schema
    found = suggestions(schema)
    near = [f"--map {name}={found[name]}" for name in ("problem_id", "question") if name in found]
    return f"; {seen(schema)}" + (f"; the nearest is {near[0]}" if near else "")


def _one_dialect(parts: Sequence[Part], name: str | None, *, mapped: bool) -> Dialect:
    found = [recognise(part.schema, name, mapped=mapped) for part in parts]
    for part, one in zip(parts, found, strict=True):
        if one.name != found[0].name:
            raise DataError(
                f"{part.path}: looks like {one.name}, {parts[0].path} like {found[0].name}; read files of "
                "one format together, or name it: --dialect"
            )
    return found[0]


def _solutions(
    parts: Sequence[Part],
    record: Dialect,
    mapping: Mapping[str, str | Sequence[str]] | None,
    correct: str | None,
    notes: list[str],
) -> tuple[Columns, pl.DataFrame, bool]:
    """The mapping, the solutions of all files with `file` and `row`, and whether rows held several."""
    schema = {name: kind for part in reversed(parts) for name, kind in part.schema.items()}
    columns = overridden(record.columns(schema), mapping, correct, schema, record.aggregate)
    frames, several = [], True
    for number, part in enumerate(parts):
        require(columns, part.schema, str(part.path), _example(part))
        wanted = [name for name in (*columns.names(), *record.also) if name in part.schema]
        _refuse_mixed(part, columns)
        data, prepared = record.prepare(part.read(list(dict.fromkeys(wanted))))
        found = solutions_of(data, columns, part.row)
        notes += [*prepared, *found.notes]
        several = several and found.several
        frames.append(found.frame.rename({ROW: "row"}).with_columns(file=pl.lit(number, pl.Int32)))
    frame = pl.concat(frames)
    if frame.is_empty():
        raise DataError(f"{parts[0].path}: no solution in any row; rows with solutions would do")
    return columns, frame, several


def _refuse_mixed(part: Part, columns: Columns) -> None:
    """Raises DataError for a column that holds values in some rows and dictionaries in others."""
    for column in columns.names():
        inside = [name for name in part.schema if name.startswith((f"{column}.", f"{column}[]."))]
        if column not in part.schema or not inside:
            continue
        rows = part.read(inside).filter(pl.any_horizontal(pl.col(inside).is_not_null()))
        if len(rows):
            raise DataError(
                f"{part.row(rows[ROW][0])}: {column} holds {brief(inside[0].removeprefix(column))} and more, "
                f"plain values in other rows; use --map with {brief(inside[0])}, or save one kind of value"
            )


def _example(part: Part) -> str:
    """The first row of a file, shortened."""
    row: Mapping[str, Any] = part.read(list(part.schema)[:30]).head(1).drop(ROW).to_dicts()[0]
    return (
        "{" + ", ".join(f"{brief(name, 30)}: {brief(repr(value), 40)}" for name, value in row.items()) + "}"
    )


def _without_duplicates(frame: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """Solutions without those that the files have twice: the same problem, sample id and text."""
    key = ["problem_id", "sample_id", "text", "predicted"]
    first = frame.select(pl.struct(key).is_first_distinct()).to_series() | frame["sample_id"].is_null()
    if first.all():
        return frame
    notes.append(
        f"{(~first).sum():,} solutions are there twice (same problem, sample id and text); read once"
    )
    return frame.filter(first)


def _note_equals(frame: pl.DataFrame, notes: list[str]) -> None:
    """Solutions that no id tells from another: sampling repeats itself, and so does a file that was joined
    with itself; which it is only the user knows."""
    alike = [name for name in frame.columns if name not in ("file", "row", "sample_id", "step")]
    again = int((~frame.select(pl.struct(alike).is_first_distinct()).to_series()).sum())
    if again:
        notes.append(
            f"{again:,} of {len(frame):,} solutions equal an earlier one of their problem in all that is "
            "read; all count, as sampling repeats itself. If rows are there twice, take them out"
        )


def _numbered(frame: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """Solutions by problem, numbered within it, without texts that are too long."""
    long = pl.col("text").str.len_bytes() > LONGEST_TEXT
    count = frame.select(long.sum()).item()
    if count:
        notes.append(
            f"{count:,} texts of more than {LONGEST_TEXT:,} bytes left out; solutions without an answer"
        )
        frame = frame.with_columns(
            pl.when(~long.fill_null(False)).then("text").alias("text"),
            pl.when(~long.fill_null(False)).then("predicted").alias("predicted"),
            # Without an answer a solution is not right, if anything is said of it.
            pl.when(long & pl.col("correct").is_not_null()).then(False).otherwise("correct").alias("correct"),
        )
    frame = frame.sort("problem_id", maintain_order=True)
    return frame.with_columns(pl.int_range(pl.len(), dtype=pl.Int32).over("problem_id").alias("sample_id"))


def _scores(
    frame: pl.DataFrame,
    columns: Columns,
    scale: Mapping[str, str],
    row: Callable[[pl.DataFrame], str],
    notes: list[str],
) -> dict[str, pl.DataFrame]:
    scores = {}
    for score in columns.scores:
        values = scaled(frame, score, scale, row).alias("score")
        steps = frame[f"steps:{score.name}"].alias("steps")
        table = pl.DataFrame([frame["problem_id"], frame["sample_id"], values, steps])
        scores[score.name] = table.drop_nulls("score")
        if missing := values.null_count():
            notes.append(f"{missing:,} of {len(frame):,} solutions have no score in {score.column}")
        if table["score"].drop_nulls().is_in([0.0, 1.0]).all():
            notes.append(
                f"{score.column}: every score is 0 or 1; if it is made with the reference, it is no verifier"
            )
        if how := scale.get(score.column, scale.get(score.name)):
            notes.append(f"{score.column}: scores on the scale {how!r}")
        if score.aggregate is not None:
            notes.append(f"{score.column}: scores of steps become one by {score.aggregate!r}")
    return scores


def _describe(frame: pl.DataFrame, problems: pl.DataFrame, notes: list[str]) -> None:
    """What an evaluation should know of the solutions."""
    sizes = frame.group_by("problem_id").len()["len"]
    if sizes.n_unique() > 1:
        notes.append(
            f"problems have {sizes.min():,} to {sizes.max():,} solutions (median {sizes.median():g})"
        )
    if (steps := frame["step"].drop_nulls().n_unique()) > 1:
        notes.append(f"solutions of {steps:,} training steps are read as those of one reasoner")
    if 0 < (empty := frame["text"].null_count()) < len(frame):
        notes.append(f"{empty:,} of {len(frame):,} solutions have no text")
    if 0 < (ungraded := frame["correct"].null_count()) < len(frame):
        notes.append(f"{ungraded:,} of {len(frame):,} solutions do not say whether they are right")
    if without := problems["question"].null_count():
        notes.append(f"{without:,} of {len(problems):,} problems have no question")
