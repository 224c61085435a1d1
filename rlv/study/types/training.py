"""How a model is trained: reinforcement learning, verification, and the reasoners that come of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from rlv.study.types.section import (
    LARGEST_SEED,
    ForKl,
    FormerlyFixed,
    ForSampling,
    ForValues,
    ForVerification,
    How,
    Name,
    Section,
    Young,
)

EngineName = Literal["transformers", "vllm"]
Schedule = Literal["constant", "linear", "cosine"]
Beta = Annotated[float, Field(ge=0, lt=1)]


class Verification(Section):
    """The verification objective of RL^V."""

    coefficient: float = Field(
        default=0.0, ge=0.0, description="lambda, the weight of J_verify; 0 is the base method"
    )
    objective: ForVerification[str] = Field(
        default="generative",
        description="`generative`: Yes or No as the next token; `bce`, `regression`: a head on the shared "
        "backbone; or your own",
    )
    weight_bound: ForVerification[float] = Field(
        default=4.0, ge=1.0, description="class-balance weights stay in [1/bound, bound]"
    )


class Training(Section):
    """Value-free RL."""

    steps: ForSampling[int] = Field(default=120, ge=1, description="batches of fresh solutions")
    problems_per_step: ForSampling[int] = Field(default=16, ge=1, description="problems in a batch (P)")
    solutions_per_problem: ForSampling[int] = Field(
        default=8, ge=2, description="solutions of a problem in a batch (G)"
    )
    epochs: int = Field(default=1, ge=1, description="passes over a batch")
    minibatches: int = Field(default=1, ge=1, description="optimizer steps a pass")
    learning_rate: float = Field(default=1e-4, gt=0, description="AdamW's peak")
    schedule: Young[Schedule] = Field(
        default="constant",
        description="of the learning rate after the warm-up; a decay ends at 0 with the run",
    )
    warmup_steps: int = Field(default=5, ge=0, description="linear warm-up, in optimizer steps")
    warmup_share: Young[float | None] = Field(
        default=None, ge=0, le=1, description="instead of `warmup_steps`: of all optimizer steps of the run"
    )
    betas: FormerlyFixed[tuple[Beta, Beta]] = Field(
        default=(0.9, 0.95), description="AdamW: how much of each moment a step keeps, first and second"
    )
    weight_decay: float = Field(default=0.0, ge=0, description="AdamW's decoupled weight decay")
    gradient_clip: float = Field(
        default=1.0,
        gt=0,
        description="largest norm of the gradient, policy and verification together: if the second is the "
        "larger, it shrinks the step of the first (rlv/training/norms.py)",
    )
    clip_low: ForSampling[float] = Field(
        default=0.2, gt=0, lt=1, description="PPO clip: ratios below 1 - clip_low are cut"
    )
    clip_high: ForSampling[float] = Field(
        default=0.2, gt=0, description="PPO clip: ratios above 1 + clip_high are cut"
    )
    dual_clip: ForSampling[Young[float | None]] = Field(
        default=None,
        gt=1,
        description="PPO clip: ratios above this are cut if the advantage is negative, too; absent: not",
    )
    kl_coefficient: ForSampling[float] = Field(
        default=0.0, ge=0, description="weight of the k3 KL estimate to the start model"
    )
    kl_clamp: ForSampling[ForKl[Young[float | None]]] = Field(
        default=None,
        gt=0,
        description="a token's k3 estimate is at most this and has no gradient beyond; absent: no bound",
    )
    temperature: ForSampling[float] = Field(
        default=1.0,
        gt=0,
        description="of the rollouts, and of the log-probabilities that the trainer differentiates",
    )
    top_p: ForSampling[float] = Field(
        default=1.0,
        gt=0,
        le=1,
        description="of the rollouts; 1 is the only value: the trainer differentiates the whole vocabulary",
    )
    max_tokens: ForSampling[int] = Field(default=64, ge=1, description="longest rollout")
    continuations: ForSampling[ForValues[int]] = Field(
        default=4, ge=1, description="Monte-Carlo continuations from every step boundary (K)"
    )
    valued_steps: ForSampling[ForValues[Young[int | None]]] = Field(
        default=None,
        ge=1,
        description="so many steps of a solution are valued at most, others merged with their "
        "neighbours, evenly; absent: all are",
    )
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="order of problems and seeds of rollouts")
    engine: ForSampling[Young[EngineName]] = Field(
        default="transformers", description="the engine that samples the rollouts"
    )
    dtype: Young[Literal["float32", "bfloat16"]] = Field(
        default="float32",
        description="of weights in passes and of the result; AdamW's own copy is float32 in any case",
    )
    ranks: How[int] = Field(default=1, ge=1, description="processes, one a GPU")
    nodes: How[int] = Field(default=1, ge=1, description="machines that the ranks are divided over")
    zero_stage: How[Literal[0, 1, 2, 3]] = Field(
        default=0,
        description="DeepSpeed ZeRO: divides optimizer (1), gradients (2) and weights (3) over ranks",
    )
    offload: How[bool] = Field(default=False, description="optimizer states in main memory; ZeRO 1 to 3")
    gradient_checkpointing: How[bool] = Field(
        default=False, description="recompute activations instead of keeping them"
    )
    max_batch: How[int] = Field(default=256, ge=1, description="rollouts in flight at once on a rank")
    save_every: How[int] = Field(default=20, ge=1, description="steps between checkpoints")
    show_every: How[int] = Field(default=20, ge=1, description="steps between solutions shown in the log")
    tokens_per_microbatch: How[int] = Field(
        default=2048, ge=1, description="padded tokens in one forward pass"
    )

    @property
    def updates_per_step(self) -> int:
        """Optimizer updates a step: epochs × minibatches."""
        return self.epochs * self.minibatches

    def faults(self, *, sampled: bool) -> Iterator[tuple[str, str]]:
        """(Setting, message) of settings that do not fit one another or the trainer.

        Only the settings of a whole run can be judged, so this is no validator: each section of a study may
        state a part of them. `sampled`: whether the run samples its solutions.
        """
        batch = self.problems_per_step * self.solutions_per_problem
        if sampled and self.minibatches > batch:
            yield "minibatches", f"{self.minibatches} of {batch} solutions a step"
        if sampled and self.top_p != 1:
            yield (
                "top_p",
                f"found {self.top_p}; it must be 1: rollouts would come from a part of the vocabulary, and "
                "the policy whose gradient is taken has all of it; a lower `temperature` sharpens both alike",
            )
        if self.ranks % self.nodes:
            yield "nodes", f"{self.nodes} nodes cannot have equally many of {self.ranks} ranks"
        if self.offload and self.zero_stage == 0:
            yield "offload", "nothing can be offloaded at zero_stage 0; 1, 2 or 3 would do"


class Temperature(Section):
    """The temperature of a reasoner's solutions: a number, or `{best_of: [...]}`, chosen among several."""

    best_of: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        min_length=1,
        description="increasing; the first with the highest accuracy of one solution on the problems of "
        "`tuning` is taken; a number stands for a list of itself, and needs no choice",
    )

    @model_validator(mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return {"best_of": [value]} if is_number else value


class Reasoner(Section):
    """A model that writes solutions: a start model as it is, or trained from it."""

    model: Name | None = Field(
        default=None, description="the model that it starts from (a name under `models`)"
    )
    samples: Name | None = Field(
        default=None,
        description="instead of `model`: its solutions are there already (a name under `samples`)",
    )
    dataset: Name | None = Field(default=None, description="what it is trained on; absent: not trained")
    advantage: str | None = Field(
        default=None,
        description="how reward becomes gradient: `grpo`, `leave_one_out`, `vineppo`, or your own",
    )
    recorded_by: Name | None = Field(
        default=None,
        description="instead of `dataset`: learns to verify, and nothing else, from the solutions that this "
        "reasoner's training recorded (a separate verifier)",
    )
    verification: Verification = Field(default=Verification(), description="lambda and what belongs to it")
    training: dict[str, Any] = Field(default={}, description="what differs from the study's `training`")
    temperature: Temperature | None = Field(
        default=None,
        description="of its solutions for evaluation, instead of `sampling.temperature`: a number, or "
        "`{best_of: [...]}`",
    )
    verifiers: tuple[Name, ...] = Field(
        default=(), description="verifiers that score its solutions (names under `verifiers`)"
    )
    evaluate_on: tuple[Name, ...] = Field(default=(), description="data sets that it is evaluated on")
