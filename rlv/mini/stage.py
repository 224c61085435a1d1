"""The stage `pretrain`: makes the mini base that ships with the package (`make mini-base`)."""

from __future__ import annotations

from typing import Any

from rlv.job import Job, Stage

_SOLVER = ("value_slip", "mark_slip", "bluff", "give_up", "verdict_flip")


def _run(job: Job) -> dict[str, Any]:
    from rlv.mini.pretrain import PretrainConfig, pretrain
    from rlv.mini.task import Solver

    recipe = job.params
    solver = Solver(**{name: recipe.pop(name) for name in _SOLVER})
    tokens = pretrain(PretrainConfig(**recipe, solver=solver), job.out, job.log)
    return {"tokens": tokens}


PRETRAIN = Stage(recipe=1, run=_run, doing="pretraining", memory_mb=2000, minutes=240, runs_models=True)
