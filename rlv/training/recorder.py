"""The solutions that a training run samples, written down as it goes: rollouts.parquet, once it is done."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from rlv import tables
from rlv.errors import StoreError
from rlv.store import sync
from rlv.training.batches import Trajectory

_PART = re.compile(r"steps-(\d+)-(\d+)\.parquet")


class Recorder:
    """The solutions of a run, in parts that end where its checkpoints do: steps-000001-000020.parquet, ...

    Write a checkpoint's part before the checkpoint. A run that goes on after step k then finds everything up
    to k, and drops what is beyond; a checkpoint does not grow with the run.
    """

    def __init__(self, folder: Path, step: int) -> None:
        """Record in `folder`, after `step` (0: from the start).

        Raises StoreError if parts up to `step` are missing.
        """
        self.folder = folder
        self._written = 0
        self._rows: dict[str, list] = {column: [] for column in tables.SCHEMAS["rollouts"]}
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.iterdir()):
            name = _PART.fullmatch(path.name)
            if name is None or int(name[2]) > step:
                path.unlink()  # half-written, or beyond the checkpoint
            elif int(name[1]) == self._written + 1:
                self._written = int(name[2])
        if self._written != step:
            raise StoreError(
                f"{folder}: solutions are recorded up to step {self._written}, the checkpoint is of step "
                f"{step}; remove {folder.parent} to start afresh"
            )

    def add(self, step: int, trajectories: Sequence[Trajectory]) -> None:
        """Remember a step's solutions (steps count from 1)."""
        for t in trajectories:
            row = (step, t.problem_id, t.sample_id, list(t.solution_ids), t.reward, t.finished)
            for column, value in zip(self._rows.values(), row, strict=True):
                column.append(value)

    def flush(self, step: int) -> None:
        """Write what was added since the last call as the part that ends with `step`; atomic, and on disk."""
        path = self.folder / f"steps-{self._written + 1:06d}-{step:06d}.parquet"
        partial = path.with_suffix(".partial")
        tables.write(tables.frame("rollouts", self._rows), partial, "rollouts")
        sync(partial)
        partial.rename(path)
        sync(self.folder)
        self._written = step
        self._rows = {column: [] for column in self._rows}

    def table(self) -> pl.DataFrame:
        """Everything that was flushed, as a rollouts table in the order sampled."""
        parts = [tables.read(path, "rollouts") for path in sorted(self.folder.glob("steps-*.parquet"))]
        return pl.concat(parts) if parts else tables.frame("rollouts", [])
