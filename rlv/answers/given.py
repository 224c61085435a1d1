"""Solutions that others sampled: answers and verdicts that their files state come before our own.

A solution without an answer casts no vote: that is what votes and their ties are defined with. If files state
which solutions are right, and some that are right have no answer that can be told (proofs, programs, a file
of verdicts only), answers are not what tells solutions apart. Then every solution without one, right or
wrong, is a class of its own: left out, wrong ones would flatter every vote.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlv.answers.extract import extract_answer
from rlv.errors import DataError

if TYPE_CHECKING:
    import polars as pl

_KEY = ["problem_id", "sample_id"]


def answers_of(samples: pl.DataFrame, given: pl.DataFrame | None, answer_format: str) -> list[str | None]:
    """The answer of each sample: as `given` states it, else read from its text, unless that was cut off.

    A file that states answers states all of them: a solution without one has none. Raises DataError for an
    unknown format.
    """
    if given is not None:
        stated = samples.select(_KEY).join(given, _KEY, "left", maintain_order="left")["answer"]
        if stated.null_count() < len(stated):
            return stated.to_list()
    # A solution that was cut off has no answer, as in training: its last number may be half of one. One whose
    # answer was forced has been allowed to end it.
    return [
        None if text is None or reason == "length" else extract_answer(text, answer_format)
        for text, reason in samples.select("text", "finish_reason").iter_rows()
    ]


def require_references(samples: pl.DataFrame, problems: pl.DataFrame, given: pl.DataFrame | None) -> None:
    """Raises DataError, naming the first, if a problem without a reference has a solution to be judged."""
    import polars as pl

    unknown = problems.filter(pl.col("answer").is_null())
    if unknown.is_empty():
        return
    judged = samples.select(_KEY).join(unknown, "problem_id", "semi")
    if given is not None:
        judged = judged.join(given.filter(pl.col("correct").is_not_null()), _KEY, "anti")
    if len(judged):
        raise DataError(
            f"problems table: {judged['problem_id'].n_unique()} problems have no reference answer and "
            f"solutions that nobody has judged (first: {judged['problem_id'].min()!r}); give them one, or "
            "verdicts"
        )


def with_verdicts(solutions: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    """A solutions table with the verdicts that `given` states; see above for solutions without an answer."""
    import polars as pl

    found = solutions.join(given.select(*_KEY, stated="correct"), _KEY, "left", maintain_order="left")
    found = found.with_columns(pl.coalesce("stated", "correct").alias("correct")).drop("stated")
    silent = pl.col("answer_class").is_null()
    if not found.select((silent & pl.col("correct")).any()).item():
        return found
    last = pl.col("answer_class").max().over("problem_id").fill_null(-1)
    own = last + silent.cum_sum().over("problem_id")
    return found.with_columns(
        pl.when(silent).then(own).otherwise("answer_class").cast(pl.Int32).alias("answer_class")
    )
