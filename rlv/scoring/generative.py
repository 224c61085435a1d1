"""The probability of Yes after [x, y, I]: the unified verifier's score, and the judge's.

Sequences are sorted by length and scored in batches of so many padded tokens; only the hidden state of each
sequence's last position meets the vocabulary. Padding is on the right, where causal attention cannot see it,
so a score does not depend on the batch it was computed in (beyond rounding).

Speed beside a plain forward pass: `python -m benchmarks.scoring`. Left out on purpose: sharing x's keys and
values between the solutions of a problem (x is short beside y), and words: what a model reads is in
prompts.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import torch
from jaxtyping import Float, Float64, Int64

from rlv.errors import ModelError
from rlv.models.flops import shape_of
from rlv.models.reading import check_reading, last_hidden, logits
from rlv.prompts import label_ids, verification_ids
from rlv.scoring import SCORES, TOKEN_BUDGETS, Score
from rlv.scoring.tables import scores_table

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def score_solutions(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    solutions: Sequence[Sequence[int]],
    style: str,
    *,
    token_budget: int | None = None,
    names: Sequence[str] | None = None,
) -> tuple[Float64[np.ndarray, " B"], Int64[np.ndarray, " B"]]:
    """s(x, y) = π_θ(Yes | x, y, I) for B pairs, softmax over the full vocabulary (paper, "The method").

    `prompts` are x and `solutions` y as token ids (y's end token included); `style` decides I. A batch has at
    most `token_budget` padded tokens (None: as rlv/scoring/__init__.py has it for the device), but one
    sequence at least. Returns the scores and the tokens read,
    len(x) + len(y) + len(I), in the order given. Raises ModelError for a sequence longer than the model's
    positions (`names` says which; default: its number), for a model whose own forward pass gives other logits
    (`check_reading`), and for logits that are not finite.
    """
    instruction = verification_ids(tokenizer, style)
    yes_id, _ = label_ids(tokenizer)
    check_reading(model)

    def probability_of_yes(hidden_BH: torch.Tensor) -> torch.Tensor:
        return logits(model, hidden_BH).double().softmax(-1)[:, yes_id]

    sequences = [[*x, *y, *instruction] for x, y in zip(prompts, solutions, strict=True)]
    return score_sequences(model, sequences, probability_of_yes, token_budget=token_budget, names=names)


@torch.inference_mode()
def score_sequences(
    model: PreTrainedModel,
    sequences: Sequence[Sequence[int]],
    score_of: Callable[[torch.Tensor], torch.Tensor],
    *,
    token_budget: int | None,
    names: Sequence[str] | None,
) -> tuple[Float64[np.ndarray, " B"], Int64[np.ndarray, " B"]]:
    """Scores of B sequences of token ids, and their lengths, in the order given; shared by all scores.

    `score_of`: from the backbone's last hidden states at sequences' last tokens [b, H] to scores [b]. Rest,
    and errors, as in `score_solutions`.
    """
    lengths_B = np.array([len(s) for s in sequences], dtype=np.int64)
    _check_lengths(model, lengths_B, names)
    scores_B = np.full(len(sequences), np.nan)
    budget = token_budget or TOKEN_BUDGETS.get(model.device.type, TOKEN_BUDGETS["cpu"])
    was_training = model.training
    model.eval()
    try:
        for batch in length_sorted_batches(lengths_B, budget):
            hidden_BH = _last_hidden([sequences[i] for i in batch], model)
            scores_B[batch] = score_of(hidden_BH).double().cpu().numpy()
    finally:
        model.train(was_training)
    if np.isnan(scores_B).any():
        raise ModelError("a score is not a number: what the model says is not finite; check its weights")
    return scores_B, lengths_B


def score_shard(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    problems: pl.DataFrame,
    samples: pl.DataFrame,
    style: str,
    *,
    score: Score = SCORES["generative"],
    token_budget: int | None = None,
    system_prompt: str | None = None,
) -> pl.DataFrame:
    """A "samples" table scored with `model`, as a "scores" table; see `tables.scores_table`."""

    def read(
        prompts: list[list[int]], solutions: list[list[int]], names: list[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        return score(model, tokenizer, prompts, solutions, style, token_budget=token_budget, names=names)

    return scores_table(read, tokenizer, shape_of(model), problems, samples, style, system_prompt)


def length_sorted_batches(
    lengths_B: Int64[np.ndarray, " B"], token_budget: int
) -> Iterator[Int64[np.ndarray, " b"]]:
    """Indices of sequences, longest first, in batches whose padded size is token_budget tokens or less.

    A sequence longer than the budget is a batch of its own.
    """
    order_B = np.argsort(-lengths_B, kind="stable")
    start = 0
    while start < len(order_B):
        rows = max(1, token_budget // int(lengths_B[order_B[start]]))  # the first is the longest of its batch
        yield order_B[start : start + rows]
        start += rows


def _last_hidden(sequences: list[Sequence[int]], model: PreTrainedModel) -> Float[torch.Tensor, "B H"]:
    """The backbone's hidden state (after its last norm) at each sequence's last token."""
    last_B = torch.tensor([len(s) - 1 for s in sequences], device=model.device)
    ids_BT = torch.zeros(len(sequences), max(map(len, sequences)), dtype=torch.int64)
    for row, sequence in enumerate(sequences):
        ids_BT[row, : len(sequence)] = torch.tensor(sequence)
    return last_hidden(model, ids_BT.to(model.device))[
        torch.arange(len(sequences), device=model.device), last_B
    ]


def _check_lengths(model: PreTrainedModel, lengths_B: np.ndarray, names: Sequence[str] | None) -> None:
    config = model.config.get_text_config()
    positions = getattr(config, "max_position_embeddings", None)
    if positions is not None and (lengths_B > positions).any():
        worst = int(lengths_B.argmax())
        name = names[worst] if names else f"sequence {worst}"
        raise ModelError(
            f"{name}: {lengths_B[worst]} tokens to verify exceed the model's {positions} positions; "
            "a smaller sampling budget would do"
        )
