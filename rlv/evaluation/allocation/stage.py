"""The stage `allocate`: which strategy for which problem, of one reasoner on one data set (allocate.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlv.errors import DataError
from rlv.evaluation.allocation import TABLES
from rlv.job import Job, Stage
from rlv.store import Artifact

if TYPE_CHECKING:
    import polars as pl


def _allocate(job: Job) -> dict[str, Any]:
    from rlv import tables
    from rlv.evaluation.allocation.allocate import Settings, allocate

    p = job.params
    solutions = job.table("solutions", "solutions", tables.WITHOUT_TEXT)
    scores = {verifier: job.parts(f"scores:{verifier}", "scores") for verifier in p["verifiers"]}
    levels = dict(job.table("problems", "problems", ["problem_id", "level"]).iter_rows())
    settings = Settings(**{name: p[name] for name in Settings.__dataclass_fields__})
    verdicts = {verifier: _verdicts(job, verifier) for verifier in p.get("chains", {})}
    about = {"dataset": p["dataset"], "reasoner": p["reasoner"]}
    left = allocate(solutions, scores, levels, settings, verdicts=verdicts, **about)
    for table in _tables(job.artifact):
        job.write(left[table], table)
    for row in left["savings"].filter(left["savings"]["n"].is_null()).iter_rows(named=True):
        job.log(
            "{what} {strategy} {verifier} {binning}, {price} price in {unit}: {ratio:.2f} "
            "[{low:.2f}, {high:.2f}]".format(**row)
        )
    return {"cells": left["frontier"].filter(left["frontier"]["binning"] == "").height}


def _verdicts(job: Job, verifier: str) -> pl.DataFrame:
    """All verdicts of a judge. Raises DataError if its scores are older than that table."""
    import polars as pl

    parts = []
    for role in sorted(role for role in job.artifact.inputs if role.startswith(f"scores:{verifier}:")):
        artifact = job.artifact.inputs[role]
        if "verdicts.parquet" not in job.store.manifest(artifact)["files"]:
            raise DataError(
                f"{artifact.path}: expected a verdicts table, found only its scores, which are older; remove "
                f"this folder from the store and run again, or leave {verifier!r} out of `allocation.readers`"
            )
        parts.append(job.table(role, "verdicts"))
    return pl.concat(parts)


def _tables(artifact: Artifact) -> tuple[str, ...]:
    """All tables; `surface` only with judges that have several chains a solution."""
    from rlv import tables

    return (*TABLES, *(name for name in ("surface",) if tables.leaves(artifact.params, name)))


ALLOCATE = Stage(
    recipe=1,
    run=_allocate,
    leaves=_tables,
    doing="allocating",
    memory_mb=2000,
    minutes=30,
)
