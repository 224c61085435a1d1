"""Where a training run stands: steps, solutions, log lines and checkpoints as it goes, and its result."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rlv import tables
from rlv.errors import StoppedError
from rlv.job import machine
from rlv.job.stop import Stop
from rlv.models import heads
from rlv.models.verification import KEY
from rlv.training import checkpoints, journal
from rlv.training.checkpoints import Progress
from rlv.training.explained import entry_of
from rlv.training.learner import Learner
from rlv.training.lesson import Lesson
from rlv.training.policy import Policy
from rlv.training.ranks import Ranks
from rlv.training.recorded import Recorder
from rlv.training.rollout import Rollout
from rlv.training.run import Run
from rlv.training.sources import Source
from rlv.training.weights import whole_state, write_model


class Logbook:
    """Where a run stands, in `work_dir`: killed at any moment, it goes on from its last checkpoint.

    `rows`: of the steps table, one for each step that is done. `recorder`: None if the solutions are
    recorded already, and on all ranks but the first.
    """

    def __init__(
        self, run: Run, source: Source, work_dir: Path, log: Callable[[str], None], ranks: Ranks
    ) -> None:
        self._began, self._cpu = time.perf_counter(), machine.cpu_seconds()
        self.run, self.source, self.work_dir, self.ranks = run, source, work_dir, ranks
        self.log = log if ranks.first else _drop
        self.n_steps = source.n_steps(run.training)
        self.rows: list[dict[str, Any]] = []
        self.recorder: Recorder | None = None
        self._tick: Callable[[], object] = lambda: None

    def open(self, learner: Learner, policy: Policy) -> None:
        """Put the learner where the last checkpoint stands.

        Raises StoreError if `work_dir` holds another run's checkpoints.
        """
        self._learner, self._tokenizer = learner, policy.tokenizer
        self._identity = identity(self.run, self.source, policy.folder)
        self._folder = self.work_dir / "checkpoints"
        self._progress = checkpoints.restore(learner.engine, self._folder, self._identity, self.ranks)
        self.rows = self._progress.rows
        self._saved = self._progress.step
        if self.source.origin.sampled and self.ranks.first:
            self.recorder = Recorder(self.work_dir / "rollouts", self._saved)
        if self._saved:
            self.log(f"going on after step {self._saved} of {self.n_steps}")
        self._part = {
            "from_step": self._saved,
            **machine.made_here(),
            "slurm_job": os.environ.get("SLURM_JOB_ID"),
        }

    def steps_left(self) -> range:
        """The steps to come, counted from 0."""
        return range(len(self.rows), self.n_steps)

    def write_down(self, rollout: Rollout, lesson: Lesson, seconds: tuple[float, float]) -> None:
        """Write down one finished step. `seconds`: of its sampling and of its update."""
        self.rows.append(_row(len(self.rows) + 1, rollout, lesson, seconds))
        step, training = len(self.rows), self.run.training
        self.log(journal.step_line(self.rows[-1], self.n_steps))
        if step % training.show_every == 0 or step == 1:
            problems = self.source.problems
            questions = dict(zip(problems["problem_id"], problems["question"], strict=True))
            shown = journal.show_solutions(rollout.trajectories, lesson.scores_B, questions, self._tokenizer)
            for line in shown:
                self.log(line)
        if self.recorder is not None:
            self.recorder.add(step, rollout.trajectories)
        if step % training.save_every == 0 or step == self.n_steps:
            self.save()
        self._tick()

    def save(self) -> None:
        """Save a checkpoint of all finished steps, unless there is one already. Collective."""
        step = len(self.rows)
        if step == self._saved:
            return
        if self.recorder is not None:
            self.recorder.flush(step)
        seconds = round(time.perf_counter() - self._began, 3)
        self._part.update(machine.now(), to_step=step, seconds=seconds)
        self._part["cpu_seconds"] = round(sum(self.ranks.gathered(machine.cpu_seconds() - self._cpu)), 3)
        done = Progress(step, self.rows, [*self._progress.parts, self._part])
        checkpoints.save(self._learner.engine, self._folder, done, self._identity, self.ranks)
        self._saved = step

    @contextmanager
    def watching(self, stop: Stop) -> Iterator[None]:
        """Errors of the block are forgiven if the run was asked to stop and all finished steps are saved.

        A signal reaches the processes of engines and graders, too, and they may not end in peace.
        """
        try:
            with _bar(len(self.rows), self.n_steps) as self._tick:
                yield
        except Exception:
            if not stop.requested or len(self.rows) > self._saved:
                raise

    def require_end(self) -> None:
        """Raises StoppedError if steps are left."""
        if self.steps_left():
            raise StoppedError(
                f"{self.work_dir}: asked to stop; what is done is saved, and a rerun goes on after step "
                f"{self._saved} of {self.n_steps}"
            )

    def leave(self, out_dir: Path) -> None:
        """Write the finished run into `out_dir`: checkpoint, head, steps, solutions. Collective."""
        learner, head = self._learner, self._learner.reader.head
        out_dir.mkdir(parents=True, exist_ok=True)
        # Always: the start model's configuration may have another one.
        setattr(learner.model.config, KEY, entry_of(self.run, self._tokenizer).as_json())
        write_model(learner.model, out_dir, self.ranks)
        state = None if head is None else whole_state(head)
        if self.ranks.first:
            self._tokenizer.save_pretrained(out_dir)
            if head is not None and state is not None:
                kept = heads.VerificationHead(head.objective, state["weight"].numel())
                kept.load_state_dict(state)
                heads.save(kept, out_dir)
            tables.write(tables.frame("steps", self.rows), out_dir / "steps.parquet", "steps")
        if self.recorder is not None:
            tables.write(self.recorder.table(), out_dir / "rollouts.parquet", "rollouts")
        self.ranks.barrier()

    def facts(self) -> dict[str, Any]:
        """The facts of the run for its manifest; see `loop.train`."""
        counted = ("tokens_sampled", "tokens_values", "tokens_trained")
        return {
            "steps": self.n_steps,
            "resumed_from": self._progress.step,
            "tokens": sum(row[column] for row in self.rows for column in counted),
            "reward_first": self.rows[0]["reward"],
            "reward_last": self.rows[-1]["reward"],
            **({"earlier": self._progress.parts} if self._progress.parts else {}),
        }


def identity(run: Run, source: Source, model_dir: Path) -> str:
    """A digest of what decides the trained weights: settings, start weights, problems, recorded solutions."""
    digest = hashlib.sha256(json.dumps(run.identity(), sort_keys=True).encode())
    for path in sorted(model_dir.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    digest.update(source.problems.select("problem_id", "question", "answer").write_json().encode())
    digest.update(source.fingerprint())
    return digest.hexdigest()


def _row(step: int, rollout: Rollout, lesson: Lesson, seconds: tuple[float, float]) -> dict[str, Any]:
    """One row of the steps table; steps count from 1 here."""
    rewards_B = np.array([t.reward for t in rollout.trajectories])
    scores_B = lesson.scores_B
    accuracy = None if scores_B is None else journal.balanced_accuracy(scores_B, rewards_B > 0.5)
    return {
        "step": step,
        "reward": float(rewards_B.mean()),
        "finished": float(np.mean([t.finished for t in rollout.trajectories])),
        "solution_tokens": float(np.mean([len(t.solution_ids) for t in rollout.trajectories])),
        "verifier_balanced_accuracy": accuracy,
        **{name: value for name, value in vars(lesson).items() if name != "scores_B"},
        "tokens_sampled": rollout.tokens_sampled,
        "tokens_values": rollout.tokens_values,
        "seconds_sample": seconds[0],
        "seconds_update": seconds[1],
    }


def _drop(line: str) -> None:
    """The log of every rank but the first."""


@contextmanager
def _bar(start: int, total: int) -> Iterator[Callable[[], object]]:
    """A progress bar if the output is a terminal; a log gets its lines anyway."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from tqdm import tqdm

    with tqdm(total=total, initial=start, unit="step", leave=False) as bar:
        yield bar.update
