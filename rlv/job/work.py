"""Models' work in the jobs of a stage: tokens, memory and disk, known from its record before a job runs.

A stage's own functions stand in its folder (work.py, memory.py); rlv/estimate adds up what they return, and
its checks before a run ask them what a job needs. Pure functions of an artifact; no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rlv.job.assumptions import Assumptions
from rlv.store import Artifact

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Size:
    """A gated transformer in numbers: axes of its weight matrices (H, A, K, I, V and L in formulas).

    `biases`: parameters of biases in one layer. `dtype`: of the weights, as stored or as a job has them.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    tied: bool
    positions: int
    biases: int = 0
    dtype: str = "bfloat16"

    @property
    def attention_width(self) -> int:
        """The axis A: query heads times their size."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """The axis K: key heads times their size; values have as many."""
        return self.kv_heads * self.head_dim

    @property
    def parameters(self) -> int:
        """All parameters: V H (twice if untied) + L (2 H A + 2 H K + 3 H I + 2 H + biases) + H."""
        h, a, k = self.hidden, self.attention_width, self.kv_width
        layer = 2 * h * a + 2 * h * k + 3 * h * self.intermediate + 2 * h + self.biases
        return self.vocab * h * (1 if self.tied else 2) + self.layers * layer + h

    @property
    def element(self) -> int:
        """Bytes of one number."""
        return BYTES[self.dtype]

    @property
    def weights(self) -> float:
        """Bytes of all parameters."""
        return float(self.parameters * self.element)

    @property
    def kv_bytes(self) -> int:
        """Bytes of keys and values of one token in all layers."""
        return 2 * self.layers * self.kv_width * self.element


@dataclass(frozen=True)
class Pass:
    """`sequences`, each through positions start … stop - 1, `together` of them at hand at a time.

    written: token by token, attending to a cache. read: in one go, forward. learned: forward and backward.
    `recomputed`: activations are computed again for the backward pass.
    """

    kind: Literal["written", "read", "learned"]
    sequences: int
    start: int
    stop: int
    together: int
    recomputed: bool = False

    @property
    def tokens(self) -> int:
        return self.sequences * (self.stop - self.start)


@dataclass(frozen=True)
class Memory:
    """Bytes on one GPU by part, for parts that are there at the same time; `when`: the phase of a job.

    `room`: bytes that these parts may take together, if that is less than what the GPU has. `helps`: keys of
    a study that make a part smaller, the most helpful first.
    """

    when: str
    parts: Mapping[str, float]
    room: float | None = None
    helps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.parts.values())


@dataclass(frozen=True)
class Positions:
    """What must fit a model's positions behind the prompt: a solution's tokens at most, and what follows it.

    `forced`: the answer format, if the answer is forced. `instructed`: the verification instruction follows.
    `chain`: tokens of a verification chain, which follow an instruction of their own.
    """

    solution: int
    forced: str | None = None
    instructed: bool = False
    chain: int = 0


@dataclass(frozen=True)
class Work:
    """Models' work in the jobs of one stage, as it is known before they run. By default there is none.

    passes: the sequences that a model writes, reads and learns from. memory: of one GPU in each phase, from
    the artifact, its model, assumptions, and the GPU's bytes (None: no GPU is named). stored, checkpoints:
    bytes in the store, and beside it while the job runs. positions: what must fit behind a prompt; None: the
    job has no prompts. keys: the paths in a study that may set a setting of a job; the first that is set
    counts, else the last.
    """

    passes: Callable[[Artifact, Assumptions], list[Pass]] = lambda *_: []
    memory: Callable[[Artifact, Size, Assumptions, float | None], list[Memory]] = lambda *_: []
    stored: Callable[[Artifact, list[Pass], Size, Assumptions], float] = lambda *_: 0.0
    checkpoints: Callable[[Artifact, Size], float] = lambda *_: 0.0
    positions: Callable[[Artifact], Positions | None] = lambda *_: None
    keys: Callable[[Artifact, str], tuple[str, ...]] = lambda *_: ()

    def key(self, study: object, job: Artifact, setting: str) -> str:
        """The key path behind a job's `engine`, `max_tokens` or `verification`."""
        paths = self.keys(job, setting)
        return next((path for path in paths if _is_set(study, path)), paths[-1])


def _is_set(section: Any, path: str) -> bool:
    for part in path.split("."):
        section = section.get(part) if isinstance(section, Mapping) else getattr(section, part)
    return section is not None


def tokens(made: list[Pass] | tuple[Pass, ...], *kinds: str) -> int:
    """Tokens of the passes of some kinds; of all if none is named."""
    return sum(p.tokens for p in made if not kinds or p.kind in kinds)


def budget_of(artifact: Artifact) -> int:
    """The budget of the solutions that a job writes or reads, in tokens."""
    for role in ("rollouts", "samples"):
        if role in artifact.inputs:
            return budget_of(artifact.inputs[role])
    return int(artifact.params.get("max_tokens", 0))


def first_model(artifact: Artifact) -> Artifact:
    """The model that all models behind an artifact started from; the artifact itself if it has none."""
    while "model" in artifact.inputs:
        artifact = artifact.inputs["model"]
    return artifact
