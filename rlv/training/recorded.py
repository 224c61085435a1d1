"""Solutions that a training run sampled: written down as it goes, and learned from again by another run.

A separate verifier (paper, "Unified vs separate verifier") is trained from the base on the solutions that
the base RL run recorded: the same batches in the same order, and only J_verify. Left out on purpose:
log-probabilities and advantages of recorded solutions (learning from another's solutions is off policy).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from rlv import tables
from rlv.errors import DataError, StoreError
from rlv.job.stop import Stop
from rlv.store import sync
from rlv.study.types import Training
from rlv.training.batches import Trajectory
from rlv.training.origin import RECORDED, SourceFiles
from rlv.training.policy import Policy
from rlv.training.ranks import ALONE, Ranks
from rlv.training.rollout import Rollout
from rlv.training.run import Run
from rlv.training.sources import Batches, Sampled, Source

_PART = re.compile(r"steps-(\d+)-(\d+)\.parquet")
# Solutions whose bytes are copied at the same time.
_SLICE = 4096


class Recorder:
    """The solutions of a run, in parts that end with its checkpoints: steps-000001-000020.parquet, ...

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


class Recorded:
    """The batches of a rollouts table, one a step, as they were sampled; each is built when asked for.

    Advantages and log-probabilities are 0.
    """

    origin = RECORDED

    def __init__(self, problems: pl.DataFrame, rollouts: pl.DataFrame) -> None:
        """`problems`: of the run that recorded.

        Raises DataError if there are no rows, if steps are not 1, 2, ... in order, and if a problem is not
        among `problems`.
        """
        if rollouts.is_empty():
            raise DataError("rollouts: no rows; a training run that recorded solutions would do")
        steps_R = rollouts["step"].to_numpy()
        jumps_R = np.diff(steps_R, prepend=0)
        if steps_R[0] != 1 or ((jumps_R != 0) & (jumps_R != 1)).any():
            row = int(np.argmax((jumps_R != 0) & (jumps_R != 1)))
            raise DataError(f"rollouts: row {row} has step {steps_R[row]}; steps must be 1, 2, ... in order")
        strangers = rollouts["problem_id"].filter(
            ~rollouts["problem_id"].is_in(problems["problem_id"].implode())
        )
        if len(strangers):
            raise DataError(
                f"rollouts: problem {strangers[0]!r} is not in the problems table of {len(problems)} rows; "
                f"they must be the problems of the run that recorded"
            )
        self.problems = problems
        self._rollouts = rollouts
        # Batch k has the rows from begins[k] up to begins[k + 1].
        self._begins = [*np.flatnonzero(jumps_R).tolist(), len(rollouts)]

    def n_steps(self, training: Training) -> int:
        """Steps that were recorded."""
        return len(self._begins) - 1

    def longest(self, training: Training) -> int:
        """Tokens of the longest recorded solution."""
        return int(self._rollouts["token_ids"].list.len().max())  # pyright: ignore[reportArgumentType]

    def fingerprint(self) -> bytes:
        """SHA-256 of the recorded rows."""
        return fingerprint(self._rollouts)

    @contextmanager
    def open(
        self, policy: Policy, run: Run, ranks: Ranks = ALONE, stop: Stop | None = None
    ) -> Iterator[Batches]:
        """The recorded batches, with the prompts of a policy; nothing is sampled."""
        prompt_of = {prompt.problem_id: prompt.ids for prompt in policy.prompts}

        def batch(step: int) -> Rollout:
            rows = self._rollouts[self._begins[step] : self._begins[step + 1]].iter_rows(named=True)
            return Rollout([_trajectory(row, prompt_of[row["problem_id"]]) for row in rows])

        yield batch


def read_source(files: SourceFiles) -> Source:
    """The source of a run from its tables as files."""
    problems = tables.read(files.problems, "problems")
    if files.rollouts is None:
        return Sampled(problems, files.origin)
    return Recorded(problems, tables.read(files.rollouts, "rollouts"))


def _trajectory(row: dict[str, Any], prompt_ids: tuple[int, ...]) -> Trajectory:
    zeros = (0.0,) * len(row["token_ids"])
    return Trajectory(
        problem_id=row["problem_id"],
        sample_id=row["sample_id"],
        prompt_ids=prompt_ids,
        solution_ids=tuple(row["token_ids"]),
        sampled_logprobs=zeros,
        finished=row["finished"],
        reward=row["reward"],
        advantages=zeros,
    )


def fingerprint(rollouts: pl.DataFrame) -> bytes:
    """SHA-256 of a rollouts table's rows in their order; how its memory is cut up does not matter."""
    digest = hashlib.sha256()
    # JSON would spell every token out; their lengths and the bytes of their ids contain the same.
    for part in rollouts.iter_slices(_SLICE):
        digest.update(part.drop("token_ids").write_json().encode())
        ids = part["token_ids"]
        for numbers in (ids.list.len(), ids.explode(empty_as_null=False)):
            digest.update(numbers.to_numpy().tobytes())
    return digest.digest()
