"""The stages `train` (one reasoner) and `overhead` (what the verification objective costs a step)."""

from __future__ import annotations

from typing import Any

from rlv.job import Job, Stage
from rlv.store import Artifact
from rlv.training import tries, work
from rlv.training.origin import Origin, SourceFiles
from rlv.training.run import Run

# Parameters that only distinguish artifacts (rlv/plan/chain.py): a run does not read them.
_MARKS = ("repeats", "logprobs", "grading", "advantage_package", "objective_package")


def _run(job: Job) -> Run:
    params = {name: value for name, value in job.params.items() if name not in _MARKS}
    return Run.of(**params, **job.how, threads=job.threads)


def _train(job: Job) -> dict[str, Any]:
    run = _run(job)
    tries.begin(job.work)
    origin = Origin.of(job.artifact)
    rollouts = None if origin.sampled else job.file("rollouts", "rollouts.parquet")
    source = SourceFiles(origin, job.file("problems", "problems.parquet"), rollouts)
    given: dict[str, Any] = {"model_dir": job.folder("model"), "work_dir": job.work, "out_dir": job.out}
    if run.training.ranks > 1:
        from rlv.training.launch import train_on_ranks

        return train_on_ranks(run, source=source, **given, log=job.log)
    from rlv.training.loop import train
    from rlv.training.recorded import read_source

    return train(run, read_source(source), **given, log=job.log)


def _overhead(job: Job) -> dict[str, Any]:
    from rlv.training.measure import measure_overhead

    # One process, whole weights: what is compared is a step with another, not ranks with one another.
    run = _run(job).but(ranks=1, nodes=1, zero_stage=0, offload=False)
    problems = job.table("problems", "problems")
    measured = measure_overhead(run, job.folder("model"), problems, job.params["repeats"], job.log)
    job.write(measured, "overhead")
    return {"tokens": int(measured["tokens"].sum())}


def _tables(artifact: Artifact) -> tuple[str, ...]:
    """Steps, and the solutions of a run that samples them."""
    return ("steps", "rollouts") if Origin.of(artifact).sampled else ("steps",)


def _ranks(artifact: Artifact) -> int:
    """A rank is a process on a GPU of its own; a profile may give it more cores."""
    return int(artifact.how["ranks"])


TRAIN = Stage(
    recipe=2,
    run=_train,
    leaves=_tables,
    doing="training",
    memory_mb=3000,
    minutes=120,
    runs_models=True,
    threads=_ranks,
    gpus=_ranks,
    nodes=lambda artifact: int(artifact.how["nodes"]),
    priority=10,  # the head of the longest chains starts first
    trains=True,
    resumes=True,
    work=work.TRAIN,
    measured=("steps.parquet",),
)
OVERHEAD = Stage(
    recipe=1,
    run=_overhead,
    leaves=lambda artifact: ("overhead",),
    doing="measuring",
    memory_mb=3000,
    minutes=30,
    runs_models=True,
    gpus=lambda artifact: 1,
    trains=True,
    work=work.OVERHEAD,
    measured=("overhead.parquet",),
)
