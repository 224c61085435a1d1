"""The stages `train` (one reasoner) and `overhead` (what the verification objective costs a step)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlv.job import Job, Stage

if TYPE_CHECKING:
    from rlv.training.config import TrainingConfig


def _config(job: Job) -> TrainingConfig:
    from rlv.training.config import TrainingConfig

    params = job.params
    params.pop("repeats", None)
    return TrainingConfig(**params, **job.how, threads=job.threads)


def _train(job: Job) -> dict[str, Any]:
    from rlv.training.loop import train

    # With the solutions that another run recorded, what is trained is a separate verifier.
    recorded = job.table("rollouts", "rollouts") if "rollouts" in job.artifact.inputs else None
    return train(
        _config(job),
        model_dir=job.folder("model"),
        problems=job.table("problems", "problems"),
        recorded=recorded,
        work_dir=job.work,
        out_dir=job.out,
        log=job.log,
    )


def _overhead(job: Job) -> dict[str, Any]:
    from rlv.training.measure import measure_overhead

    problems = job.table("problems", "problems")
    measured = measure_overhead(_config(job), job.folder("model"), problems, job.params["repeats"], job.log)
    job.write(measured, "overhead")
    return {"tokens": int(measured["tokens"].sum())}


TRAIN = Stage(recipe=2, run=_train)
OVERHEAD = Stage(recipe=1, run=_overhead)
