"""Where the batches of a training run come from: sampled as it learns (here), or recorded (recorded.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol

import polars as pl

from rlv.answers import Grader, extract_answer
from rlv.job.stop import Abandoned, Stop
from rlv.sampling.engines import open_rollout_engine
from rlv.study.types import Training
from rlv.training.handover import sampling_weights
from rlv.training.origin import SAMPLED, Origin
from rlv.training.policy import Policy
from rlv.training.ranks import ALONE, Ranks
from rlv.training.rollout import Rollout, choose_problems, collect, merged
from rlv.training.run import Run

# The batch of a training step, counted from 0; None if the run was asked to stop meanwhile.
Batches = Callable[[int], Rollout | None]


class Source(Protocol):
    """The batches of a run.

    `problems`: the problems table; `origin`: whether its solutions are recorded, and what learns from them.
    """

    problems: pl.DataFrame
    origin: Origin

    def n_steps(self, training: Training) -> int:
        """How many batches there are."""
        ...

    def longest(self, training: Training) -> int:
        """Tokens of the longest solution that can come."""
        ...

    def fingerprint(self) -> bytes:
        """What decides batches and learning beside settings, weights and problems."""
        ...

    def open(
        self, policy: Policy, run: Run, ranks: Ranks = ALONE, stop: Stop | None = None
    ) -> AbstractContextManager[Batches]:
        """The batches of a policy, while the block runs. `stop`: sampling ends early if it is set."""
        ...


class Sampled:
    """Batches that the policy samples when they are asked for, with the weights it has then."""

    def __init__(self, problems: pl.DataFrame, origin: Origin = SAMPLED) -> None:
        self.problems = problems
        self.origin = origin

    def n_steps(self, training: Training) -> int:
        """Steps of the study's training settings."""
        return training.steps

    def longest(self, training: Training) -> int:
        """The budget of a sampled solution, in tokens."""
        return training.max_tokens

    def fingerprint(self) -> bytes:
        """Empty if the policy learns: settings, weights and problems decide the batches."""
        return b"" if self.origin.policy_learns else b"only the verifier learns"

    @contextmanager
    def open(
        self, policy: Policy, run: Run, ranks: Ranks = ALONE, stop: Stop | None = None
    ) -> Iterator[Batches]:
        """Ranks take the step's problems in turn, whole; every rank gets the solutions of all."""
        stop, training = stop or Stop(), run.training
        model, tokenizer, prompts = policy.model, policy.tokenizer, policy.prompts
        opened = open_rollout_engine(model, tokenizer, policy.folder, run.training, run.threads)
        with Grader(workers=1) as grader, opened as engine:

            def sampled(step: int) -> Rollout | None:
                chosen = choose_problems(
                    len(prompts), training.problems_per_step, step, training.seed
                ).tolist()
                rollout = None
                try:
                    with sampling_weights(engine, model, step), suppress(Abandoned):
                        rollout = collect(
                            [prompts[i] for i in chosen[ranks.rank :: ranks.size]],
                            step,
                            run,
                            engine=engine,
                            tokenizer=tokenizer,
                            extract_answer=extract_answer,
                            rewards=grader.rewards,
                            progress=stop.progress,
                        )
                except Exception:
                    # Perhaps the engine was ended by the signal that asked this process to stop.
                    if not stop.requested:
                        raise
                if ranks.any(rollout is None or stop.requested):
                    return None
                assert rollout is not None
                return merged(ranks.gathered(rollout), len(chosen), training.solutions_per_problem)

            yield sampled
