"""Verification objectives by the name used in study files: J_verify, and the heads that it is compared with.

A new one is a loss (losses.py) and one entry here.
Imports no torch, so the planner can ask what an objective reads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from rlv.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Objective:
    """A verification objective, computed from what the reader answers: verification_BX, X its own.

    `loss`: (verification_BX, correct_B, weights_B, n_solutions=...) to a loss, as `losses.generative_loss`.
    `scores`: verification_BX to scores_B in [0, 1], 1/2 if the reader is undecided. `head`: the bias that a
    new head starts from (rlv/models/heads.py), which answers after [x, y]. None: the reader is given
    [x, y, I] and answers in words. `about`: what it is, in one sentence, as `rlv methods` prints it.
    """

    loss: Callable[..., Tensor]
    scores: Callable[[Tensor], Tensor]
    head: float | None = None
    about: str = ""

    @property
    def instructed(self) -> bool:
        """Whether the reader is given the instruction I, and answers in words."""
        return self.head is None


def _late(name: str) -> Callable[..., Any]:
    """A function of losses.py, which imports torch when it is first called."""
    return lambda *args, **kwargs: resolve_name(f"rlv.training.losses:{name}")(*args, **kwargs)


OBJECTIVES = Registry(
    "rlv.objectives",
    Objective,
    {
        "generative": Objective(
            _late("generative_loss"),
            lambda logprobs_B2: logprobs_B2[:, 0].exp(),
            about="J_verify: the log-probability of the right word, Yes or No, read after [x, y, I].",
        ),
        "bce": Objective(
            _late("bce_loss"),
            lambda logits_B1: logits_B1[:, 0].sigmoid(),
            head=0.0,
            about="Binary cross-entropy of a head on [x, y]: its logit that the solution is correct.",
        ),
        "regression": Objective(
            _late("regression_loss"),
            lambda outputs_B1: outputs_B1[:, 0].clip(0, 1),
            head=0.5,
            about="Squared error of a head on [x, y], to 1 for a correct solution and 0 for a wrong one.",
        ),
    },
)
