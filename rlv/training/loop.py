"""The training loop of RL^V: sample, grade, compute advantages, learn, write down.

    train(run, Sampled(problems), model_dir=..., work_dir=..., out_dir=..., log=print)

The loop does not know which advantage runs, nor where its batches come from: a source (sources.py,
recorded.py) hands them over. On several ranks each runs this loop: they divide a step's problems, send each
other their solutions, and divide the update (update.py); the first rank writes. Left out on purpose:
evaluation (a stage of its own), and starting the ranks (launch.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rlv.job.stop import listening
from rlv.training import norms
from rlv.training.learner import make_learner
from rlv.training.logbook import Logbook
from rlv.training.policy import check_lengths, load_policy, load_reference
from rlv.training.ranks import ALONE, Ranks
from rlv.training.reproducible import reproducible
from rlv.training.run import Run
from rlv.training.sources import Source
from rlv.training.update import learn


def train(
    run: Run,
    source: Source,
    *,
    model_dir: Path,
    work_dir: Path,
    out_dir: Path,
    log: Callable[[str], None],
    ranks: Ranks = ALONE,
) -> dict[str, Any]:
    """Train the model in `model_dir` on the batches of a source; the first rank's `log` gets one line a step.

    `work_dir` holds checkpoints and is the caller's to remove once `out_dir` is published, which gets
    model.safetensors, its configuration and tokenizer as transformers writes them, in config.json the entry
    `verification` (rlv/models/verification.py),
    head/verification.safetensors if a head was trained, steps.parquet, and rollouts.parquet with every
    solution that was sampled. A run that was killed at any moment goes on from its last checkpoint. On the
    CPU, the same arguments give the same weights, bit for bit, however often that happens; on another number
    of ranks, the same but for rounding.

    Returns {steps, resumed_from, tokens (sampled + trained), reward_first, reward_last} for the manifest, and
    `earlier` if other processes did the first steps: where, with what, for how long. Raises DataError (too
    few problems), ModelError (a model that does not fit), StudyError (recorded solutions without the
    verification objective or with a KL term), StoreError (`work_dir` holds another run's checkpoints),
    StoppedError (a signal asked to stop, and all that is finished is saved).
    """
    with reproducible(run), listening() as stop:
        book = Logbook(run, source, work_dir, log, ranks)
        policy = load_policy(model_dir, source.problems, run)
        check_lengths(policy, run, source.longest(run.training))
        learner = make_learner(
            policy.model,
            policy.tokenizer,
            run,
            load_reference(policy, run),
            labels_only=not source.origin.policy_learns,
            ranks=ranks,
            n_steps=book.n_steps,
        )
        book.open(learner, policy)
        with book.watching(stop), source.open(policy, run, ranks, stop) as batch_of:
            for step in book.steps_left():
                started = time.perf_counter()
                # G solutions y ~ π_θ(· | x) of each of P problems x, their rewards r, and advantages A(r).
                batch = batch_of(step)
                sampled = time.perf_counter()
                if batch is not None:
                    # θ up the gradient of J_RL(θ) + λ · J_verify(θ), epochs × minibatches times.
                    lesson = learn(learner, batch.trajectories, run, step, norms_apart=norms.due(step))
                    book.write_down(batch, lesson, (sampled - started, time.perf_counter() - sampled))
                if batch is None or ranks.any(stop.requested):
                    book.save()
                    break
        book.require_end()
        book.leave(out_dir)
    return book.facts()
