"""The stages `train` (one reasoner) and `overhead` (what the verification objective costs a step)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rlv.job import Job, Stage
from rlv.training import tries

if TYPE_CHECKING:
    from rlv.training.config import TrainingConfig


def _config(job: Job) -> TrainingConfig:
    from rlv.training.config import TrainingConfig

    params = job.params
    params.pop("repeats", None)
    params.pop("logprobs", None)  # tells artifacts apart (rlv/plan/chain.py)
    if "betas" in params:
        params["betas"] = tuple(params["betas"])
    params.pop("grading", None)  # the rules of rlv/answers, which the rewards follow
    return TrainingConfig(**params, **job.how, threads=job.threads)


def _train(job: Job) -> dict[str, Any]:
    config = _config(job)
    tries.begin(job.work)
    # With the solutions that another run recorded, what is trained is a separate verifier.
    is_verifier = "rollouts" in job.artifact.inputs
    if config.ranks > 1:
        from rlv.training.launch import train_on_ranks

        return train_on_ranks(
            config,
            model_dir=job.folder("model"),
            problems=job.file("problems", "problems.parquet"),
            recorded=job.file("rollouts", "rollouts.parquet") if is_verifier else None,
            work_dir=job.work,
            out_dir=job.out,
            log=job.log,
        )
    from rlv.training.loop import train

    return train(
        config,
        model_dir=job.folder("model"),
        problems=job.table("problems", "problems"),
        recorded=job.table("rollouts", "rollouts") if is_verifier else None,
        work_dir=job.work,
        out_dir=job.out,
        log=job.log,
    )


def _overhead(job: Job) -> dict[str, Any]:
    from rlv.training.measure import measure_overhead

    # One process, whole weights: what is compared is a step with another, not ranks with one another.
    config = replace(_config(job), ranks=1, nodes=1, zero_stage=0, offload=False)
    problems = job.table("problems", "problems")
    measured = measure_overhead(config, job.folder("model"), problems, job.params["repeats"], job.log)
    job.write(measured, "overhead")
    return {"tokens": int(measured["tokens"].sum())}


def _ranks(artifact: Artifact) -> int:
    """A rank is a process on a GPU of its own; a profile may give it more cores."""
    return int(artifact.how["ranks"])


TRAIN = Stage(
    recipe=2,
    run=_train,
    doing="training",
    memory_mb=3000,
    minutes=120,
    runs_models=True,
    threads=_ranks,
    gpus=_ranks,
    priority=10,  # the head of the longest chains starts first
    resumes=True,
)
OVERHEAD = Stage(
    recipe=1,
    run=_overhead,
    doing="measuring",
    memory_mb=3000,
    minutes=30,
    runs_models=True,
    gpus=lambda artifact: 1,
)
