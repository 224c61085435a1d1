"""How large each part is: on a GPU, and `--small`, which only shows that everything runs.

The sizes on a GPU are meant for eight minutes and 40 GiB.
"""

from __future__ import annotations

from dataclasses import dataclass

# No part may take more of the GPU.
GIB_LIMIT = 40.0


@dataclass(frozen=True)
class StepSize:
    """One training step: `sequences` of these lengths, `microbatch` padded tokens a pass.

    `group`: solutions of one problem. `peer_rows`: sequences of one pass of the peer.
    """

    name: str
    prompt: tuple[int, int]
    solution: tuple[int, int]
    sequences: int
    group: int
    microbatch: int
    checkpointing: bool
    peer_rows: int = 0


@dataclass(frozen=True)
class Sizes:
    """Sizes of all parts. `seconds`: the most that each part may take, by its letter."""

    seconds: dict[str, float]
    model: str  # of step_workloads.SHAPES
    dtype: str
    solutions: int  # scored and compared with the CPU
    training_steps: int
    save_every: int
    killed_after: int
    problems_per_step: int
    steps: tuple[StepSize, ...]
    peers: tuple[StepSize, ...]
    repeats: int
    sampled: int
    mean_length: int
    max_tokens: int
    scored: int
    votes: tuple[int, int]  # problems, solutions of each
    graded: tuple[int, int]


GPU = Sizes(
    seconds={"a": 60, "b": 100, "c": 90, "d": 110, "e": 80, "f": 40},
    model="qwen2.5-1.5b",
    dtype="bfloat16",
    solutions=512,
    training_steps=20,
    save_every=5,
    killed_after=12,
    problems_per_step=16,
    steps=(
        StepSize("1k", (128, 128), (896, 896), 32, 8, 2088, checkpointing=False),
        StepSize("4k", (128, 128), (3968, 3968), 8, 8, 4116, checkpointing=True),
    ),
    peers=(
        StepSize("equal", (128, 128), (896, 896), 32, 8, 4176, checkpointing=True, peer_rows=4),
        StepSize("uneven", (64, 192), (64, 960), 64, 8, 4176, checkpointing=True, peer_rows=4),
    ),
    repeats=5,
    sampled=256,
    mean_length=64,
    max_tokens=256,
    scored=512,
    votes=(500, 512),
    graded=(500, 32),
)

SMALL = Sizes(
    seconds={"a": 120, "b": 240, "c": 120, "d": 240, "e": 120, "f": 120},
    model="tiny",
    dtype="float32",
    solutions=32,
    training_steps=4,
    save_every=2,
    killed_after=3,
    problems_per_step=2,
    steps=(
        StepSize("64", (8, 8), (40, 40), 8, 4, 128, checkpointing=False),
        StepSize("128", (8, 8), (100, 100), 4, 4, 128, checkpointing=True),
    ),
    peers=(
        StepSize("equal", (8, 8), (24, 24), 8, 4, 256, checkpointing=True, peer_rows=4),
        StepSize("uneven", (4, 12), (4, 44), 8, 4, 256, checkpointing=True, peer_rows=4),
    ),
    repeats=2,
    sampled=32,
    mean_length=12,
    max_tokens=48,
    scored=32,
    votes=(20, 32),
    graded=(10, 8),
)
