"""What decides a training run, as one typed record. Defaults are the mini study's.

What `MECHANICS` names only decides how it is computed, not what: the same losses but for rounding.
Left out on purpose: reading study files (rlv/plan/reading.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from rlv.answers.steps import STEP_RULES
from rlv.errors import StudyError
from rlv.study.types import HOW_TRAINING, OBJECTIVES, TOP_P, EngineName, Schedule
from rlv.training.advantages import ADVANTAGES

# Fields that change neither the gradients (but for rounding) nor the data.
MECHANICS = HOW_TRAINING | {"threads"}
# Fields younger than stored artifacts and checkpoints: at their defaults a run is what it was without them,
# and so are its key and its identity.
YOUNG = {
    "engine": "transformers",
    "dtype": "float32",
    "dual_clip": None,
    "kl_clamp": None,
    "valued_steps": None,
    "system_prompt": None,
    "schedule": "constant",
    "warmup_share": None,
}


@dataclass(frozen=True)
class TrainingConfig:
    """One training run. A step samples one batch (P problems × G solutions) and learns from it.

    Learning-rate warm-up is linear over `warmup_steps` optimizer updates, or over `warmup_share` of all, then
    the rate follows `schedule` (schedule.py).
    `clip_low` and `clip_high` bound the PPO ratio to [1 − low, 1 + high]; `dual_clip` and `kl_clamp` bound
    what they leave unbounded (losses.py). `verification_coefficient` is λ; 0 switches the verification
    objective off. `continuations` (K), `valued_steps` and `step_rule` decide the Monte-Carlo values of the
    advantages that need them, and nothing else. `temperature` is that of the rollouts and of the policy's
    log-probabilities. `dtype` is what weights have in passes and in the result; AdamW's own copy is float32.
    `threads` and `max_batch` are of one rank. Raises StudyError for a value out of range.
    """

    advantage: str = "leave_one_out"
    continuations: int = 4
    valued_steps: int | None = None
    step_rule: str = "sentence"
    verification_objective: str = "generative"
    verification_coefficient: float = 0.0
    verification_weight_bound: float = 4.0
    steps: int = 120
    problems_per_step: int = 16
    solutions_per_problem: int = 8
    epochs: int = 1
    minibatches: int = 1
    learning_rate: float = 1e-4
    schedule: str = "constant"
    warmup_steps: int = 5
    warmup_share: float | None = None
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.95)
    gradient_clip: float = 1.0
    clip_low: float = 0.2
    clip_high: float = 0.2
    dual_clip: float | None = None
    kl_coefficient: float = 0.0
    kl_clamp: float | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 64
    prompt_style: str = "plain"
    system_prompt: str | None = None
    answer_format: str = "marker"
    seed: int = 0
    engine: str = "transformers"
    dtype: str = "float32"
    ranks: int = 1
    nodes: int = 1
    zero_stage: int = 0
    offload: bool = False
    gradient_checkpointing: bool = False
    max_batch: int = 256
    save_every: int = 20
    tokens_per_microbatch: int = 2048
    show_every: int = 20
    threads: int = 1

    def __post_init__(self) -> None:
        choices = {
            "advantage": tuple(ADVANTAGES),
            "step_rule": tuple(STEP_RULES),
            "verification_objective": OBJECTIVES,
            "engine": get_args(EngineName),
            "schedule": get_args(Schedule),
            "dtype": ("float32", "bfloat16"),
            "zero_stage": (0, 1, 2, 3),
        }
        for key, known in choices.items():
            if getattr(self, key) not in known:
                raise StudyError(
                    f"{key}: {getattr(self, key)!r} is unknown; known: {', '.join(map(str, known))}"
                )
        positive = ("steps", "problems_per_step", "epochs", "minibatches", "max_tokens", "save_every")
        positive += (
            "continuations",
            "learning_rate",
            "gradient_clip",
            "temperature",
            "tokens_per_microbatch",
            "show_every",
            "threads",
            "ranks",
            "nodes",
            "max_batch",
        )
        for key in positive:
            if not getattr(self, key) > 0:
                raise StudyError(f"{key}: {getattr(self, key)} is out of range; it must be above 0")
        for key in (
            "verification_coefficient",
            "warmup_steps",
            "weight_decay",
            "clip_high",
            "kl_coefficient",
        ):
            if not getattr(self, key) >= 0:
                raise StudyError(f"{key}: {getattr(self, key)} is out of range; it must be 0 or more")
        if self.solutions_per_problem < 2:
            raise StudyError(
                f"solutions_per_problem: {self.solutions_per_problem} is out of range; "
                "an advantage compares a solution with others of its problem, so 2 or more"
            )
        if not 0 <= self.clip_low < 1:
            raise StudyError(f"clip_low: {self.clip_low} is out of range; it must be in [0, 1)")
        if self.dual_clip is not None and not self.dual_clip > 1:
            raise StudyError(f"dual_clip: {self.dual_clip} is out of range; it must be above 1, or null")
        if self.kl_clamp is not None and not self.kl_clamp > 0:
            raise StudyError(f"kl_clamp: {self.kl_clamp} is out of range; it must be above 0, or null")
        if self.valued_steps is not None and not self.valued_steps >= 1:
            raise StudyError(
                f"valued_steps: {self.valued_steps} is out of range; it must be above 0, or null"
            )
        if self.top_p != 1:
            raise StudyError(f"top_p: {self.top_p} is out of range; {TOP_P}")
        if self.warmup_share is not None and not 0 <= self.warmup_share <= 1:
            raise StudyError(f"warmup_share: {self.warmup_share} is out of range; it must be in [0, 1]")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise StudyError(f"betas: {self.betas} is out of range; two numbers in [0, 1) would do")
        if self.verification_weight_bound < 1:
            raise StudyError(
                f"verification_weight_bound: {self.verification_weight_bound} is out of range; "
                "it must be 1 or more"
            )
        if self.minibatches > self.problems_per_step * self.solutions_per_problem:
            raise StudyError(f"minibatches: {self.minibatches} is more than the solutions of a step")
        if self.ranks % self.nodes:
            raise StudyError(
                f"nodes: {self.nodes} do not divide ranks: {self.ranks}; every node gets as many ranks"
            )
        if self.offload and self.zero_stage == 0:
            raise StudyError("offload: true needs zero_stage 1, 2 or 3, which keep optimizer states apart")

    @property
    def updates_per_step(self) -> int:
        """Optimizer updates a step: epochs × minibatches."""
        return self.epochs * self.minibatches

    @property
    def verifies(self) -> bool:
        """Whether the verification objective is on."""
        return self.verification_coefficient > 0
