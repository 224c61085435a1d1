"""Solutions that a training run sampled: written down as it goes, and learned from again by another run.

A separate verifier (paper, "Unified vs separate verifier") is trained from the base on the solutions that
the base RL run recorded: the same batches in the same order, and J_verify alone. Left out on purpose:
log-probabilities and advantages of recorded solutions (who learns from another's solutions is off policy).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from rlv import tables
from rlv.errors import DataError, StoreError
from rlv.training.batches import Trajectory
from rlv.training.rollout import read_prompts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PART = re.compile(r"steps-(\d+)-(\d+)\.parquet")


class Recorder:
    """The solutions of a run, in parts that end where its checkpoints do: steps-000001-000020.parquet, ...

    Write a checkpoint's part before the checkpoint. A run that goes on after step k then finds everything up
    to k, and drops what is beyond; a checkpoint does not grow with the run.
    """

    def __init__(self, folder: Path, step: int) -> None:
        """Record in `folder`, after `step` (0: from the start).

        Raises StoreError where the parts up to `step` are not all there.
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
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.rename(path)
        self._written = step
        self._rows = {column: [] for column in self._rows}

    def table(self) -> pl.DataFrame:
        """Everything that was flushed, as a rollouts table in the order sampled."""
        parts = [tables.read(path, "rollouts") for path in sorted(self.folder.glob("steps-*.parquet"))]
        return pl.concat(parts) if parts else tables.frame("rollouts", [])


def recorded_batches(
    rollouts: pl.DataFrame, problems: pl.DataFrame, tokenizer: PreTrainedTokenizerBase, style: str
) -> list[list[Trajectory]]:
    """The batches of a rollouts table, one a step, as they were sampled; `style` decides x.

    Advantages and log-probabilities are 0. Raises DataError where there are no rows, where steps are not
    1, 2, ... in order, and where a problem is not among `problems`.
    """
    if rollouts.is_empty():
        raise DataError("rollouts: no rows; a training run that recorded solutions would do")
    steps_R = rollouts["step"].to_numpy()
    jumps_R = np.diff(steps_R, prepend=0)
    if steps_R[0] != 1 or ((jumps_R != 0) & (jumps_R != 1)).any():
        row = int(np.argmax((jumps_R != 0) & (jumps_R != 1)))
        raise DataError(f"rollouts: row {row} has step {steps_R[row]}; steps must be 1, 2, ... in order")
    prompt_of = {prompt.problem_id: prompt for prompt in read_prompts(problems, tokenizer, style)}
    batches: list[list[Trajectory]] = [[] for _ in range(int(steps_R[-1]))]
    for row in rollouts.iter_rows(named=True):
        if row["problem_id"] not in prompt_of:
            raise DataError(
                f"rollouts: problem {row['problem_id']!r} is not in the problems table of "
                f"{len(problems)} rows; they must be the problems of the run that recorded"
            )
        zeros = (0.0,) * len(row["token_ids"])
        batches[row["step"] - 1].append(
            Trajectory(
                problem_id=row["problem_id"],
                sample_id=row["sample_id"],
                prompt_ids=prompt_of[row["problem_id"]].ids,
                solution_ids=tuple(row["token_ids"]),
                sampled_logprobs=zeros,
                finished=row["finished"],
                reward=row["reward"],
                advantages=zeros,
            )
        )
    return batches
