"""One forward pass over [x, y, I] for both objectives (house rule: verification costs tokens, not a pass).

The backbone runs once; the output matrix is applied only where something is predicted: before each token of
y, and after the last token of I. With large vocabularies those logits are most of a training step's memory.
A verification head reads the hidden state after [x, y] instead. Left out on purpose: a fused cross-entropy
that never holds the logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rlv.models.heads import VerificationHead
from rlv.models.reading import last_hidden, logits
from rlv.training.batches import MicroBatch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Rows of logits whose exponentials are there at the same time.
_ROWS = 256


@dataclass(frozen=True)
class Reading:
    """What one pass says of a micro-batch.

    logprobs_S: log π_T(y_t | x, y_<t) of each solution token at the reader's temperature T, full vocabulary,
    in nats. as_sampled_S: the same at temperature 1, as samplers return them (sampling/engine.py), without
    gradient. Both are None where only labels are learned. verification_BX: what the verification objective is
    computed from: [B, 2] log π(Yes | x, y, I) and log π(No | x, y, I), always at temperature 1, or [B, 1] the
    head's output; None without verification.
    """

    logprobs_S: Float[Tensor, " S"] | None
    as_sampled_S: Float[Tensor, " S"] | None
    verification_BX: Float[Tensor, "B X"] | None


class Reader(nn.Module):
    """A causal language model that reads micro-batches. A module, so that DeepSpeed can wrap the one pass."""

    def __init__(
        self,
        model: PreTrainedModel,
        label_ids: tuple[int, int] | None = None,
        head: VerificationHead | None = None,
        *,
        reads_solutions: bool = True,
        temperature: float = 1.0,
    ) -> None:
        """`label_ids`: the tokens of (Yes, No), where sequences end with I; `head`: what reads their last
        token, where they end with y; at most one of the two. `reads_solutions`: whether solution tokens get
        log-probabilities. `temperature`: that the solutions were sampled at, so that the policy whose
        gradient is taken is the policy that sampled (Kazemnejad et al. 2024 do the same).
        """
        super().__init__()
        self.model = model
        self.head = head
        self.label_ids = label_ids
        self.reads_solutions = reads_solutions
        self.temperature = temperature

    def forward(self, batch: MicroBatch) -> Reading:
        """Log-probabilities of the batch's solutions, and what is said of their labels.

        Raises ModelError where the model has no output matrix.
        """
        # No attention mask and no cache: see batches.py for why right padding needs none.
        hidden_FH = last_hidden(self.model, batch.tokens_BT).flatten(0, 1)
        logprobs_S = as_sampled_S = verification_BX = None
        if self.reads_solutions:
            logits_SV = logits(self.model, hidden_FH.index_select(0, batch.flat_positions_S))
            if self.temperature != 1.0:
                as_sampled_S = _chosen_logprobs(logits_SV, batch.targets_S)
                # The name is bound anew: nothing holds the logits before the division any longer.
                logits_SV = logits_SV / self.temperature
            logprobs_S = -cross_entropy(logits_SV, batch.targets_S, reduction="none")
            if as_sampled_S is None:
                as_sampled_S = logprobs_S.detach()
        if self.head is not None:
            verification_BX = self.head(hidden_FH.index_select(0, batch.flat_last_B))
        elif self.label_ids is not None:
            logits_BV = logits(self.model, hidden_FH.index_select(0, batch.flat_last_B))
            verification_BX = torch.log_softmax(logits_BV, dim=-1)[:, list(self.label_ids)]
        return Reading(logprobs_S, as_sampled_S, verification_BX)


@torch.no_grad()
def _chosen_logprobs(logits_SV: Float[Tensor, "S V"], targets_S: Int64[Tensor, " S"]) -> Float[Tensor, " S"]:
    """log softmax of the logits at the targets, some rows at a time: no second [S, V] is ever there."""
    return torch.cat(
        [
            rows_RV.gather(1, chosen_R[:, None])[:, 0] - rows_RV.logsumexp(-1)
            for rows_RV, chosen_R in zip(logits_SV.split(_ROWS), targets_S.split(_ROWS), strict=True)
        ]
    )


@torch.no_grad()
def solution_logprobs(
    reader: nn.Module, batches: Sequence[MicroBatch], n_tokens: int
) -> Float[Tensor, "2 S"]:
    """log π of all solution tokens, S = n_tokens, in the order of the trajectories behind the batches.

    Row 0 is at the reader's temperature, row 1 at temperature 1 (`Reading.as_sampled_S`).
    """
    device = batches[0].tokens_BT.device
    logprobs_2S = torch.zeros(2, n_tokens, dtype=torch.float32, device=device)
    for batch in batches:
        reading: Reading = reader(batch)
        assert reading.logprobs_S is not None and reading.as_sampled_S is not None  # it reads solutions
        logprobs_2S[0, batch.slots_S] = reading.logprobs_S
        logprobs_2S[1, batch.slots_S] = reading.as_sampled_S
    return logprobs_2S
