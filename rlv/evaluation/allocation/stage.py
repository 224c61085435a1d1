"""The stage `allocate`: which strategy for which problem, of one reasoner on one data set (allocate.py)."""

from __future__ import annotations

from typing import Any

from rlv.evaluation.allocation import TABLES
from rlv.job import Job, Stage


def _allocate(job: Job) -> dict[str, Any]:
    from rlv import tables
    from rlv.evaluation.allocation.allocate import Settings, allocate

    p = job.params
    solutions = job.table("solutions", "solutions", [c for c in tables.SCHEMAS["solutions"] if c != "text"])
    scores = {verifier: job.parts(f"scores:{verifier}", "scores") for verifier in p["verifiers"]}
    levels = dict(job.table("problems", "problems", ["problem_id", "level"]).iter_rows())
    settings = Settings(**{name: p[name] for name in Settings.__dataclass_fields__})
    left = allocate(solutions, scores, levels, settings, dataset=p["dataset"], reasoner=p["reasoner"])
    for table in TABLES:
        job.write(left[table], table)
    for row in left["savings"].filter(left["savings"]["n"].is_null()).iter_rows(named=True):
        job.log(
            "{what} {strategy} {verifier} {binning}, {price} price in {unit}: {ratio:.2f} "
            "[{low:.2f}, {high:.2f}]".format(**row)
        )
    return {"cells": left["frontier"].filter(left["frontier"]["binning"] == "").height}


ALLOCATE = Stage(
    recipe=1,
    run=_allocate,
    leaves=lambda artifact: TABLES,
    doing="allocating",
    memory_mb=2000,
    minutes=30,
)
