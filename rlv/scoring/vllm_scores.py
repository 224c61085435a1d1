"""The probability of Yes after [x, y, I] from vLLM: one prefill a solution, and one number read from it.

The engine computes the log-probabilities of all tokens and hands out that of Yes alone, so no vocabulary
becomes a Python object. What its prefix cache holds of [x, y], because it has just sampled or scored it, is
not read again. Tokens read and FLOPs are counted as for any engine: they say what a method costs, not how it
was run. Left out on purpose: heads, which vLLM does not load (refused when a study is read).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from rlv.errors import ModelError
from rlv.prompts import label_ids, verification_ids
from rlv.sampling.engine import Progress
from rlv.scoring.tables import scores_table

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from rlv.models.flops import ModelShape
    from rlv.sampling.vllm_engine import VllmEngine


def score_solutions(
    engine: VllmEngine,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    solutions: Sequence[Sequence[int]],
    style: str,
    *,
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> tuple[Float64[np.ndarray, " B"], Int64[np.ndarray, " B"]]:
    """s(x, y) = π_θ(Yes | x, y, I) for B pairs, and the tokens read: `generative.score_solutions` on vLLM.

    Raises ModelError for a sequence that leaves no position for the answer, for scores that are not finite,
    and where vLLM fails.
    """
    instruction = verification_ids(tokenizer, style)
    yes_id, _ = label_ids(tokenizer)
    sequences = [[*x, *y, *instruction] for x, y in zip(prompts, solutions, strict=True)]
    scores_B = np.exp(engine.next_logprobs(sequences, yes_id, names, progress))
    if np.isnan(scores_B).any():
        raise ModelError("a score is not a number: what the model says is not finite; check its weights")
    return scores_B, np.array([len(s) for s in sequences], dtype=np.int64)


def score_shard(
    engine: VllmEngine,
    tokenizer: PreTrainedTokenizerBase,
    shape: ModelShape,
    problems: pl.DataFrame,
    samples: pl.DataFrame,
    style: str,
    progress: Progress | None = None,
    *,
    system_prompt: str | None = None,
) -> pl.DataFrame:
    """A "samples" table scored, as a "scores" table; `shape` is the model's. See `tables.scores_table`."""

    def read(
        prompts: list[list[int]], solutions: list[list[int]], names: list[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        return score_solutions(engine, tokenizer, prompts, solutions, style, names=names, progress=progress)

    return scores_table(read, tokenizer, shape, problems, samples, style, system_prompt)
