"""Stages, and the jobs that they run: what a job is given, and what it must leave behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from rlv import tables
from rlv.hub import Asked
from rlv.job.own_code import stage_code
from rlv.job.work import Work
from rlv.store import Artifact, Store


@dataclass(frozen=True)
class Job:
    """One artifact being made. Its stage writes files into `out` only, and checkpoints into `work`."""

    artifact: Artifact
    store: Store
    out: Path
    work: Path
    threads: int
    log: Callable[[str], None]

    @property
    def params(self) -> dict[str, Any]:
        return dict(self.artifact.params)

    @property
    def how(self) -> dict[str, Any]:
        return dict(self.artifact.how)

    def file(self, role: str, name: str) -> Path:
        """One file of an input, verified. Raises DamagedArtifactError or StoreError, as the store does."""
        return self.store.open(self.artifact.inputs[role], name)

    def folder(self, role: str) -> Path:
        """An input's whole folder, verified."""
        return self.store.open_all(self.artifact.inputs[role])

    def table(self, role: str, table: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The table `<table>.parquet` of an input, or some of its columns."""
        return tables.read(self.file(role, f"{table}.parquet"), table, columns)

    def parts(self, role: str, table: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The tables of a sharded input (`role:00000`, ...), one below the other in the shards' order."""
        names = sorted(name for name in self.artifact.inputs if name.startswith(f"{role}:"))
        return pl.concat([self.table(name, table, columns) for name in names])

    def write(self, data: pl.DataFrame, table: str) -> None:
        """Leave `<table>.parquet` behind."""
        tables.write(data, self.out / f"{table}.parquet", table)


@dataclass(frozen=True)
class Stage:
    """A kind of artifact: everything that is true of it, so that no other module compares names of stages.

    recipe: raise it when the meaning of its output changes; it is part of the key.
    run: leaves files in `job.out` and returns facts for the manifest (tokens, counts), all JSON.
    doing: the first words of a line about one of its jobs.
    memory_mb, minutes: the least that a job asks a scheduler for.
    leaves: names of the tables that an artifact consists of, each a file NAME.parquet (rlv/tables).
    code: from an artifact's parameters the digest of the code that makes it, which then is part of its key:
    for artifacts that are made again in seconds (figures). None: the key contains only the recipe.
    runs_models: whether jobs need the environment of the engines.
    threads, gpus: of one job, from its artifact; `gpus` are those of all its machines together.
    nodes: machines of one job. With several, its threads are its processes.
    priority: of jobs that could start at the same time, the highest starts first.
    brings_model: whether the artifact is a model that others start from.
    trains: whether jobs change a model's weights, with the settings of the reasoner of the artifact's name.
    resumes: whether a job that is asked to stop saves, so that the next try continues there.
    work: what a model does in a job, and what that takes.
    measured: files of an artifact that contain seconds, which no second run repeats.
    asks: what has to be fetched from the hub for an artifact; None: nothing, or it is in the cache.
    """

    recipe: int
    run: Callable[[Job], dict[str, Any]]
    doing: str
    memory_mb: int
    minutes: int
    leaves: Callable[[Artifact], tuple[str, ...]] = lambda artifact: ()
    code: Callable[[Mapping[str, Any]], str] | None = None
    runs_models: bool = False
    threads: Callable[[Artifact], int] = lambda artifact: 1
    gpus: Callable[[Artifact], int] = lambda artifact: 0
    nodes: Callable[[Artifact], int] = lambda artifact: 1
    priority: int = 0
    brings_model: bool = False
    trains: bool = False
    resumes: bool = False
    work: Work = field(default=Work())
    measured: tuple[str, ...] = ()
    asks: Callable[[Artifact], Asked | None] = lambda artifact: None

    @property
    def source_code(self) -> str:
        """The digest of the stage's own source as it is now (own_code.py)."""
        return stage_code(self.run.__module__)
