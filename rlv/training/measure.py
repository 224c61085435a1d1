"""What the verification objective costs: steps with and without it, on the same rollouts, in one run.

Left out on purpose: the ratio and its interval (evaluation's claim `overhead`); this only measures.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import torch

from rlv import tables
from rlv.errors import StudyError
from rlv.training.batches import Trajectory
from rlv.training.learner import Learner, make_learner
from rlv.training.policy import load_policy, load_reference
from rlv.training.run import Run
from rlv.training.sources import Sampled
from rlv.training.update import learn


def measure_overhead(
    run: Run,
    model_dir: Path,
    problems: pl.DataFrame,
    repeats: int,
    log: Callable[[str], None],
) -> pl.DataFrame:
    """`repeats` training steps, each learned from twice: λ = 0 ("rl") and the run's λ ("rl_v").

    Returns an overhead table, two rows a repeat: `tokens` of one training step (sampled, continuations for
    values too, and read by the update, I included), seconds of sampling (shared by the pair) and of the
    update. Both learners start every repeat from the same weights, and take turns at going first; all
    solutions are sampled before, so that the engine's memory is free again when there are two learners.
    Raises StudyError if λ = 0.
    """
    if not run.verifies:
        raise StudyError("verification.coefficient: 0, nothing to measure; use a reasoner with verification")
    torch.set_num_threads(run.threads)
    policy = load_policy(model_dir, problems, run)
    rollouts = []
    with Sampled(problems).open(policy, run) as batch_of:
        # The first warms up caches and optimizer states, and is not counted.
        for step in range(repeats + 1):
            started = time.perf_counter()
            rollout = batch_of(step)
            assert rollout is not None  # nothing here listens to signals
            rollouts.append((rollout, time.perf_counter() - started))
    reference = load_reference(policy, run)
    runs = {"rl": run.but(verification_coefficient=0.0), "rl_v": run}
    learners = {
        name: make_learner(copy.deepcopy(policy.model), policy.tokenizer, c, reference)
        for name, c in runs.items()
    }
    del policy
    # With a head of its own, "rl_v" has all that "rl" has, and more.
    start = {key: value.detach().clone() for key, value in learners["rl_v"].reader.state_dict().items()}
    rows = []
    for repeat, (rollout, seconds_sample) in enumerate(rollouts, start=-1):
        sampled = rollout.tokens_sampled + rollout.tokens_values
        turns = ("rl", "rl_v") if repeat % 2 == 0 else ("rl_v", "rl")
        for name in turns:
            tokens, seconds = _timed_update(
                learners[name], rollout.trajectories, runs[name], repeat + 1, start
            )
            rows.append(
                {
                    "repeat": repeat,
                    "objective": name,
                    "tokens": tokens + sampled,
                    "seconds_sample": seconds_sample,
                    "seconds_update": seconds,
                }
            )
        if repeat >= 0:
            log(_line(rows[-2:], repeat, repeats))
    return tables.check(
        tables.frame("overhead", [row for row in rows if row["repeat"] >= 0]), "overhead", "overhead"
    )


def _timed_update(
    learner: Learner,
    trajectories: Sequence[Trajectory],
    run: Run,
    step: int,
    start: dict[str, torch.Tensor],
) -> tuple[int, float]:
    """(tokens trained, seconds) of learning from the trajectories, from the start weights."""
    learner.reader.load_state_dict({key: start[key] for key in learner.reader.state_dict()})
    _wait(learner.device)
    started = time.perf_counter()
    lesson = learn(learner, trajectories, run, step)
    _wait(learner.device)
    return lesson.tokens_trained, time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _line(pair: list[dict], repeat: int, repeats: int) -> str:
    seconds = {row["objective"]: row["seconds_sample"] + row["seconds_update"] for row in pair}
    tokens = {row["objective"]: row["tokens"] for row in pair}
    return (
        f"repeat {repeat + 1}/{repeats}: a step takes {seconds['rl']:.2f} s without and "
        f"{seconds['rl_v']:.2f} s with verification, {tokens['rl']:,} and {tokens['rl_v']:,} tokens"
    )
