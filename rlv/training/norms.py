"""The gradient norms of the two objectives apart, which show what the shared clip leaves of each.

Both objectives share one backward pass, and `gradient_clip` bounds the norm of their sum. On the first six
batches of the mini study at λ = 1, the verification gradient is 15 to 24 times the policy's for GRPO and 28
to 50 times for leave-one-out PPO, and a norm of 3.4 to 3.9 is clipped to 1: the policy's part of the update
is divided by as much, only because of the other part. So every few steps both norms are written down
(columns policy_grad_norm and verification_grad_norm of the steps table).

That takes a second backward pass, through the verification loss, over the graph of the first, and memory for
two copies of the gradients. The update itself stays the same, bit for bit. Left out: runs under ZeRO, in
which no rank has whole gradients (the copies would undo what ZeRO saves); and clipping each part at a norm of
its own, which would need that second pass in every update.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rlv.training.learner import Learner

# Steps from one whose norms are measured to the next; the first is one, too. A constant, since a table may
# not depend on how often something is shown.
_EVERY = 20


def due(step: int) -> bool:
    """Whether the norms are measured in a step, counted from 0."""
    return step == 0 or (step + 1) % _EVERY == 0


class NormsApart:
    """Adds up the verification objective's gradient of one update, beside that of both objectives."""

    def __init__(self, learner: Learner) -> None:
        self._ranks = learner.ranks
        self._parameters = [p for p in learner.reader.parameters() if p.requires_grad]
        self._verification: list[Tensor | None] = [None] * len(self._parameters)

    def take(self, loss: Tensor) -> None:
        """Take in a micro-batch's verification loss, weighted by λ, before its joint loss is propagated."""
        # Not into `.grad`, where the joint loss adds up; and its graph is still needed.
        found = torch.autograd.grad(loss, self._parameters, retain_graph=True, allow_unused=True)
        for i, gradient in enumerate(found):
            so_far = self._verification[i]
            if gradient is not None:
                self._verification[i] = gradient if so_far is None else so_far + gradient

    def norms(self) -> tuple[Tensor, Tensor]:
        """Norms of the policy's part (its KL term included) and of the verification part, of all ranks.

        Between the update's last backward pass and its clipping; `.grad` is the sum of both parts then.
        """
        policy, verification = [], []
        for parameter, summed in zip(self._parameters, self._verification, strict=True):
            # Contiguous, as collectives need it; autograd promises no layout.
            own = torch.zeros_like(parameter) if summed is None else summed.contiguous()
            own = self._ranks.sum_(own)
            both = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            policy.append((both - own).norm())
            verification.append(own.norm())
        return torch.stack(policy).norm(), torch.stack(verification).norm()
