"""One score in [0, 1] for each solution. SCORES maps the name used in study files to the function.

To add a score: one function with the signature of `generative_score`, one entry, one test, one line in
config/README.md. Importing this does not load torch; calling a score does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Score = Callable[..., tuple[np.ndarray, np.ndarray]]

TOKEN_BUDGET = 4096  # padded tokens of a batch: larger ones leave a CPU's caches (benchmarks/scoring.py)


def generative_score(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    solutions: Sequence[Sequence[int]],
    style: str,
    *,
    token_budget: int = TOKEN_BUDGET,
    names: Sequence[str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The unified verifier (paper, "The method"): s(x, y) = π_θ(Yes | x, y, I), θ trained with J_verify.

    Arguments and returns: `rlv.scoring.generative.score_solutions`.
    """
    from rlv.scoring.generative import score_solutions

    return score_solutions(
        model, tokenizer, prompts, solutions, style, token_budget=token_budget, names=names
    )


# LLM-as-a-judge is the same question put to a model that was never trained to verify (the base, or the
# reasoner of the RL method alone): what differs is the model that a study hands over, and the name tells
# figures and claims the two apart.
SCORES: dict[str, Score] = {"generative": generative_score, "judge": generative_score}

__all__ = ["SCORES", "TOKEN_BUDGET", "Score", "generative_score"]
