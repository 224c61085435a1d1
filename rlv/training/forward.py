"""One forward pass over [x, y, I] for both objectives (house rule: verification costs tokens, not a pass).

The backbone runs once; the output matrix is applied only where something is predicted: before each token of
y, and after the last token of I. With large vocabularies those logits are most of a training step's memory.
A verification head reads the hidden state after [x, y] instead. Left out on purpose: a fused cross-entropy
that never holds the logits, and dropout-aware batch invariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rlv.errors import ModelError
from rlv.heads import VerificationHead
from rlv.training.batches import MicroBatch

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Reading:
    """What one pass says of a micro-batch.

    logprobs_S: log π(y_t | x, y_<t) of each solution token, temperature 1, full vocabulary, in nats; None
    where only labels are learned. verification_BX: what the verification objective is computed from: [B, 2]
    log π(Yes | x, y, I) and log π(No | x, y, I), or [B, 1] the head's output; None without verification.
    """

    logprobs_S: Float[Tensor, " S"] | None
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
    ) -> None:
        """`label_ids`: the tokens of (Yes, No), where sequences end with I; `head`: what reads their last
        token, where they end with y; at most one of the two. `reads_solutions`: whether solution tokens get
        log-probabilities.

        Raises ModelError where the model has no output embeddings.
        """
        super().__init__()
        if model.get_output_embeddings() is None:
            raise ModelError(f"{model.name_or_path}: not a causal language model (no output embeddings)")
        self.model = model
        self.head = head
        self.label_ids = label_ids
        self.reads_solutions = reads_solutions

    def forward(self, batch: MicroBatch) -> Reading:
        """Log-probabilities of the batch's solutions, and what is said of their labels."""
        # No attention mask and no cache: see batches.py for why right padding needs none.
        hidden_BTH = self.model.base_model(input_ids=batch.tokens_BT, use_cache=False).last_hidden_state
        hidden_FH = hidden_BTH.flatten(0, 1)
        logprobs_S = verification_BX = None
        if self.reads_solutions:
            logits_SV = self._logits(hidden_FH.index_select(0, batch.flat_positions_S))
            logprobs_S = -cross_entropy(logits_SV, batch.targets_S, reduction="none")
        if self.head is not None:
            verification_BX = self.head(hidden_FH.index_select(0, batch.flat_last_B))
        elif self.label_ids is not None:
            logits_BV = self._logits(hidden_FH.index_select(0, batch.flat_last_B))
            verification_BX = torch.log_softmax(logits_BV, dim=-1)[:, list(self.label_ids)]
        return Reading(logprobs_S, verification_BX)

    def _logits(self, hidden_NH: Float[Tensor, "N H"]) -> Float[Tensor, "N V"]:
        output = self.model.get_output_embeddings()
        assert output is not None  # the constructor saw it
        return output(hidden_NH).float()


@torch.no_grad()
def solution_logprobs(reader: nn.Module, batches: Sequence[MicroBatch], n_tokens: int) -> Float[Tensor, " S"]:
    """log π of all solution tokens [n_tokens], in the order of the trajectories behind the batches."""
    device = batches[0].tokens_BT.device
    logprobs_S = torch.zeros(n_tokens, dtype=torch.float32, device=device)
    for batch in batches:
        logprobs_S[batch.slots_S] = reader(batch).logprobs_S
    return logprobs_S
