"""The stage `locate`: whether verifiers name the first wrong step of one reasoner's solutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlv.job import Job, Stage

if TYPE_CHECKING:
    import polars as pl

TABLES = ("first_errors", "first_errors_per_problem")
_READ = ("problem_id", "sample_id", "budget", "text")


def _run(job: Job) -> dict[str, Any]:
    from rlv.evaluation.first_errors import best_threshold, first_errors
    from rlv.evaluation.tuned import has_tuned

    p = job.params
    labels = _labels(job, "", p["source"], p["step_rule"])
    traces = {v: job.parts(f"traces:{v}", "traces") for v in p["verifiers"]}
    tuned: dict[str, float] = {}
    if has_tuned(job):
        learnt = _labels(job, "tuned_", p["tuned_source"], p["tuned_step_rule"])
        for verifier in p["verifiers"]:
            read = job.parts(f"tuned_traces:{verifier}", "traces")
            tuned[verifier] = best_threshold(learnt, read, f"traces of {verifier!r} on training problems")
            job.log(f"{verifier}: threshold {tuned[verifier]:.3f}, chosen on {len(learnt)} other solutions")
    named = {"dataset": p["dataset"], "reasoner": p["reasoner"]}
    found = first_errors(labels, traces, tuned, **named, draws=p["draws"], seed=p["seed"])
    for table, data in zip(TABLES, found, strict=True):
        job.write(data, table)
    for row in found[0].filter(kind="all").drop_nulls("f1").iter_rows(named=True):
        job.log("{verifier} ({rule}): F1 {f1:.3f} [{f1_low:.3f}, {f1_high:.3f}]".format(**row).lstrip())
    return {"solutions": len(labels), "thresholds": tuned}


def _labels(job: Job, role: str, source: str, step_rule: str) -> pl.DataFrame:
    from rlv.problems import SOURCES

    problems = job.table(f"{role}problems", "problems")
    labelled = SOURCES[source].step_labels
    assert labelled is not None  # refused when the study is read
    return labelled(problems, job.table(f"{role}solutions", "solutions", _READ), step_rule)


LOCATE = Stage(
    recipe=1,
    run=_run,
    leaves=lambda artifact: TABLES,
    doing="comparing steps",
    memory_mb=2000,
    minutes=30,
)
