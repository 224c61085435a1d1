"""Scores of verifiers: those of steps as one of the solution, numbers from text, and scales.

Votes and metrics take a score as a chance of being right, so it has to lie in [0, 1]. A reward that does not
is brought there only if the user says how: `rank` (its mid-rank within the whole column, over their number)
keeps the order and nothing else; `sigmoid` takes it as log odds; `exp` as the logarithm of a probability.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from rlv.errors import DataError
from rlv.imported.fields import AGGREGATES, ScoreColumn, brief, kind_in_words
from rlv.imported.files import ROW

SCALES = ("rank", "sigmoid", "exp")
# What a probability in single precision may be beyond 0 and 1.
_ROUNDING = 1e-6


def step_scores(frame: pl.DataFrame, name: str, score: ScoreColumn, row: Callable[[int], str]) -> pl.Series:
    """A column of scores as fractions, one a solution; null for a solution without one.

    Without one are solutions whose score, or that of one of their steps, is null or no number (NaN), and
    those without steps. Raises DataError, naming the row, for text that is no number, and for steps if
    nothing says how they become one score.
    """
    kind = frame.schema[name]
    steps = isinstance(kind, pl.List)
    inner = kind.inner if isinstance(kind, pl.List) else kind
    if isinstance(inner, pl.List):
        raise DataError(
            f"{row(frame[ROW][0])}: {score.column} is a {kind_in_words(kind)} for one solution, expected a "
            "number, or a list with one a step"
        )
    if steps and score.aggregate is None:
        flags = " or ".join(f"--map score={score.column}:{how}" for how in AGGREGATES)
        raise DataError(
            f"{row(frame[ROW][0])}: {score.column} has a list of scores for one solution, one a step; "
            f"use {flags}"
        )
    element = pl.element() if steps else pl.col(name)
    number = element.cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)
    plain = element.cast(pl.Float64) if inner != pl.String else number
    if inner == pl.String:
        _refuse_words(frame, name, score.column, steps, row)
    if not steps:
        return frame.select(plain.fill_nan(None).alias(name))[name]
    lists = frame.select(pl.col(name).list.eval(plain.fill_nan(None)))
    whole = (pl.col(name).list.len() > 0) & ~pl.col(name).list.contains(None)
    return lists.select(pl.when(whole).then(_aggregated(name, score.aggregate)).alias(name))[name]


def of_steps(frame: pl.DataFrame, name: str) -> pl.Series:
    """The scores of steps in a column as lists of numbers, which `step_scores` has checked; else nulls."""
    if not isinstance(frame.schema[name], pl.List):
        return pl.Series(name, [None], dtype=pl.List(pl.Float64)).new_from_index(0, len(frame))
    number = pl.element().cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False).fill_nan(None)
    return frame.select(pl.col(name).list.eval(number)).to_series()


def _refuse_words(
    frame: pl.DataFrame, name: str, column: str, steps: bool, row: Callable[[int], str]
) -> None:
    found = frame.select(ROW, name).explode(name) if steps else frame.select(ROW, name)
    text = pl.col(name).str.strip_chars()
    blank = text.str.to_lowercase().is_in(["", "nan", "null", "none"])
    wrong = found.filter(text.is_not_null() & ~blank & text.cast(pl.Float64, strict=False).is_null())
    if len(wrong):
        raise DataError(
            f"{row(wrong[ROW][0])}: {column} is {brief(wrong[name][0])!r}, expected a number; "
            "use --map score=COLUMN with another one"
        )


def _aggregated(name: str, how: str | None) -> pl.Expr:
    scores = pl.col(name).list
    if how == "prod":
        return scores.agg(pl.element().product())
    return {"last": scores.last, "min": scores.min, "mean": scores.mean}[how or "last"]()


def scaled(
    frame: pl.DataFrame,
    score: ScoreColumn,
    scale: Mapping[str, str],
    row: Callable[[pl.DataFrame], str],
) -> pl.Series:
    """A verifier's scores in [0, 1]; `row` names the first row of a frame.

    Raises DataError, naming the column, its range and the flag, if they are not and no scale is said, for
    infinite ones, which only ranks have a place for, and if there are none at all.
    """
    name = f"score:{score.name}"
    how = scale.get(score.column, scale.get(score.name))
    column = frame[name]
    if column.null_count() == len(column):
        raise DataError(f"{score.column}: no solution has a score; use --map score=COLUMN with another one")
    if how == "rank":
        return (column.rank("average") / column.count()).alias(name)
    infinite = frame.filter(pl.col(name).is_infinite())
    if len(infinite):
        raise DataError(
            f"{row(infinite)}: {score.column} is {infinite[name][0]}, expected a finite number; use "
            f"--scale {score.column}=rank, which keeps the order only"
        )
    if how == "sigmoid":
        return frame.select((1 / (1 + (-pl.col(name)).exp())).alias(name))[name]
    if how == "exp":
        positive = frame.filter(pl.col(name) > _ROUNDING)
        if len(positive):
            raise DataError(
                f"{row(positive)}: {score.column} is {positive[name][0]:g}, expected the logarithm of a "
                f"probability, 0 at most; use --scale {score.column}=rank or {score.column}=sigmoid"
            )
        return frame.select(pl.col(name).clip(upper_bound=0).exp().alias(name))[name]
    outside = frame.filter(~pl.col(name).is_between(-_ROUNDING, 1 + _ROUNDING))
    if len(outside):
        low, high = column.min(), column.max()
        raise DataError(
            f"{row(outside)}: {score.column} is {outside[name][0]:g}, expected a score in [0, 1]; the column "
            f"runs from {low:g} to {high:g}. Use --scale {score.column}=rank (keeps the order), "
            f"{score.column}=sigmoid (takes it as log odds) or {score.column}=exp (as a log-probability)"
        )
    return column.clip(0, 1)


def check_scales(scale: Mapping[str, str], scores: tuple[ScoreColumn, ...]) -> None:
    """Raises DataError for a scale that there is not, and for one of a column that holds no scores."""
    known = {name for score in scores for name in (score.column, score.name)}
    for column, how in scale.items():
        if how not in SCALES:
            raise DataError(f"--scale {column}={how}: expected one of {', '.join(SCALES)}")
        if column not in known:
            there = ", ".join(score.column for score in scores) or "there are none"
            raise DataError(f"--scale {column}={how}: no such column of scores; columns of scores: {there}")
