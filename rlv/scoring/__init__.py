"""One score in [0, 1] for each solution: SCORES maps the name used in study files to a record.

Some scores read the solution with a model (readers.py), others only what sampling kept of it (kept.py).
To add a score: one `Score`, one entry, one test (docs/extending.md). Importing this does not load torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from rlv.answers.steps import step_starts
from rlv.families import Family
from rlv.registry import Registry
from rlv.scoring.kept import CONFIDENCES, NEEDS, WINDOWED, Column, Kept

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from rlv.job.assumptions import Assumptions

    # From a solution's token ids and the numbers that were read of it, float64 [K] in [0, 1], to its score.
    Along = Callable[[Sequence[int], np.ndarray], float]
    # From a solution's token ids, the tokenizer and the data set's step rule (rlv/answers/steps.py) to the
    # places that are read: tokens before each place, increasing.
    Places = Callable[[Sequence[int], PreTrainedTokenizerBase, str], Sequence[int]]


def last(solution: Sequence[int], read_K: np.ndarray) -> float:
    """The number read at the last place."""
    return float(read_K[-1])


def mean(solution: Sequence[int], read_K: np.ndarray) -> float:
    """The mean of all numbers read."""
    return float(np.mean(read_K))


def end(solution: Sequence[int], tokenizer: PreTrainedTokenizerBase, step_rule: str) -> Sequence[int]:
    """One place: after the whole solution."""
    return [len(solution)]


def step_ends(solution: Sequence[int], tokenizer: PreTrainedTokenizerBase, step_rule: str) -> Sequence[int]:
    """A place after each step of the solution; the last is its end, also of a solution without tokens."""
    return [*step_starts(tokenizer, solution, step_rule)[1:], len(solution)]


def every_token(solution: Sequence[int], tokenizer: PreTrainedTokenizerBase, step_rule: str) -> Sequence[int]:
    """A place after each token; the end of a solution without tokens."""
    return range(1, len(solution) + 1) or [0]


# The places of a trace (rlv/scoring/traces.py) by the names that study files use.
PLACES: Mapping[str, Places] = {"end": end, "steps": step_ends, "tokens": every_token}
# The settings of a verifier (rlv/study/types) that say how chains are drawn.
CHAIN_KEYS = ("draws", "chain_tokens", "temperature")

# Larger batches leave a CPU's caches (benchmarks/scoring.py), smaller ones leave a GPU idle, whose memory
# holds many sequences of thousands of tokens.
_PADDED_TOKENS = {"cpu": 2048, "cuda": 32_768}


@dataclass(frozen=True)
class Score:
    """How what is known of a solution y to a prompt x becomes a number in [0, 1], and what that needs.

    `reads`: "yes", the probability π(Yes | x, y_≤k, I) at each place k, one sequence a place; "head", what a
    head beside the reader's weights makes of [x, y_≤k], one sequence for all places; "chain", π(Yes) against
    π(No) where a sampled chain says its verdict, one number a chain (rlv/scoring/chains.py); "kept", no
    model: `kept` of y's tokens and of what sampling kept of them, of which it `needs` a column or none
    (kept.py); "chosen", a power of a score that is "kept", both chosen for each reasoner on training problems
    (rlv/choosing); "given", no model: a column of the files that solutions of others come from;
    "panel", no model: scores of other verifiers (rlv/evaluation/panels.py).
    `trained`: the verification objective that the reader must have been trained with; None: any weights do.
    `padded_tokens`: of a batch, by kind of device; a longer sequence is a batch of its own, and kinds left
    out have those of _PADDED_TOKENS. `about`: what it is, in one sentence, as `rlv methods` prints it. Raises
    ValueError for a head without an objective, and for `kept` without "kept" or the other way round.
    """

    along: Along = last
    reads: Literal["yes", "head", "chain", "kept", "chosen", "given", "panel"] = "kept"
    places: Places = end
    kept: Kept | None = None
    needs: Column | None = None
    trained: str | None = None
    padded_tokens: Mapping[str, int] = field(default_factory=dict)
    about: str = ""

    def __post_init__(self) -> None:
        if self.reads == "head" and self.trained is None:
            raise ValueError("a score that reads a head needs `trained`, the objective of the head")
        if (self.kept is None) == (self.reads == "kept"):
            raise ValueError(
                f'expected a function `kept` with reads="kept", and only there; found reads={self.reads!r}, '
                f"kept={self.kept!r}; `along` is for what a model reads"
            )
        object.__setattr__(self, "padded_tokens", {**_PADDED_TOKENS, **self.padded_tokens})

    @property
    def loads_no_model(self) -> bool:
        """Whether tables are all that it needs: no weights, no tokenizer, no GPU."""
        return self.reads in ("kept", "chosen", "given", "panel")

    @property
    def is_given(self) -> bool:
        """Whether it comes with the solutions, which others sampled and scored."""
        return self.reads == "given"

    @property
    def is_panel(self) -> bool:
        """Whether it is made of scores of other verifiers, which a verifier of it names."""
        return self.reads == "panel"

    @property
    def is_chosen(self) -> bool:
        """Whether a verifier of it names the scores that one is chosen among, for each reasoner."""
        return self.reads == "chosen"

    @property
    def asks(self) -> bool:
        """Whether the instruction I is read after the solution."""
        return self.reads == "yes"

    @property
    def writes(self) -> bool:
        """Whether the reader samples verification chains, for which a study says how many and how."""
        return self.reads == "chain"

    @property
    def traces(self) -> bool:
        """Whether a model reads a number at any place of a solution, so that there can be several."""
        return self.reads in ("yes", "head")

    def readings(self, tokens: int, assumed: Assumptions, places: Places | None = None) -> int:
        """How many sequences are read of a solution of so many tokens, at most; for estimates.

        `places`: those of a trace, if not the score's own.
        """
        places = places or self.places
        if self.loads_no_model:
            return 0
        if not self.asks or places is end:
            return 1
        return min(tokens, assumed.steps_per_solution) if places is step_ends else tokens

    @property
    def on_vllm(self) -> bool:
        """Whether vLLM can give it: it does not load heads."""
        return self.reads in ("yes", "chain")


# Free confidences: what the reasoner that wrote a solution said of it without being asked.
_FREE = {
    "mean_logprob": "Free: the geometric mean of the tokens' probabilities when they were sampled.",
    "tail_logprob": "Free: the same over the last tokens, as DeepConf's tail confidence.",
    "lowest_logprob": "Free: the probability of the least probable token when it was sampled.",
    "self_certainty": "Free: how far from uniform the reasoner's predictions were, c / (1 + c).",
    "brevity": "Free: 1 / tokens, what length says and nothing else.",
    "claims": 'Free: whether the last try of a solution to a mini task is marked "yes".',
}


def _windowed(family: Family[Kept]) -> Family[Score]:
    """A family of free confidences as scores; its numbers are whole ones."""
    return Family(
        lambda size: Score(kept=family.make(size), needs="token_logprobs", about=family.about),
        low=family.low,
        above=family.above,
        whole=family.whole,
        default=family.default,
        about=family.about,
    )


# The unified verifier (paper, "The method") is s(x, y) = π_θ(Yes | x, y, I) with θ trained by J_verify.
# LLM-as-a-judge is the same question put to a model that was never trained to verify (the base, or the
# reasoner of the RL method): figures and claims know the two by their names. A score that needs an objective
# of training has the objective's name.
SCORES: Registry[Score] = Registry(
    "rlv.scores",
    Score,
    {
        "generative": Score(
            reads="yes",
            trained="generative",
            about="The unified verifier: the probability of Yes, read by a model trained with J_verify.",
        ),
        "judge": Score(
            reads="yes", about="LLM-as-a-judge: the probability of Yes, read by a model with any training."
        ),
        "judge_chain": Score(
            along=mean,
            reads="chain",
            about="LLM-as-a-judge by chain of thought: Yes against No where a sampled chain has its verdict.",
        ),
        "bce": Score(
            reads="head",
            trained="bce",
            about="The sigmoid of a head's output, read by a model trained with objective `bce`.",
        ),
        "regression": Score(
            reads="head",
            trained="regression",
            about="A head's output, clipped to [0, 1], read by a model trained with objective `regression`.",
        ),
        "confidence": Score(
            reads="chosen",
            about="Free: the best of several on training problems, sharpened by a power, for each reasoner.",
        ),
        "given": Score(
            reads="given",
            about="Given: a column of the files that the solutions come from, such as a reward model's.",
        ),
        "panel": Score(reads="panel", about="Several other verifiers' scores as one; `panel` says how."),
        **{
            name: Score(reads="kept", kept=CONFIDENCES[name], needs=NEEDS.get(name), about=about)
            for name, about in _FREE.items()
        },
    },
    {name: _windowed(family) for name, family in WINDOWED.items()},
)

__all__ = ["CHAIN_KEYS", "PLACES", "SCORES", "Score", "end", "every_token", "last", "mean", "step_ends"]
