"""What a sampling engine is: requests in, solutions out, and random numbers that belong to the request.

Random numbers are counter-based: u(seed, t) for the t-th token of a solution, from a 64-bit mixer. So a
solution is a function of (weights, prompt, seed, parameters), whatever the batch, the order or the
companions, and a run with a smaller `max_tokens` yields a prefix of the run with a larger one. What remains
is rounding: batches of other shapes may differ in the last bits of a logit, which changes a token only if
u falls within those bits of a boundary.

Left out on purpose: beam search, penalties, n-gram rules. The paper samples with temperature and top-p.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from jaxtyping import Float64, UInt64

from rlv.errors import ModelError
from rlv.prompts import turn_end_id

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FinishReason = Literal["stop", "length"]
# vLLM's own limits of the temperature, besides 0.
VLLM_TEMPERATURES = (0.01, 2.0)
Progress = Callable[[int, int, int], None]  # (solutions done, solutions asked for, tokens sampled so far)


@dataclass(frozen=True)
class SamplingParams:
    """How tokens are drawn: `temperature` 0 is greedy; `max_tokens`, end token included, is the budget."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 1024

    def __post_init__(self) -> None:
        if not self.temperature >= 0:
            raise ValueError(f"temperature is {self.temperature}; it must be 0 (greedy) or above")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}; it must be in (0, 1]")
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens is {self.max_tokens}; it must be 1 or more")


@dataclass(frozen=True)
class Request:
    """One solution asked for: the prompt x as tokens, and a 64-bit seed of its own.

    `max_tokens` is a budget below that of the parameters, for this solution only; None: that of the
    parameters.
    """

    problem_id: str
    sample_id: int
    prompt_ids: tuple[int, ...]
    seed: int
    max_tokens: int | None = None

    def budget(self, params: SamplingParams) -> int:
        """Tokens that this solution may have. Raises ValueError if it asks for more than `params` or none.

        More is refused because engines size their memory by `params`.
        """
        if self.max_tokens is None:
            return params.max_tokens
        if not 1 <= self.max_tokens <= params.max_tokens:
            raise ValueError(
                f"problem {self.problem_id!r}: max_tokens of the request is {self.max_tokens}; "
                f"it must be in 1 to {params.max_tokens}, that of the parameters"
            )
        return self.max_tokens


@dataclass(frozen=True)
class Sampled:
    """One solution: its tokens (end token included) and log π(y_t | x, y_<t) of each, in nats.

    `logprobs` are the model's own: temperature 1, the full vocabulary, whatever the tokens were drawn with.
    So is `self_certainty` (Kang et al. 2025), the mean over the tokens of KL(uniform || p_t) =
    -1/V Σ_a ln(V p_t(a)), p_t the distribution that token t was drawn from; None where an engine does not
    see all of it.
    """

    problem_id: str
    sample_id: int
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: FinishReason
    self_certainty: float | None = None


class Engine(Protocol):
    """Anything that turns requests into solutions."""

    def sample(
        self, requests: Sequence[Request], params: SamplingParams, progress: Progress | None = None
    ) -> list[Sampled]:
        """One solution a request, in the order of the requests."""
        ...


def refuse_unfit(
    requests: Sequence[Request], params: SamplingParams, positions: int, vocabulary: int
) -> None:
    """Raises ModelError, naming the problem, for a prompt that a model cannot continue.

    Such a prompt with its budget exceeds the model's positions, has no tokens, or has tokens of another
    tokenizer.
    """
    for r in requests:
        n, budget = len(r.prompt_ids), r.budget(params)
        if n == 0:
            raise ModelError(f"problem {r.problem_id!r}: the prompt has no tokens; it needs one at least")
        if n + budget > positions:
            room = positions - n
            advice = f"set max_tokens to {room} or less" if room > 0 else "the prompt must be shorter"
            raise ModelError(
                f"problem {r.problem_id!r}: a prompt of {n} tokens and max_tokens {budget} "
                f"exceed the model's {positions} positions; {advice}"
            )
        if not 0 <= min(r.prompt_ids) <= max(r.prompt_ids) < vocabulary:
            raise ModelError(
                f"problem {r.problem_id!r}: the prompt has token ids outside the model's vocabulary of "
                f"{vocabulary}; use the model's own tokenizer"
            )


def end_tokens(tokenizer: PreTrainedTokenizerBase, generation_ends: Any, name: str) -> list[int]:
    """Every token that ends a solution: the tokenizer's, its chat template's, the generation configuration's.

    A base model that comes with a chat template often ends texts with another token than its template does.
    Raises ModelError if none of them names one; `name` is the model's.
    """
    ends = generation_ends if isinstance(generation_ends, list) else [generation_ends]
    own: Any = tokenizer.eos_token_id
    end_ids: set[Any] = {own, turn_end_id(tokenizer), *ends} - {None}
    if not end_ids:
        raise ModelError(f"{name}: neither tokenizer nor generation config names an end token")
    return sorted(end_ids)


def request_seed(study_seed: int, problem_id: str, sample_id: int, *salt: str | int) -> int:
    """A 64-bit seed that depends only on its arguments, the same on every machine and in every version.

    `salt` separates what would otherwise share random numbers, such as training steps.
    """
    text = "\x1f".join(map(str, (study_seed, problem_id, sample_id, *salt)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def uniforms(
    seeds_B: UInt64[np.ndarray, " B"], counters_B: UInt64[np.ndarray, " B"]
) -> Float64[np.ndarray, " B"]:
    """u(seed, t) in [0, 1 - 2^-52]: the splitmix64 stream of each seed, read at its counter."""
    state = seeds_B + (counters_B + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state = state ^ (state >> np.uint64(31))
    # 52 bits, not 53: u · total then stays below total after rounding, so the inverse CDF has an answer.
    return (state >> np.uint64(12)).astype(np.float64) * 2.0**-52
