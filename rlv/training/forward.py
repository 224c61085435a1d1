"""One forward pass over [x, y, I] for both objectives (house rule: verification costs tokens, not a pass).

The backbone runs once; the output matrix is applied only where something is predicted: before each token of
y, and after the last token of I. With large vocabularies those logits are most of a training step's memory.
Left out on purpose: a fused cross-entropy that never holds the logits, and dropout-aware batch invariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlv.errors import ModelError
from rlv.training.batches import MicroBatch

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Reading:
    """What one pass says of a micro-batch.

    logprobs_S: log π(y_t | x, y_<t) of each solution token, temperature 1, full vocabulary, in nats.
    yes_no_logprobs_B2: log π(Yes | x, y, I) and log π(No | x, y, I); None where I was not read.
    """

    logprobs_S: Float[Tensor, " S"]
    yes_no_logprobs_B2: Float[Tensor, "B 2"] | None


class Reader(nn.Module):
    """A causal language model that reads micro-batches. A module, so that DeepSpeed can wrap the one pass."""

    def __init__(self, model: PreTrainedModel, label_ids: tuple[int, int] | None) -> None:
        """`label_ids`: the tokens of (Yes, No); None where sequences end with y.

        Raises ModelError where the model has no output embeddings.
        """
        super().__init__()
        if model.get_output_embeddings() is None:
            raise ModelError(f"{model.name_or_path}: not a causal language model (no output embeddings)")
        self.model = model
        self.label_ids = label_ids

    def forward(self, batch: MicroBatch) -> Reading:
        """Log-probabilities of the batch's solutions and labels."""
        # No attention mask and no cache: see batches.py for why right padding needs none.
        hidden_BTH = self.model.base_model(input_ids=batch.tokens_BT, use_cache=False).last_hidden_state
        hidden_FH = hidden_BTH.flatten(0, 1)
        n_solution_tokens = len(batch.targets_S)
        if self.label_ids is None:
            needed_N = batch.flat_positions_S
        else:
            needed_N = torch.cat([batch.flat_positions_S, batch.flat_last_B])
        head = self.model.get_output_embeddings()
        assert head is not None  # the constructor saw it
        logits_NV = head(hidden_FH.index_select(0, needed_N)).float()
        logprobs_NV = torch.log_softmax(logits_NV, dim=-1)
        logprobs_S = logprobs_NV[:n_solution_tokens].gather(1, batch.targets_S[:, None])[:, 0]
        if self.label_ids is None:
            return Reading(logprobs_S, None)
        yes, no = self.label_ids
        last_BV = logprobs_NV[n_solution_tokens:]
        return Reading(logprobs_S, torch.stack([last_BV[:, yes], last_BV[:, no]], dim=1))


@torch.no_grad()
def solution_logprobs(reader: nn.Module, batches: Sequence[MicroBatch], n_tokens: int) -> Float[Tensor, " S"]:
    """log π of all solution tokens [n_tokens], in the order of the trajectories behind the batches."""
    device = batches[0].tokens_BT.device
    logprobs_S = torch.zeros(n_tokens, dtype=torch.float32, device=device)
    for batch in batches:
        logprobs_S[batch.slots_S] = reader(batch).logprobs_S
    return logprobs_S
