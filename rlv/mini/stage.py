"""The stage `pretrain`: makes the mini base that ships with the package (`make mini-base`)."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from rlv.job import Job, Stage
from rlv.mini.solver import Solver

# What of a recipe is the solver's.
_SOLVER = tuple(field.name for field in fields(Solver))


def _run(job: Job) -> dict[str, Any]:
    from rlv.mini.pretrain import PretrainConfig, pretrain

    recipe = job.params
    solver = Solver(**{name: recipe.pop(name) for name in _SOLVER if name in recipe})
    tokens = pretrain(PretrainConfig(**recipe, solver=solver), job.out, job.log)
    return {"tokens": tokens}


PRETRAIN = Stage(recipe=1, run=_run, doing="pretraining", memory_mb=2000, minutes=240, runs_models=True)
