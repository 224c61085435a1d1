"""The pass over [x, y, I] as a module that DeepSpeed can wrap: one for both objectives.

Verification adds tokens to the pass, but no second pass. rlv/models/reading.py computes what is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlv.models.heads import VerificationHead
from rlv.models.reading import Reading, label_logprobs, read
from rlv.training.batches import MicroBatch

if TYPE_CHECKING:
    from transformers import PreTrainedModel


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
        """Give at most one of `label_ids` and `head`.

        `label_ids`: the tokens of (Yes, No), if sequences end with I; `head`: reads their last token, if they
        end with y. `reads_solutions`: whether solution tokens get log-probabilities. `temperature`: of the
        sampler of the solutions, so that the gradient is that of the policy that sampled (as Kazemnejad et
        al. 2024 do).
        """
        super().__init__()
        self.model = model
        self.head = head
        self.label_ids = label_ids
        self.reads_solutions = reads_solutions
        self.temperature = temperature

    def forward(self, batch: MicroBatch) -> Reading:
        """Log-probabilities of the batch's solutions, and those of the labels or the head's output."""
        judge = self.head
        if judge is None and self.label_ids is not None:
            judge = partial(label_logprobs, self.model, self.label_ids)
        temperature = self.temperature if self.reads_solutions else None
        return read(self.model, batch.rows, judge, temperature=temperature)


@torch.no_grad()
def solution_logprobs(
    reader: nn.Module, batches: Sequence[MicroBatch], n_tokens: int
) -> Float[Tensor, "2 S"]:
    """log π of all solution tokens, S = n_tokens, in the order of the trajectories behind the batches.

    Row 0 is at the reader's temperature, row 1 at temperature 1 (`Reading.as_sampled_S`).
    """
    device = batches[0].slots_S.device
    logprobs_2S = torch.zeros(2, n_tokens, dtype=torch.float32, device=device)
    for batch in batches:
        reading: Reading = reader(batch)
        assert reading.logprobs_S is not None and reading.as_sampled_S is not None  # it reads solutions
        logprobs_2S[0, batch.slots_S] = reading.logprobs_S
        logprobs_2S[1, batch.slots_S] = reading.as_sampled_S
    return logprobs_2S
