"""Recorded solutions and scores, joined and checked, as arrays of one row a problem.

Answers are graded and grouped before (rlv/answers).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rlv.errors import DataError

KEY = ["problem_id", "sample_id", "budget"]


@dataclass(frozen=True)
class Recorded:
    """S solutions of each of P problems at one budget; problems and samples in the order of their ids.

    Tokens and FLOPs are NaN where nobody knows them.
    """

    budget: int
    problem_ids: list[str]
    classes_PS: NDArray[np.int64]  # dense within the problem; -1 casts no vote
    correct_PS: NDArray[np.bool_]
    tokens_PS: NDArray[np.int64] | NDArray[np.float64]  # generated
    flops_PS: NDArray[np.float64]  # of generating them
    scores_PS: NDArray[np.float64] | None = None
    read_PS: NDArray[np.int64] | NDArray[np.float64] | None = None  # tokens that the verifier read
    read_flops_PS: NDArray[np.float64] | None = None
    read_new_PS: NDArray[np.int64] | NDArray[np.float64] | None = None  # if sampling's cache is kept
    read_new_flops_PS: NDArray[np.float64] | None = None
    sample_ids_PS: NDArray[np.int64] | None = None


def join(solutions: pl.DataFrame, scores: pl.DataFrame, *, where: str) -> pl.DataFrame:
    """Solutions with scores and what they cost beside them, one to one on the KEY.

    The columns are those of a scores table, its `flops` as flops_read.

    Raises DataError naming the first row that is there twice, lacks its partner, or has a score outside
    [0, 1].
    """
    for name, table in (("solutions", solutions), ("scores", scores)):
        _refuse(table.filter(table.select(KEY).is_duplicated()), where, f"is there twice in the {name} table")
    unscored = solutions.join(scores, on=KEY, how="anti")
    _refuse(unscored, where, "has a solution but no score; score it again")
    unsolved = scores.join(solutions, on=KEY, how="anti")
    _refuse(unsolved, where, "has a score but no solution; these tables do not belong together")
    valid = pl.col("score").is_between(0.0, 1.0).fill_null(False)
    _refuse(scores.filter(~valid), where, "has a score outside [0, 1]", column="score")
    costs = ("n_tokens_read", pl.col("flops").alias("flops_read"), "n_tokens_new", "flops_new")
    beside = scores.select(*KEY, "score", *costs)
    return solutions.join(beside, on=KEY, how="left")


def recorded(solutions: pl.DataFrame, scores: pl.DataFrame | None, *, where: str) -> list[Recorded]:
    """One Recorded a budget, in ascending order.

    `where` names the tables in messages. Raises DataError for rows that do not join one to one, for a
    problem with another number of solutions than the rest, and for a correct solution without a class.
    """
    if scores is None:
        _refuse(
            solutions.filter(solutions.select(KEY).is_duplicated()), where, "is there twice in the solutions"
        )
        data = solutions
    else:
        data = join(solutions, scores, where=where)
    if data.is_empty():
        raise DataError(f"{where}: no solutions; at least one problem with one solution is needed")
    lost = data.filter(pl.col("correct") & pl.col("answer_class").is_null())
    _refuse(lost, where, "is correct but has no answer class; grade it again")
    # Ids of classes may be any integers; dense ones keep the tallies small.
    dense = pl.col("answer_class").rank("dense").over("problem_id", "budget").cast(pl.Int64) - 1
    data = data.with_columns(dense.fill_null(-1).alias("answer_class")).sort(
        "budget", "problem_id", "sample_id"
    )
    return [
        _arrays(part, int(budget), where) for (budget,), part in data.group_by("budget", maintain_order=True)
    ]  # pyright: ignore[reportArgumentType]


def _arrays(data: pl.DataFrame, budget: int, where: str) -> Recorded:
    sizes = data.group_by("problem_id", maintain_order=True).len()
    size = int(sizes["len"][0])
    odd = sizes.filter(pl.col("len") != size)
    if not odd.is_empty():
        name, found = odd.row(0)
        raise DataError(
            f"{where}: problem {name!r} has {found} solutions at budget {budget}, the first problem {size}; "
            "every problem needs the same number"
        )

    def table(column: str) -> NDArray:
        return data[column].to_numpy().reshape(len(sizes), size)

    def counts(column: str) -> NDArray:
        # Without nulls they are integers.
        return table(column).astype(np.float64 if data[column].null_count() else np.int64)

    scored = "score" in data.columns
    return Recorded(
        budget=budget,
        problem_ids=sizes["problem_id"].to_list(),
        classes_PS=table("answer_class").astype(np.int64),
        correct_PS=table("correct").astype(np.bool_),
        tokens_PS=counts("n_tokens"),
        flops_PS=table("flops").astype(np.float64),
        scores_PS=table("score").astype(np.float64) if scored else None,
        read_PS=counts("n_tokens_read") if scored else None,
        read_flops_PS=table("flops_read").astype(np.float64) if scored else None,
        read_new_PS=counts("n_tokens_new") if scored else None,
        read_new_flops_PS=table("flops_new").astype(np.float64) if scored else None,
        sample_ids_PS=table("sample_id").astype(np.int64),
    )


def _refuse(rows: pl.DataFrame, where: str, what: str, column: str | None = None) -> None:
    """DataError about the first of the offending rows, if there are any."""
    if rows.is_empty():
        return
    first = rows.sort(KEY).row(0, named=True)
    found = "" if column is None else f" ({first[column]})"
    raise DataError(
        f"{where}: problem {first['problem_id']!r}, sample {first['sample_id']}, budget {first['budget']} "
        f"{what}{found}; {len(rows)} such rows"
    )
