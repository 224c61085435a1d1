"""The numbers of a training step: a batch as arrays, running sums while it is learned from, and their means.

Left out on purpose: what is done with the numbers (logbook.py writes them into the steps table).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from rlv.training.batches import Trajectory, solution_lengths
from rlv.training.learner import Learner
from rlv.training.ranks import Ranks
from rlv.training.run import Run


@dataclass(frozen=True)
class Lesson:
    """The numbers of one call of `learn`; the names are those of the steps table.

    Losses, KL and the gradient norms (before clipping) are means over the call's updates; the norms of the
    two objectives apart are None if they were not measured. `entropy` is the mean surprisal of the sampled
    tokens at the rollouts' temperature, `logprob_gap` the mean |log-prob when sampled − log-prob when first
    trained|, both at temperature 1, in nats; None if only labels were learned. `scores_B`: the verifier's
    score of each trajectory when it was first trained on; None without verification.
    """

    policy_loss: float
    verification_loss: float | None
    kl: float | None
    clip_fraction: float
    entropy: float | None
    logprob_gap: float | None
    grad_norm: float
    policy_grad_norm: float | None
    verification_grad_norm: float | None
    learning_rate: float
    tokens_trained: int
    scores_B: np.ndarray | None


@dataclass
class Batch:
    """Trajectories as arrays over solution tokens (S) and solutions (B)."""

    lengths_B: np.ndarray
    correct_B: Tensor
    advantages_S: Tensor
    sampled_S: Tensor
    # Before the first update: at the rollouts' temperature, and at 1, as `sampled_S` is.
    old_S: Tensor | None = None
    first_S: Tensor | None = None
    reference_S: Tensor | None = None

    @staticmethod
    def of(trajectories: Sequence[Trajectory], device: torch.device) -> Batch:
        """The arrays of these trajectories, on a device."""
        lengths_B = solution_lengths(trajectories)
        advantages_S = np.concatenate([np.asarray(t.advantages, dtype=np.float32) for t in trajectories])
        sampled_S = np.concatenate([np.asarray(t.sampled_logprobs, dtype=np.float32) for t in trajectories])
        return Batch(
            lengths_B=lengths_B,
            correct_B=torch.tensor([t.reward > 0.5 for t in trajectories], device=device),
            advantages_S=torch.as_tensor(advantages_S, device=device),
            sampled_S=torch.as_tensor(sampled_S, device=device),
        )

    @property
    def n_tokens(self) -> int:
        """Solution tokens of the whole batch."""
        return int(self.lengths_B.sum())


@dataclass
class Tally:
    """Running sums of one `learn`, kept on the device so that no update waits for a number."""

    device: torch.device
    n_solutions: int
    updates: int = 0
    tokens: int = 0
    first_2S: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policy, self.verification, self.kl, self.clip_fraction, self.grad_norm = (
            torch.zeros((), device=self.device) for _ in range(5)
        )
        self.policy_grad_norm, self.verification_grad_norm = torch.zeros(2, device=self.device)
        self.scores_B = torch.zeros(self.n_solutions, device=self.device)

    def add_ranks(self, ranks: Ranks) -> None:
        """Add the counts of the other ranks; gradient norms and updates are the same on all ranks already."""
        if ranks.size == 1:
            return
        own = torch.stack([self.policy, self.verification, self.kl, self.clip_fraction])
        self.policy, self.verification, self.kl, self.clip_fraction = ranks.sum_(own).unbind()
        self.tokens = sum(ranks.gathered(self.tokens))
        ranks.sum_(self.scores_B)

    def lesson(
        self,
        batch: Batch,
        learner: Learner,
        run: Run,
        learning_rate: float,
        *,
        norms_apart: bool,
    ) -> Lesson:
        """The means over the updates so far, as the numbers of the training step."""
        old_S, first_S = batch.old_S, batch.first_S
        if first_S is None and learner.reader.reads_solutions:
            first_2S = torch.zeros(2, batch.n_tokens, device=self.device)
            for slots_S, logprobs_2S in self.first_2S:
                first_2S[:, slots_S] = logprobs_2S
            old_S, first_S = learner.ranks.sum_(first_2S)
        gap = None if first_S is None else (first_S - batch.sampled_S).abs().mean().item()
        return Lesson(
            policy_loss=self.policy.item() / self.updates,
            verification_loss=self.verification.item() / self.updates if run.verifies else None,
            kl=self.kl.item() / self.updates if learner.reference is not None else None,
            clip_fraction=self.clip_fraction.item() / self.updates,
            entropy=None if old_S is None else -old_S.mean().item(),
            logprob_gap=gap,
            grad_norm=self.grad_norm.item() / self.updates,
            policy_grad_norm=self.policy_grad_norm.item() / self.updates if norms_apart else None,
            verification_grad_norm=self.verification_grad_norm.item() / self.updates if norms_apart else None,
            learning_rate=learning_rate,
            tokens_trained=self.tokens,
            scores_B=self.scores_B.cpu().numpy() if run.verifies else None,
        )
