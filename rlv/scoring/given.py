"""Scores that came with the solutions of others: one column of their files as a scores table."""

from __future__ import annotations

import polars as pl

from rlv import tables
from rlv.errors import DataError

_KEY = ["problem_id", "sample_id"]


def given_scores(
    samples: pl.DataFrame, given: pl.DataFrame, verifier: str, *, free: bool = False
) -> pl.DataFrame:
    """The "scores" table of a "samples" table, row for row, with what `given` has of a verifier.

    Nobody knows what a given score has cost. It is charged as reading its solution whole, prompt included, in
    the tokens of the samples; null if these are not known; all of them new. `free`: sampling knew it already,
    so nothing was read for it. Raises DataError, naming the first solution, if one has no score, or if there
    is no such verifier.
    """
    mine = given.filter(pl.col("verifier") == verifier)
    if mine.is_empty():
        there = ", ".join(given["verifier"].unique().sort()) or "there are none"
        raise DataError(f"scores: the files have none of {verifier!r}; columns of scores: {there}")
    found = samples.join(mine.select(*_KEY, "score"), _KEY, "left", maintain_order="left")
    without = found.filter(pl.col("score").is_null())
    if len(without):
        problem, sample = without.select(_KEY).row(0)
        raise DataError(
            f"scores: {verifier!r} has none for {len(without):,} of {len(found):,} solutions (first: problem "
            f"{problem!r}, sample {sample}); give them one, or leave these solutions or this column out"
        )
    read = pl.lit(0) if free else pl.col("n_tokens") + pl.col("n_prompt_tokens").fill_null(0)
    flops = pl.lit(0.0 if free else None, pl.Float64)
    read = read.cast(pl.Int32)
    costs = {"n_tokens_read": read, "flops": flops, "n_tokens_new": read, "flops_new": flops}
    return found.with_columns(**costs).select(list(tables.SCHEMAS["scores"]))
