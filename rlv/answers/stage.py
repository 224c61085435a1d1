"""The stage `grade`: the shards of one reasoner on one data set, joined, their answers read and judged.

Apart from sampling, so that a better grader never costs a GPU a second.
"""

from __future__ import annotations

from typing import Any

from rlv.job import Job, Stage


def _run(job: Job) -> dict[str, Any]:
    from rlv.answers import Grader

    samples = job.parts("samples", "samples")
    problems = job.table("problems", "problems")
    with Grader(workers=job.threads) as grader:
        solutions = grader.grade(samples, problems, job.params["answer_format"])
    job.write(solutions, "solutions")
    counts = {
        "solutions": len(solutions),
        "correct": int(solutions["correct"].sum()),
        "unfinished": int((solutions["finish_reason"] == "length").sum()),
        "without_vote": int(solutions["answer_class"].null_count()),
        "timed_out": grader.counts.timed_out,
        "killed": grader.counts.killed,
    }
    job.log("  ".join(f"{name} {count}" for name, count in counts.items()))
    return counts


GRADE = Stage(recipe=1, run=_run)
