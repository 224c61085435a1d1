"""The learning rate of every optimizer update, as a factor of its peak.

    factor(n) = min(1, (n + 1) / W) · decay(r),      r = min(1, (U - n) / (U - W + 1))

n counts updates from 0, W are those of the warm-up, U those of the whole run. `decay` is 1 (constant), r
(linear) or (1 - cos πr) / 2 (cosine): the peak is the last update of the warm-up, and the rate would be 0 at
the first update after the run. The factor depends only on n, W and U, so a run that goes on after a
checkpoint, which has n, follows the same line.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from rlv.study.types import Training

# Name in a study's `schedule` -> what is left of the peak after the warm-up, at the share r of updates left.
DECAYS: dict[str, Callable[[float], float]] = {
    "constant": lambda left: 1.0,
    "linear": lambda left: left,
    "cosine": lambda left: (1 - math.cos(math.pi * left)) / 2,
}


def rate_factor(training: Training, n_updates: int) -> Callable[[int], float]:
    """The factor of the learning rate at update n of `n_updates`, counted from 0."""
    warmup = max(1, warmup_updates(training, n_updates))
    falling = max(1, n_updates - warmup + 1)
    decay = DECAYS[training.schedule]

    def factor(n: int) -> float:
        left = min(1.0, max(0.0, (n_updates - n) / falling))
        return min(1.0, (n + 1) / warmup) * decay(left)

    return factor


def warmup_updates(training: Training, n_updates: int) -> int:
    """Updates of the warm-up: `warmup_share` of all, rounded, or `warmup_steps` if there is no share."""
    if training.warmup_share is None:
        return training.warmup_steps
    return round(training.warmup_share * n_updates)
