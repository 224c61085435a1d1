"""Part c: a training step at 1.5 B parameters, with and without verification, beside the estimate.

One learner takes turns: with the verification prompt at the end of each sequence, and without. Tokens a
second count prompts and solutions. Model FLOPs utilisation is 3 forward passes' worth of FLOPs a token (no
recomputation) over the GPU's dense peak (Chowdhery et al. 2022, appendix B). Memory is the largest sum of
torch's allocations, compared with `rlv plan --estimate`'s for the phase in which the model learns.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks.gpu.rows import Row, at_least, at_most, noted, within
from benchmarks.gpu.sizes import Sizes, StepSize
from benchmarks.step_workloads import Workload, make_workload
from rlv.estimate import hours
from rlv.estimate.gpus import local_gpu
from rlv.job.assumptions import Assumptions
from rlv.job.work import Pass, Size
from rlv.models import load_model, pick_device
from rlv.models.work import pass_flops, size_from_config
from rlv.training import memory
from rlv.training.learner import Learner, make_learner
from rlv.training.run import Run
from rlv.training.update import learn

PART = "c"
OVERHEAD = 1.05
MEMORY_SHARE = 0.15
UTILISATION = 0.30
GIB = 2.0**30


@dataclass(frozen=True)
class Measured:
    """Steps of one workload: seconds of each without and with verification, and the first step's norm.

    `tokens` as speed counts them; `read` with the verification prompt; `peak` in bytes, 0 without a GPU.
    """

    plain: list[float]
    verifying: list[float]
    tokens: int
    read: int
    norm: float
    peak: int

    @property
    def speed(self) -> float:
        """Tokens a second of the median step without verification."""
        return self.tokens / statistics.median(self.plain)


def config_of(sizes: Sizes, step: StepSize) -> Run:
    """The training run whose update is measured, λ = 0.3."""
    return Run.of(
        advantage="grpo",
        verification_coefficient=0.3,
        problems_per_step=step.sequences // step.group,
        solutions_per_problem=step.group,
        learning_rate=1e-6,
        max_tokens=step.solution[1],
        prompt_style="chat",
        dtype=sizes.dtype,
        tokens_per_microbatch=step.microbatch,
        gradient_checkpointing=step.checkpointing,
    )


def workload_of(step: StepSize, vocabulary: int) -> Workload:
    """The step's solutions, the same for us and the peer."""
    return make_workload(vocabulary, step.sequences // step.group, step.group, step.prompt, step.solution)


def open_learner(folder: Path, run: Run) -> Learner:
    """The model of a folder under DeepSpeed, as a training run has it."""
    model, tokenizer = load_model(folder, run.training.dtype)
    return make_learner(model, tokenizer, run)


def measure(learner: Learner, step: StepSize, run: Run, repeats: int) -> Measured:
    """Steps in turn without and with verification, after one of each that is not timed."""
    if step.checkpointing:
        learner.model.gradient_checkpointing_enable({"use_reentrant": False})
    else:
        learner.model.gradient_checkpointing_disable()
    vocabulary = int(learner.model.config.get_text_config().vocab_size)
    workload = workload_of(step, vocabulary)
    trajectories = workload.trajectories()
    labels = learner.reader.label_ids
    variants = {
        False: (replace(learner, instruction_ids=()), run.but(verification_coefficient=0.0), None),
        True: (learner, run, labels),
    }
    seconds: dict[bool, list[float]] = {False: [], True: []}
    norms, read = [], 0
    _forget_peak()
    for repeat in range(repeats + 1):
        for verifies in (False, True) if repeat % 2 == 0 else (True, False):
            variant, how, learner.reader.label_ids = variants[verifies]
            wait()
            started = time.perf_counter()
            lesson = learn(variant, trajectories, how, repeat)
            wait()
            seconds[verifies].append(time.perf_counter() - started)
            if verifies:
                read = lesson.tokens_trained
            else:
                norms.append(lesson.grad_norm)
    learner.reader.label_ids = labels
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return Measured(seconds[False][1:], seconds[True][1:], workload.tokens, read, norms[0], peak)


def run(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Rows of all lengths; `folder` has the model."""
    size = replace(size_from_config(json.loads((folder / "config.json").read_text())), dtype=sizes.dtype)
    learner = open_learner(folder, config_of(sizes, sizes.steps[0]))
    for step in sizes.steps:
        run = config_of(sizes, step)
        found = measure(learner, step, run, sizes.repeats)
        yield from _rows(step, run, found, size, longest=step == sizes.steps[-1])


def _rows(step: StepSize, run: Run, found: Measured, size: Size, *, longest: bool) -> Iterator[Row]:
    name, plain = f"{step.name} tokens a sequence", statistics.median(found.plain)
    beside = f"{found.tokens:,} tokens" + (", checkpointing" if step.checkpointing else "")
    yield noted(PART, f"{name}: a training step", found.speed, "tokens/s", beside)
    what, ratio = f"{name}: seconds with verification", statistics.median(found.verifying) / plain
    yield at_most(PART, what, ratio, OVERHEAD, "the same steps without", "x", at_size=True)
    yield noted(PART, f"{name}: tokens with verification", found.read / found.tokens, "x", "the same without")
    one = Pass("learned", step.sequences, 0, step.prompt[1] + step.solution[1], step.sequences)
    gpu = local_gpu()
    if gpu is not None:
        share = pass_flops(one, size) / plain / gpu.flops(run.training.dtype)
        beside = f"{gpu.name}'s {gpu.flops(run.training.dtype) / 1e12:.0f} TFLOP/s"
        what = f"{name}: model FLOPs utilisation"
        # The bar is for long sequences, whose steps are all arithmetic.
        bar = at_least(PART, what, share, UTILISATION, beside, at_size=True)
        yield bar if longest else noted(PART, what, share, "", beside)
        made = replace(one, recomputed=step.checkpointing)
        guess = hours.seconds(made, size, hours.Machine(gpu), Assumptions())
        what, beside = f"{name}: seconds over the estimate's", f"{guess:.2f} s estimated"
        yield noted(PART, what, plain / guess, "x", beside)
    if found.peak:
        guess = estimated_bytes(size, run, step)
        beside = f"{guess / GIB:.1f} GiB estimated"
        yield noted(PART, f"{name}: peak memory", found.peak / GIB, "GiB", beside)
        yield within(PART, f"{name}: memory over the estimate's", found.peak / guess, MEMORY_SHARE, beside)


def estimated_bytes(size: Size, run: Run, step: StepSize) -> float:
    """The estimate of `rlv plan --estimate` for the phase in which a model learns."""
    params = {"dtype": run.training.dtype, "max_tokens": step.solution[1]}
    params |= {"problems_per_step": run.training.problems_per_step, "solutions_per_problem": step.group}
    how = {
        "ranks": 1,
        "zero_stage": run.training.zero_stage,
        "offload": False,
        "gradient_checkpointing": step.checkpointing,
        "tokens_per_microbatch": step.microbatch,
        "max_batch": run.training.max_batch,
    }
    phases = memory.training_memory(size, params, how, step.prompt[1])
    return max(phase.total for phase in phases if phase.when == "learning")


def wait() -> None:
    """Wait until the GPU has finished its work."""
    if pick_device().type == "cuda":
        torch.cuda.synchronize()


def _forget_peak() -> None:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
