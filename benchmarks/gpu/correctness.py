"""Part a: results of the GPU against those of the CPU, in float32 and in bfloat16.

Joint loss and gradients of a tiny model against one with float64 weights on the CPU; in bfloat16 the GPU's
gradient may be twice as far from it as the CPU's in bfloat16. Log-probabilities when sampled against the
trainer's when first learned from, through the real loop, at temperatures 1 and 0.6. P(Yes) of the mini base
on its own solutions against the CPU's.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from benchmarks.gpu.rows import Row, at_most, noted
from benchmarks.gpu.sizes import Sizes
from benchmarks.step_workloads import MINI_BASE, make_workload, write_random_model
from rlv import tables
from rlv.mini.task import problems as mini_problems
from rlv.models import load_model, pick_device
from rlv.prompts import label_ids, solver_ids, verification_ids
from rlv.sampling import Request, SamplingParams, request_seed
from rlv.sampling.transformers_engine import TransformersEngine
from rlv.scoring import SCORES
from rlv.scoring.readers import transformers_verifier
from rlv.scoring.verifier import score_solutions
from rlv.training import losses
from rlv.training.batches import Trajectory, micro_batches
from rlv.training.forward import Reader
from rlv.training.loop import train
from rlv.training.run import Run
from rlv.training.sources import Sampled

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PART = "a"
# Relative. A loss is one number, whose errors cancel now and then, so bfloat16 has a bar of its own there.
LOSS = {"float32": 1e-4, "bfloat16": 1e-3}
GRADIENT = 1e-4  # of float32; bfloat16 keeps 8 bits, and what they make of it is measured on the CPU
TIMES_THE_CPU = 2.0
GAPS = {"float32": 1e-4, "bfloat16": 0.05}  # nats, mean over tokens
PROBABILITIES = {"float32": 1e-4, "bfloat16": 0.1}  # of a probability, the largest difference


@dataclass(frozen=True)
class Learned:
    """Joint loss and all its gradients, one after the other, in float64 on the CPU."""

    loss: float
    gradient: Tensor


def run(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Rows of all comparisons."""
    del folder  # the large model is not needed
    yield from losses_and_gradients()
    yield from sampled_logprobs(sizes)
    yield from scores(sizes.solutions)


def losses_and_gradients() -> Iterator[Row]:
    """Policy and verification together, of a tiny model, on a batch with clipped and unclipped tokens."""
    with tempfile.TemporaryDirectory() as scratch:
        write_random_model(Path(scratch), "tiny")
        model, tokenizer = load_model(Path(scratch), "float32")
    torch.nn.Module.to(model, "cpu")
    trajectories = make_workload(len(tokenizer), 4, 4, (6, 20), (4, 40)).trajectories()
    cpu, device = torch.device("cpu"), pick_device()
    truth = joint_gradient(model, tokenizer, trajectories, torch.float64, cpu)
    found = joint_gradient(model, tokenizer, trajectories, torch.float32, device)
    beside = "float64 weights on the CPU"
    yield at_most(
        PART, "joint loss, float32: relative error", _loss_error(found, truth), LOSS["float32"], beside
    )
    yield at_most(PART, "its gradient, float32: relative error", _error(found, truth), GRADIENT, beside)
    found = joint_gradient(model, tokenizer, trajectories, torch.bfloat16, device)
    what = "joint loss, bfloat16: relative error"
    yield at_most(PART, what, _loss_error(found, truth), LOSS["bfloat16"], beside)
    plain = joint_gradient(model, tokenizer, trajectories, torch.bfloat16, cpu)
    bound = TIMES_THE_CPU * _error(plain, truth)
    beside = f"{TIMES_THE_CPU:g} x the CPU's in bfloat16"
    yield at_most(PART, "its gradient, bfloat16: relative error", _error(found, truth), bound, beside)


def joint_gradient(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    trajectories: Sequence[Trajectory],
    dtype: torch.dtype,
    device: torch.device,
) -> Learned:
    """−J and its gradient at λ = 0.3 from one micro-batch, with a policy that has moved since it sampled.

    The old log-probabilities are the model's own, moved by up to 0.4 nats either way, the same whatever the
    type: ratios beyond the clip on both sides.
    """
    reader = Reader(copy.deepcopy(model), label_ids(tokenizer)).to(device=device, dtype=dtype)
    (part,) = micro_batches(
        trajectories,
        range(len(trajectories)),
        verification_ids(tokenizer, "chat"),
        padded_tokens=10**9,
        pad_id=0,
        device=device,
    )
    reading = reader(part)
    assert reading.logprobs_S is not None and reading.verification_BX is not None
    shift_S = torch.linspace(-0.4, 0.4, len(reading.logprobs_S), device=device)
    advantages = np.concatenate([t.advantages for t in trajectories]).astype(np.float32)
    advantages_S = torch.as_tensor(advantages, device=device)[part.slots_S]
    policy, _ = losses.policy_loss(
        reading.logprobs_S,
        reading.logprobs_S.detach() + shift_S,
        advantages_S,
        clip_low=0.2,
        clip_high=0.2,
        n_tokens=len(shift_S),
    )
    rewards_B = torch.tensor([t.reward > 0.5 for t in trajectories], device=device)[part.trajectories_B]
    verification = losses.generative_loss(
        reading.verification_BX,
        rewards_B,
        losses.class_weights(rewards_B, bound=4.0),
        n_solutions=len(trajectories),
    )
    loss = losses.joint_loss(policy, None, verification, kl_coefficient=0.0, verification_coefficient=0.3)
    loss.backward()
    gradients = [p.grad.flatten().double().cpu() for p in reader.parameters() if p.grad is not None]
    return Learned(float(loss), torch.cat(gradients))


def _error(found: Learned, truth: Learned) -> float:
    return float((found.gradient - truth.gradient).norm() / truth.gradient.norm())


def _loss_error(found: Learned, truth: Learned) -> float:
    return abs(found.loss / truth.loss - 1)


def sampled_logprobs(sizes: Sizes) -> Iterator[Row]:
    """`logprob_gap` of the first step of a training run, at each temperature and type."""
    problems = training_problems()
    for dtype, bound in GAPS.items():
        for temperature in (1.0, 0.6):
            config = Run.of(
                advantage="grpo",
                verification_coefficient=0.3,
                steps=1,
                problems_per_step=sizes.problems_per_step,
                max_tokens=48,
                temperature=temperature,
                dtype=dtype,
            )
            with tempfile.TemporaryDirectory() as scratch:
                out = Path(scratch) / "out"
                train(
                    config,
                    Sampled(problems),
                    model_dir=MINI_BASE,
                    work_dir=Path(scratch) / "work",
                    out_dir=out,
                    log=lambda _: None,
                )
                gap = tables.read(out / "steps.parquet", "steps")["logprob_gap"].item()
            what = f"log-probabilities when sampled, T = {temperature:g}, {dtype}: mean difference"
            yield at_most(PART, what, gap, bound, "the trainer's own", "nats")


def training_problems() -> pl.DataFrame:
    """Problems of training of the study `slips`, whose base reads them."""
    rows = mini_problems("quadratic", 9, "train", 256, 0)
    return pl.DataFrame(rows, schema=tables.SCHEMAS["problems"])


def scores(n: int) -> Iterator[Row]:
    """P(Yes | x, y, I) of the mini base on n of its own solutions."""
    questions = training_problems()["question"].head(n // 8)
    model, tokenizer = load_model(MINI_BASE, "float32")
    requests = [
        Request(str(i), g, tuple(solver_ids(tokenizer, question, "plain")), request_seed(0, str(i), g))
        for i, question in enumerate(questions)
        for g in range(8)
    ]
    sampled = TransformersEngine(model, tokenizer).sample(requests, SamplingParams(max_tokens=48))
    prompts, solutions = [r.prompt_ids for r in requests], [s.token_ids for s in sampled]

    plain = AutoModelForCausalLM.from_pretrained(MINI_BASE, dtype=torch.float32).eval()

    def yes(model: PreTrainedModel) -> np.ndarray:
        verifier = transformers_verifier(SCORES["judge"], model, tokenizer)
        return score_solutions(verifier, prompts, solutions, "plain")[0]

    truth = yes(plain)
    for dtype, bound in PROBABILITIES.items():
        model, _ = load_model(MINI_BASE, dtype)
        found = yes(model)
        error = float(np.abs(found - truth).max())
        beside = f"the CPU's in float32, {len(found)} solutions"
        yield at_most(PART, f"P(Yes), {dtype}: largest difference", error, bound, beside)
    yield noted(
        PART,
        "P(Yes): standard deviation over solutions",
        float(truth.std()),
        "",
        "what differs is small beside it",
    )
