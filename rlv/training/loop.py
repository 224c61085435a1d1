"""The training loop: sample, grade, learn, write down; killed at any moment, it goes on where it stood.

    train(run, model_dir=..., problems=..., work_dir=..., out_dir=..., log=print)

`work_dir` holds checkpoints and is the caller's to remove once `out_dir` is published: model.safetensors, its
configuration and tokenizer as transformers writes them, head/verification.safetensors where a head was
trained, steps.parquet, and rollouts.parquet with every solution that was sampled. The loop does not know
which advantage runs, nor whether its batches are sampled now or were recorded by another run.

On several ranks each runs this loop: they divide a step's problems, tell each other their solutions, and
divide the update (update.py); the first rank writes. Left out on purpose: evaluation (a stage of its own),
and starting the ranks (launch.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch

from rlv import tables
from rlv.answers import Grader, extract_answer
from rlv.errors import DataError, ModelError, StoppedError
from rlv.job import machine
from rlv.job.stop import Abandoned, Stop, listening
from rlv.models import heads, load_model, pick_device
from rlv.prompts import verification_ids
from rlv.sampling.engines import open_rollout_engine
from rlv.training import checkpoints, journal
from rlv.training.checkpoints import Progress
from rlv.training.handover import sampling_weights
from rlv.training.lesson import Lesson
from rlv.training.objectives import OBJECTIVES
from rlv.training.ranks import ALONE, Ranks
from rlv.training.recorded import RecordedBatches, Recorder, fingerprint
from rlv.training.rollout import Prompt, Rollout, choose_problems, collect, merged, read_prompts
from rlv.training.run import Run
from rlv.training.update import Learner, learn, make_learner
from rlv.training.weights import whole_state, write_model

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# What benchmarks hold weights in.
WEIGHTS = "float32"
# Steps from one whose gradient norms are measured apart to the next; the first is one, too. A constant, since
# a table may not depend on how often something is shown.
APART_EVERY = 20


# The batch of a training step, counted from 0; None where the run was asked to stop meanwhile.
Source = Callable[[int], Rollout | None]


def train(
    run: Run,
    *,
    model_dir: Path,
    problems: pl.DataFrame,
    work_dir: Path,
    out_dir: Path,
    log: Callable[[str], None],
    recorded: pl.DataFrame | None = None,
    ranks: Ranks = ALONE,
) -> dict[str, Any]:
    """Train the model in `model_dir` on a problems table; the first rank's `log` gets one line a step.

    With `recorded` (a rollouts table) nothing is sampled: the model learns to verify those solutions and
    nothing else, for as many steps as they have. Returns {steps, resumed_from, tokens (sampled + trained),
    reward_first, reward_last} for the manifest, and `earlier` where other processes did the first steps: who,
    where, with what, for how long. On the CPU, the same arguments give the same weights, bit for
    bit, however often the run was killed and started again; on another number of ranks, the same but for
    rounding. Raises DataError (too few problems, unknown ones), ModelError (a model that does not fit),
    StudyError (recorded solutions without the verification objective or with a KL term), StoreError
    (`work_dir` holds another run's checkpoints), StoppedError (a signal asked to stop, and all that is
    finished is saved).
    """
    if not ranks.first:
        log = _say_nothing
    began, cpu = time.perf_counter(), machine.cpu_seconds()
    with _reproducible(run), listening() as stop:
        model, tokenizer = load_model(model_dir, run.training.dtype)
        prompts = read_prompts(problems, tokenizer, run.prompt_style, run.system_prompt)
        batches = None
        longest, n_steps = run.training.max_tokens, run.training.steps
        if recorded is not None:
            batches = RecordedBatches(recorded, prompts)
            longest, n_steps = int(recorded["token_ids"].list.len().max()), len(batches)  # pyright: ignore[reportArgumentType]
        _check_lengths(model, prompts, tokenizer, run, longest)
        reference = load_model(model_dir, run.training.dtype)[0] if run.training.kl_coefficient > 0 else None
        learner = make_learner(
            model,
            tokenizer,
            run,
            reference,
            labels_only=batches is not None,
            ranks=ranks,
            n_steps=n_steps,
        )
        identity = run_identity(run, model_dir, problems, recorded)
        folder = work_dir / "checkpoints"
        progress = checkpoints.restore(learner.engine, folder, identity, ranks)
        recorder = None
        if batches is None and ranks.first:
            recorder = Recorder(work_dir / "rollouts", progress.step)
        resumed_from = saved = progress.step
        if resumed_from:
            log(f"going on after step {resumed_from} of {n_steps}")
        rows = progress.rows
        part = {"from_step": resumed_from, **machine.made_here(), "slurm_job": os.environ.get("SLURM_JOB_ID")}
        questions = dict(zip(problems["problem_id"], problems["question"], strict=True))

        def save() -> None:
            nonlocal saved
            if len(rows) > saved:
                if recorder is not None:
                    recorder.flush(len(rows))
                part.update(machine.now(), to_step=len(rows), seconds=round(time.perf_counter() - began, 3))
                part["cpu_seconds"] = round(sum(ranks.gathered(machine.cpu_seconds() - cpu)), 3)
                done = Progress(len(rows), rows, [*progress.parts, part])
                checkpoints.save(learner.engine, folder, done, identity, ranks)
                saved = len(rows)

        try:
            with (
                _source(batches, model, tokenizer, prompts, run, model_dir, ranks, stop) as source,
                _bar(resumed_from, n_steps) as tick,
            ):
                for step in range(resumed_from, n_steps):
                    started = time.perf_counter()
                    rollout = source(step)
                    if rollout is None:
                        save()
                        break
                    sampled = time.perf_counter()
                    apart = step == 0 or (step + 1) % APART_EVERY == 0
                    lesson = learn(learner, rollout.trajectories, run, step, norms_apart=apart)
                    seconds = (sampled - started, time.perf_counter() - sampled)
                    rows.append(_row(step + 1, rollout, lesson, seconds, sampled_now=batches is None))
                    log(journal.step_line(rows[-1], n_steps))
                    if (step + 1) % run.training.show_every == 0 or step == 0:
                        for line in journal.show_solutions(
                            rollout.trajectories, lesson.scores_B, questions, tokenizer
                        ):
                            log(line)
                    if recorder is not None:
                        recorder.add(step + 1, rollout.trajectories)
                    if (step + 1) % run.training.save_every == 0 or step + 1 == n_steps:
                        save()
                    tick()
                    if ranks.any(stop.requested):
                        save()
                        break
        except Exception:
            # Asked to stop, with all that is finished saved, nothing else matters: a signal reaches
            # the processes of engines and graders, too, and they may not end in peace.
            if not stop.requested or len(rows) > saved:
                raise
        if len(rows) < n_steps:
            raise StoppedError(
                f"{work_dir}: asked to stop; what is done is saved, and a rerun goes on after step {saved} "
                f"of {n_steps}"
            )
        _write_output(learner, tokenizer, rows, recorder, out_dir)
    return {
        "steps": n_steps,
        "resumed_from": resumed_from,
        "tokens": sum(row["tokens_sampled"] + row["tokens_values"] + row["tokens_trained"] for row in rows),
        "reward_first": rows[0]["reward"],
        "reward_last": rows[-1]["reward"],
        **({"earlier": progress.parts} if progress.parts else {}),
    }


@contextmanager
def sampled_batches(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    run: Run,
    model_dir: Path,
    ranks: Ranks = ALONE,
    stop: Stop | None = None,
) -> Iterator[Source]:
    """Batches that the model samples when they are asked for, with the weights it has then.

    Ranks take the step's problems in turn, whole; every rank gets the solutions of all. `model_dir`: the
    model before training, which an engine with weights of its own starts from. `stop`: what sampling is given
    up for.
    """
    stop = stop or Stop()
    with Grader(workers=1) as grader, open_rollout_engine(model, tokenizer, model_dir, run) as sampler:

        def own(chosen: Sequence[int], step: int) -> Rollout:
            if not chosen:  # more ranks than problems
                return Rollout([], 0)
            return collect(
                [prompts[i] for i in chosen],
                step,
                run,
                engine=sampler,
                tokenizer=tokenizer,
                extract_answer=extract_answer,
                rewards=grader.rewards,
                progress=stop.progress,
            )

        def sampled(step: int) -> Rollout | None:
            chosen = choose_problems(
                len(prompts), run.training.problems_per_step, step, run.training.seed
            ).tolist()
            rollout = None
            try:
                with sampling_weights(sampler, model, step), suppress(Abandoned):
                    rollout = own(chosen[ranks.rank :: ranks.size], step)
            except Exception:
                # Perhaps the engine was ended by the signal that asked this process to stop.
                if not stop.requested:
                    raise
            if ranks.any(rollout is None or stop.requested):
                return None
            assert rollout is not None
            return merged(ranks.gathered(rollout), len(chosen), run.training.solutions_per_problem)

        yield sampled


def _source(
    batches: RecordedBatches | None,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    run: Run,
    model_dir: Path,
    ranks: Ranks,
    stop: Stop,
) -> AbstractContextManager[Source]:
    if batches is None:
        return sampled_batches(model, tokenizer, prompts, run, model_dir, ranks, stop)
    return nullcontext(lambda step: Rollout(batches[step], tokens_values=0))


def run_identity(
    run: Run, model_dir: Path, problems: pl.DataFrame, recorded: pl.DataFrame | None = None
) -> str:
    """A digest of what decides the trained weights: settings, start weights, problems, recorded solutions."""
    digest = hashlib.sha256(json.dumps(run.identity(), sort_keys=True).encode())
    for path in sorted(model_dir.glob("*.safetensors")):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    digest.update(problems.select("problem_id", "question", "answer").write_json().encode())
    if recorded is not None:
        digest.update(fingerprint(recorded))
    return digest.hexdigest()


def _check_lengths(
    model: PreTrainedModel,
    prompts: Sequence[Prompt],
    tokenizer: PreTrainedTokenizerBase,
    run: Run,
    solution_tokens: int,
) -> None:
    """`solution_tokens`: of the longest solution that can come."""
    if not prompts:
        raise DataError("problems: no rows, nothing to train on")
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    longest = max(prompts, key=lambda prompt: len(prompt.ids))
    asks = run.verifies and OBJECTIVES[run.verification.objective].instructed
    instruction = len(verification_ids(tokenizer, run.prompt_style)) if asks else 0
    needed = len(longest.ids) + solution_tokens + instruction
    if positions is not None and needed > positions:
        raise ModelError(
            f"problem {longest.problem_id!r}: prompt, {solution_tokens} solution tokens and verification "
            f"prompt need {needed} positions, the model has {positions}; lower max_tokens"
        )


def _row(
    step: int,
    rollout: Rollout,
    lesson: Lesson,
    seconds: tuple[float, float],
    *,
    sampled_now: bool,
) -> dict[str, Any]:
    """One row of the steps table; steps count from 1 here. `seconds`: of sampling and of the update."""
    trajectories = rollout.trajectories
    rewards_B = np.array([t.reward for t in trajectories])
    lengths_B = np.array([len(t.solution_ids) for t in trajectories])
    scores_B = lesson.scores_B
    return {
        "step": step,
        "reward": float(rewards_B.mean()),
        "finished": float(np.mean([t.finished for t in trajectories])),
        "solution_tokens": float(lengths_B.mean()),
        "policy_loss": lesson.policy_loss,
        "verification_loss": lesson.verification_loss,
        "verifier_balanced_accuracy": None
        if scores_B is None
        else journal.balanced_accuracy(scores_B, rewards_B > 0.5),
        "kl": lesson.kl,
        "clip_fraction": lesson.clip_fraction,
        "entropy": lesson.entropy,
        "logprob_gap": lesson.logprob_gap,
        "grad_norm": lesson.grad_norm,
        "policy_grad_norm": lesson.policy_grad_norm,
        "verification_grad_norm": lesson.verification_grad_norm,
        "learning_rate": lesson.learning_rate,
        "tokens_sampled": int(lengths_B.sum()) if sampled_now else 0,
        "tokens_values": rollout.tokens_values,
        "tokens_trained": lesson.tokens_trained,
        "seconds_sample": seconds[0],
        "seconds_update": seconds[1],
    }


def _write_output(
    learner: Learner,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, Any]],
    recorder: Recorder | None,
    out_dir: Path,
) -> None:
    out_dir.mkdir(parents=True, exist_ok=True)
    write_model(learner.model, out_dir, learner.ranks)
    head = learner.reader.head
    state = None if head is None else whole_state(head)
    if learner.ranks.first:
        tokenizer.save_pretrained(out_dir)
        if head is not None and state is not None:
            kept = heads.VerificationHead(head.objective, state["weight"].numel())
            kept.load_state_dict(state)
            heads.save(kept, out_dir)
        tables.write(tables.frame("steps", rows), out_dir / "steps.parquet", "steps")
        if recorder is not None:
            tables.write(recorder.table(), out_dir / "rollouts.parquet", "rollouts")
    learner.ranks.barrier()


def _say_nothing(line: str) -> None:
    """The log of every rank but the first."""


@contextmanager
def _reproducible(run: Run) -> Iterator[None]:
    """Fixed threads and seed, and on the CPU fixed kernels: there the weights depend on all three.

    On a GPU kernels stay free: nothing is promised there, and the engine that samples in this process would
    be held to them, too. Puts the process back afterwards.
    """
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    memory: Any = torch.utils.deterministic
    fill = memory.fill_uninitialized_memory
    torch.set_num_threads(run.threads)
    torch.manual_seed(run.training.seed)
    if pick_device().type == "cpu":
        torch.use_deterministic_algorithms(True, warn_only=True)
        memory.fill_uninitialized_memory = False  # costs time, and nothing here reads such memory
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
        memory.fill_uninitialized_memory = fill


@contextmanager
def _bar(start: int, total: int) -> Iterator[Callable[[], object]]:
    """A progress bar where somebody watches a terminal; a log gets its lines anyway."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from tqdm import tqdm

    with tqdm(total=total, initial=start, unit="step", leave=False) as bar:
        yield bar.update
