"""The stage `grade`: the shards of one reasoner on one data set, joined, their answers read and judged.

It is a stage of its own, so that a better grader never costs GPU time.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from rlv import tables
from rlv.job import Job, Stage


def _run(job: Job) -> dict[str, Any]:
    from rlv.answers import Grader

    # Answers are read from the text, so the tokens, and what was kept of each, need not be.
    read = [column for column in tables.SCHEMAS["samples"] if column in tables.SCHEMAS["solutions"]]
    samples = job.parts("samples", "samples", read)
    problems = job.table("problems", "problems")
    # What the files of others state of their solutions lies beside them.
    given = job.parts("samples", "given") if job.params.get("given") else None
    with Grader(workers=job.threads) as grader:
        solutions = grader.grade(samples, problems, job.params["answer_format"], given=given)
    job.write(solutions, "solutions")
    seen = grader.counts
    facts = {
        **counts(solutions),
        "unparsable": seen.unparsable,
        "timed_out": seen.timed_out,
        "killed": seen.killed,
        "unread": seen.unread,
    }
    job.log("  ".join(f"{name} {count}" for name, count in facts.items()))
    return facts


def counts(solutions: pl.DataFrame) -> dict[str, Any]:
    """Counts of a solutions table for the manifest; `by_budget` has one entry a budget.

    `never_voting` counts the (problem, sample) pairs whose solution casts no vote at any budget, and
    `unanswered` the problems of which no solution does: wrong in every vote, whatever the strategy.
    """
    parts = [
        pl.len().alias("solutions"),
        pl.col("correct").sum(),
        (pl.col("finish_reason") == "length").sum().alias("unfinished"),
        (pl.col("finish_reason") == "forced").sum().alias("forced"),
        pl.col("answer_class").null_count().alias("without_vote"),
    ]

    def silent(keys: list[str]) -> int:
        voting = solutions.group_by(keys).agg(pl.col("answer_class").count())
        return int((voting["answer_class"] == 0).sum())

    by_budget = solutions.group_by("budget").agg(parts).sort("budget")
    return {
        **solutions.select(parts).row(0, named=True),
        "never_voting": silent(["problem_id", "sample_id"]),
        "unanswered": silent(["problem_id"]),
        "by_budget": {str(row.pop("budget")): row for row in by_budget.iter_rows(named=True)},
    }


GRADE = Stage(
    recipe=4, run=_run, leaves=lambda artifact: ("solutions",), doing="grading", memory_mb=3000, minutes=60
)
