"""One row a solution, in the project's own types, from the rows of a file.

A file has one row a solution, or one row a problem with lists of what differs between its solutions. Which
it is, the column of the texts says, else that of the answers, else that of `correct`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from rlv.errors import DataError
from rlv.imported.columns import text_of
from rlv.imported.fields import OF_SOLUTIONS, Columns, brief, kind_in_words
from rlv.imported.files import ROW
from rlv.imported.scores import of_steps, step_scores

_YES = ("true", "1", "1.0", "yes")
_NO = ("false", "0", "0.0", "no")
# What formats write where a solution states no answer.
_NO_ANSWER = ("", "[invalid]")
_MOST = 2**31 - 1
_TYPES: Mapping[str, pl.DataType] = {
    **dict.fromkeys(("problem_id", "question", "answer", "level", "subject", "sample_id"), pl.String()),
    **{"text": pl.String(), "predicted": pl.String(), "correct": pl.Boolean()},
    **{
        "n_tokens": pl.Int32(),
        "n_prompt_tokens": pl.Int32(),
        "finish_reason": pl.String(),
        "step": pl.String(),
    },
}


@dataclass(frozen=True)
class Solutions:
    """The solutions of one file as a frame with the columns of `_TYPES`, ROW, and for each verifier
    `score:<name>` and `steps:<name>`, the scores of steps that it is made of (null: of none); `several`:
    whether its rows held several solutions each."""

    frame: pl.DataFrame
    several: bool
    notes: list[str]


def solutions_of(frame: pl.DataFrame, columns: Columns, row: Callable[[int], str]) -> Solutions:
    """The rows of a file as solutions. `frame`: its columns and ROW; `row` names a row in messages.

    Raises DataError, naming the row, for lists whose lengths differ and for values that are not of their
    field.
    """
    notes: list[str] = []
    fields = {name: column for name, column in columns.fields.items() if column in frame.columns}
    decides = next(fields[name] for name in ("text", "predicted", "correct") if name in fields)
    several = isinstance(frame.schema[decides], pl.List)
    picked = frame.select(
        *(pl.col(column).alias(name) for name, column in fields.items()),
        *(pl.col(score.column).alias(f"score:{score.name}") for score in columns.scores),
        ROW,
    )
    del frame
    words = {**fields, **{f"score:{score.name}": score.column for score in columns.scores}}
    if several:
        picked = _one_a_row(picked, next(n for n in fields if fields[n] == decides), words, row, notes)
    if picked.is_empty():
        nothing: dict[str, pl.DataType] = {}
        for score in columns.scores:
            nothing |= {f"score:{score.name}": pl.Float64(), f"steps:{score.name}": pl.List(pl.Float64())}
        return Solutions(pl.DataFrame(schema={ROW: pl.UInt32(), **_TYPES, **nothing}), several, notes)
    plain: list[pl.Series] = [picked[ROW]]
    for name, kind in _TYPES.items():
        if name in picked.columns:
            plain.append(_typed(picked, name, words[name], row))
        else:
            plain.append(pl.Series(name, [None], dtype=kind).new_from_index(0, len(picked)))
    for score in columns.scores:
        plain.append(step_scores(picked, f"score:{score.name}", score, row))
        plain.append(of_steps(picked, f"score:{score.name}").alias(f"steps:{score.name}"))
    return Solutions(pl.DataFrame(plain), several, notes)


def _one_a_row(
    frame: pl.DataFrame, decides: str, words: Mapping[str, str], row: Callable[[int], str], notes: list[str]
) -> pl.DataFrame:
    """Rows of several solutions, each with as many values in every list as it has solutions."""
    empty = frame.filter(pl.col(decides).list.len().fill_null(0) == 0)
    if len(empty):
        notes.append(f"{len(empty):,} rows hold no solution (first: {row(empty[ROW][0])}); left out")
        frame = frame.filter(pl.col(decides).list.len().fill_null(0) > 0)
    size = pl.col(decides).list.len()
    lists = []
    for name, kind in frame.schema.items():
        of_solutions = name in OF_SOLUTIONS or name.startswith("score:")
        if not of_solutions:
            continue
        if not isinstance(kind, pl.List):
            frame = _spread(frame, name, words[name], words[decides], size, row, notes)
        frame = frame.with_columns(
            pl.when(pl.col(name).is_null())
            .then(pl.lit(None, frame.schema[name].inner).repeat_by(size))  # pyright: ignore
            .otherwise(pl.col(name))
            .alias(name)
        )
        wrong = frame.filter(pl.col(name).list.len() != size)
        if len(wrong):
            first = wrong.head(1)
            raise DataError(
                f"{row(first[ROW][0])}: {words[decides]} holds {first[decides].list.len()[0]:,} solutions, "
                f"{words[name]} {first[name].list.len()[0]:,} values; one value a solution would do"
            )
        lists.append(name)
    return frame.explode(lists)


def _spread(
    frame: pl.DataFrame,
    name: str,
    column: str,
    decides: str,
    size: pl.Expr,
    row: Callable[[int], str],
    notes: list[str],
) -> pl.DataFrame:
    """One value for a row of several solutions, as a list: it is of a solution only if there is one."""
    many = frame.filter(size > 1, pl.col(name).is_not_null())
    if len(many) and name not in ("n_tokens", "finish_reason"):
        raise DataError(
            f"{row(many[ROW][0])}: {decides} is a list, {column} is one value ({brief(many[name][0])}); a "
            "list with one value a solution would do"
        )
    if len(many):
        notes.append(f"{column} is one value for all solutions of {len(many):,} rows; not read there")
    alone = pl.when(size == 1).then(pl.concat_list(pl.col(name)))
    return frame.with_columns(alone.alias(name))


def _typed(frame: pl.DataFrame, name: str, column: str, row: Callable[[int], str]) -> pl.Series:
    """A field's column in its own type."""
    frame = _single(frame, name, column, row)
    kind = _TYPES[name]
    if name == "correct":
        return _truth(frame, name, column, row)
    if kind == pl.Int32:
        return _count(frame, name, column, row)
    text = frame.select(text_of(pl.col(name), frame.schema[name]))[name]
    if name == "predicted":
        bare = text.str.strip_chars().str.to_lowercase()
        return text.to_frame().select(pl.when(~bare.is_in(_NO_ANSWER)).then(pl.col(name)))[name]
    return text


def _single(frame: pl.DataFrame, name: str, column: str, row: Callable[[int], str]) -> pl.DataFrame:
    """A column without lists: of a conversation the last message, of a list of one its value."""
    kind = frame.schema[name]
    if not isinstance(kind, pl.List):
        return frame
    if name == "question" and not isinstance(kind.inner, pl.List):
        return frame.with_columns(pl.col(name).list.last())
    many = frame.filter(pl.col(name).list.len() > 1)
    if len(many) or isinstance(kind.inner, pl.List):
        first = (many if len(many) else frame).head(1)
        raise DataError(
            f"{row(first[ROW][0])}: {column} is a {kind_in_words(kind)} ({brief(first[name].to_list()[0])}), "
            f"expected one value; use --map {name}=COLUMN with another one"
        )
    return frame.with_columns(pl.col(name).list.first())


def _truth(frame: pl.DataFrame, name: str, column: str, row: Callable[[int], str]) -> pl.Series:
    if frame.schema[name] == pl.Boolean:
        return frame[name]
    spelled = pl.col(name).cast(pl.String).str.strip_chars().str.to_lowercase()
    blank = pl.col(name).is_null() | spelled.is_in(["", "null", "none", "nan"])
    truth = pl.when(spelled.is_in(_YES)).then(True).when(spelled.is_in(_NO)).then(False)
    found = frame.select(ROW, name, truth.alias("\0truth"), blank.alias("\0blank"))
    wrong = found.filter(pl.col("\0truth").is_null() & ~pl.col("\0blank"))
    if len(wrong):
        raise DataError(
            f"{row(wrong[ROW][0])}: {column} is {brief(wrong[name][0])}, expected true or false (or 1 or 0); "
            f"{len(wrong):,} rows are so. Use --correct COLUMN with another one"
        )
    return found["\0truth"].alias(name)


def _count(frame: pl.DataFrame, name: str, column: str, row: Callable[[int], str]) -> pl.Series:
    """Numbers of tokens; negative ones, which some formats write for "not counted", are null."""
    text = pl.col(name).cast(pl.String).str.strip_chars()
    number = text.cast(pl.Float64, strict=False)
    found = frame.select(ROW, name, number.alias("\0number"), text.is_in(["", "NaN"]).alias("\0blank"))
    sound = pl.col("\0number").is_between(-_MOST, _MOST) & (pl.col("\0number") == pl.col("\0number").floor())
    wrong = found.filter(pl.col(name).is_not_null() & ~pl.col("\0blank") & ~sound.fill_null(False))
    if len(wrong):
        raise DataError(
            f"{row(wrong[ROW][0])}: {column} is {brief(wrong[name][0])}, expected a number of tokens up to "
            f"{_MOST:,}; use --map {name}=COLUMN with another one"
        )
    counted = pl.when(pl.col("\0number") >= 0).then(pl.col("\0number")).cast(pl.Int32, strict=False)
    return found.select(counted.alias(name))[name]
