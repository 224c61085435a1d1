"""The score of a head that was trained with its backbone: what it says of the hidden state after [x, y].

No instruction is read, and the vocabulary is not met. The head lies beside the backbone's weights
(rlv/models/heads.py); batches are those of the generative score.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float64, Int64

from rlv.models.heads import load
from rlv.scoring.generative import score_sequences
from rlv.training.objectives import OBJECTIVES

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def score_with_head(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    solutions: Sequence[Sequence[int]],
    *,
    objective: str,
    folder: Path,
    token_budget: int | None = None,
    names: Sequence[str] | None = None,
) -> tuple[Float64[np.ndarray, " B"], Int64[np.ndarray, " B"]]:
    """Scores in [0, 1] of B pairs, and the tokens read: len(x) + len(y), in the order given.

    `objective` "bce": σ(z); "regression": z clipped to [0, 1]. `folder` is the checkpoint of `model`; other
    arguments as in `generative.score_solutions`. Raises ModelError where the checkpoint has no head of that
    objective and hidden size, for a sequence longer than the model's positions, and for scores that are not
    finite.
    """
    hidden_size = model.config.get_text_config().hidden_size
    head = load(folder, objective, hidden_size).to(model.device)

    def score_of(hidden_BH: torch.Tensor) -> torch.Tensor:
        return OBJECTIVES[objective].scores(head(hidden_BH))

    sequences = [[*x, *y] for x, y in zip(prompts, solutions, strict=True)]
    return score_sequences(model, sequences, score_of, token_budget=token_budget, names=names)
