"""Scores of steps that came with the solutions of others, as a trace: any aggregation can be made of it."""

from __future__ import annotations

import polars as pl

from rlv import tables
from rlv.errors import DataError
from rlv.scoring.given import given_scores

_KEY = ["problem_id", "sample_id"]


def given_traces(
    samples: pl.DataFrame, given: pl.DataFrame, verifier: str, *, free: bool = False
) -> pl.DataFrame:
    """The "traces" table of a "samples" table, row for row, with the step scores that `given` has.

    Which tokens a step ends with nobody knows: `places` are null. Costs, and what is raised, are those of
    `given_scores` (given.py); DataError also if a solution has a score, and none of its steps.
    """
    scores = given_scores(samples, given, verifier, free=free)
    steps = given.filter(pl.col("verifier") == verifier).select(*_KEY, pl.col("steps").alias("values"))
    found = scores.join(steps, _KEY, "left", maintain_order="left")
    without = found.filter(pl.col("values").is_null())
    if len(without):
        problem, sample = without.select(_KEY).row(0)
        raise DataError(
            f"scores: {verifier!r} has no scores of steps for {len(without):,} of {len(found):,} solutions "
            f"(first: problem {problem!r}, sample {sample}); leave `aggregate` out, or use a column of lists"
        )
    absent = {
        name: pl.lit(None, kind).alias(name)
        for name, kind in tables.SCHEMAS["traces"].items()
        if name not in found.columns
    }
    return found.with_columns(**absent).select(list(tables.SCHEMAS["traces"]))
