"""One score in [0, 1] for each solution. SCORES maps the name used in study files to the function.

To add a score: one function with the signature of `Score`, one entry, one test (docs/extending.md).
Importing this does not load torch; calling a score does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# Padded tokens of a batch by kind of device: larger ones leave a CPU's caches (benchmarks/scoring.py),
# smaller ones leave a GPU idle, whose memory holds many sequences of thousands of tokens.
TOKEN_BUDGETS = {"cpu": 2048, "cuda": 32_768}


class Score(Protocol):
    """Scores of solutions y to prompts x (token ids), float64 in [0, 1], and the tokens read for each, int64.

    Both in the order given. `style` decides words that are added; `token_budget` bounds the padded tokens of
    a batch (None: as TOKEN_BUDGETS has it for the model's device); `names` says what each pair is called in
    messages. `folder` is the checkpoint that `model` was loaded from, for scores that need more of it than
    the causal language model. Raises ModelError for a model that cannot give this score.
    """

    def __call__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        prompts: Sequence[Sequence[int]],
        solutions: Sequence[Sequence[int]],
        style: str,
        *,
        token_budget: int | None = None,
        names: Sequence[str] | None = None,
        folder: Path | None = None,
    ) -> tuple[np.ndarray, np.ndarray]: ...


def generative_score(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    solutions: Sequence[Sequence[int]],
    style: str,
    *,
    token_budget: int | None = None,
    names: Sequence[str] | None = None,
    folder: Path | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The unified verifier (paper, "The method"): s(x, y) = π_θ(Yes | x, y, I), θ trained with J_verify.

    Arguments and returns: `rlv.scoring.generative.score_solutions`; `folder` is not needed.
    """
    from rlv.scoring.generative import score_solutions

    return score_solutions(
        model, tokenizer, prompts, solutions, style, token_budget=token_budget, names=names
    )


def head_score(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    solutions: Sequence[Sequence[int]],
    style: str,
    *,
    objective: str,
    token_budget: int | None = None,
    names: Sequence[str] | None = None,
    folder: Path | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """What a head trained with the objective says of [x, y]: `rlv.scoring.heads.score_with_head`.

    It reads no words of its own, so tokenizer and style are not needed; `folder` is. Raises ModelError
    without.
    """
    from rlv.errors import ModelError
    from rlv.scoring.heads import score_with_head

    if folder is None:
        raise ModelError(f"score {objective!r}: no checkpoint folder was given; its head lies there")
    return score_with_head(
        model, prompts, solutions, objective=objective, folder=folder, token_budget=token_budget, names=names
    )


# LLM-as-a-judge is the same question put to a model that was never trained to verify (the base, or the
# reasoner of the RL method alone): what differs is the model that a study hands over, and the name tells
# figures and claims the two apart. A head's score has the name of the objective that trained it.
SCORES: dict[str, Score] = {
    "generative": generative_score,
    "judge": generative_score,
    "bce": partial(head_score, objective="bce"),
    "regression": partial(head_score, objective="regression"),
}
# Those that vLLM gives, too (vllm_scores.py): what a head says, it does not read.
ON_VLLM = frozenset({"generative", "judge"})

__all__ = ["ON_VLLM", "SCORES", "TOKEN_BUDGETS", "Score", "generative_score", "head_score"]
