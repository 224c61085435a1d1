"""Free confidences: scores in [0, 1] that read what sampling kept of a solution, and no model.

    u = confidence("tail_logprob", token_ids, logprobs_T, self_certainty)

Pure functions of a row of a "samples" table (rlv/tables), all about the reasoner that sampled it, at
temperature 1. They cost nothing beyond sampling, so what a trained verifier adds is what it adds to these.
Higher is surer; only the order within a problem has a meaning, and a vote may sharpen it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float

from rlv.errors import DataError
from rlv.families import Family, member

# What sampling keeps for these scores: columns of the "samples" table, which may be null.
Column = Literal["token_logprobs", "self_certainty", "text"]
COLUMNS = ("problem_id", "sample_id", "budget", "token_ids", *get_args(Column))  # all that scores are made of
# From a solution's token ids, the log-probability of each (float64 [T], nats) and its self-certainty (nats)
# to u. A function is given what it needs; the other of the last two may be None. One that needs "text" is
# given that as well, after them.
Kept = Callable[..., float]

# DeepConf (Fu et al. 2025, section 3.1) reads a tail of 2048 tokens, the last steps of a long solution. This
# is the last try of a solution to the mini task.
TAIL_TOKENS = 7
# DeepConf's "bottom" is a mean over this share of its windows, the lowest.
BOTTOM_SHARE = 0.1


def mean_logprob(token_ids: Sequence[int], logprobs_T: Float[np.ndarray, " T"], certainty: Any) -> float:
    """exp(1/T Σ ln π(y_t)), the geometric mean of the tokens' probabilities.

    It is the inverse of the perplexity, which therefore has no name of its own, and the response probability
    of CISC (Taubenfeld et al. 2025).
    """
    return _probability(logprobs_T.mean())


def tail_logprob(token_ids: Sequence[int], logprobs_T: Float[np.ndarray, " T"], certainty: Any) -> float:
    """The same over the last TAIL_TOKENS tokens, or all if there are fewer, as DeepConf's tail confidence."""
    return _probability(logprobs_T[-TAIL_TOKENS:].mean())


def tail(
    token_ids: Sequence[int], logprobs_T: Float[np.ndarray, " T"], certainty: Any, *, size: int
) -> float:
    """The same over the last `size` tokens."""
    return _probability(logprobs_T[-size:].mean())


def group(
    token_ids: Sequence[int], logprobs_T: Float[np.ndarray, " T"], certainty: Any, *, size: int
) -> float:
    """exp of the lowest mean over `size` tokens in a row: DeepConf's lowest group confidence."""
    return _probability(window_means(logprobs_T, size).min())


def bottom(
    token_ids: Sequence[int], logprobs_T: Float[np.ndarray, " T"], certainty: Any, *, size: int
) -> float:
    """exp of the mean of the lowest BOTTOM_SHARE of these means, at least of one: DeepConf's bottom."""
    means_W = np.sort(window_means(logprobs_T, size))
    return _probability(means_W[: max(1, int(BOTTOM_SHARE * len(means_W)))].mean())


def window_means(values_T: Float[np.ndarray, " T"], size: int) -> Float[np.ndarray, " W"]:
    """The mean of every `size` values in a row; the mean of all if there are fewer."""
    size = min(size, len(values_T))
    return np.lib.stride_tricks.sliding_window_view(values_T, size).mean(axis=-1)


def lowest_logprob(token_ids: Sequence[int], logprobs_T: Float[np.ndarray, " T"], certainty: Any) -> float:
    """The probability of the least probable token."""
    return _probability(logprobs_T.min())


def self_certainty(token_ids: Sequence[int], logprobs_T: Any, certainty: float) -> float:
    """c / (1 + c) of the self-certainty c ≥ 0 (Kang et al. 2025): in [0, 1], in the order of c.

    c is the mean over tokens of KL(uniform || p_t) = -1/V Σ_a ln(V p_t(a)), 0 where nothing is preferred.
    """
    c = max(certainty, 0.0)  # rounding may leave a little less than 0
    return 1 - 1 / (1 + c)  # 1 for a model that rules tokens out


def brevity(token_ids: Sequence[int], logprobs_T: Any, certainty: Any) -> float:
    """1/T of a solution of T tokens: what is known by length and nothing else."""
    return 1 / len(token_ids)


def claims(token_ids: Sequence[int], logprobs_T: Any, certainty: Any, text: str) -> float:
    """1 if the last try of a solution to a mini task is marked "yes", else 0: what it says of itself."""
    marks = [word for word in text.split() if word in ("yes", "no")]
    return float(marks[-1:] == ["yes"])


CONFIDENCES: dict[str, Kept] = {
    "mean_logprob": mean_logprob,
    "tail_logprob": tail_logprob,
    "lowest_logprob": lowest_logprob,
    "self_certainty": self_certainty,
    "brevity": brevity,
    "claims": claims,
}


def _of_tokens(kept: Kept, about: str, default: float | None = None) -> Family[Kept]:
    """A confidence of `size` tokens, which stand in its name: they differ from task to task."""
    return Family(
        lambda size: partial(kept, size=int(size)),
        low=1,
        above=False,
        whole=True,
        default=default,
        about=about,
    )


# Confidences of DeepConf with their tokens in the name; it reads windows and tails of 2048. Its own
# confidence in a token is of the mean log-probability of the twenty most probable ones, which nobody keeps:
# here it is the log-probability of the sampled one.
WINDOWED: dict[str, Family[Kept]] = {
    "tail_logprob": _of_tokens(tail, "Free: the probability of the last so many tokens, as DeepConf's tail."),
    "group_logprob": _of_tokens(
        group,
        "Free: DeepConf's lowest group, by the sampled tokens' log-probabilities (not of the top 20).",
        TAIL_TOKENS,
    ),
    "bottom_logprob": _of_tokens(
        bottom, "Free: DeepConf's bottom, the lowest 10 % of its groups, by the same numbers.", TAIL_TOKENS
    ),
}
# What each needs besides the tokens themselves.
NEEDS: dict[str, Column] = {
    "mean_logprob": "token_logprobs",
    "tail_logprob": "token_logprobs",
    "lowest_logprob": "token_logprobs",
    "self_certainty": "self_certainty",
    "claims": "text",
}


def confidence(
    name: str,
    token_ids: Sequence[int],
    logprobs_T: Sequence[float] | None,
    certainty: float | None,
    text: str | None = None,
) -> float:
    """u in [0, 1] of one solution by the confidence of this name; see CONFIDENCES and WINDOWED.

    `token_ids`: the solution's, its end token included; `logprobs_T`: ln π of each at temperature 1;
    `certainty`: its self-certainty in nats; None where sampling did not keep them. Raises DataError if this
    confidence needs what is None, and for a solution without tokens; KeyError for another name.
    """
    kept, needs = CONFIDENCES.get(name), NEEDS.get(name)
    if kept is None:
        kept, needs = member(WINDOWED, name, "score"), "token_logprobs"
    if kept is None:
        raise KeyError(name)
    return confidence_by(kept, needs, token_ids, logprobs_T, certainty, text)


def confidence_by(
    kept: Kept,
    needs: Column | None,
    token_ids: Sequence[int],
    logprobs_T: Sequence[float] | None,
    certainty: float | None,
    text: str | None = None,
) -> float:
    """What `confidence` returns, for any function and the column that it needs (None: only the tokens)."""
    if not len(token_ids):
        raise DataError("a solution has no tokens; expected one or more, as engines return them")
    lacking = {
        "token_logprobs": logprobs_T is None,
        "self_certainty": certainty is None,
        "text": text is None,
    }
    if needs is not None and lacking[needs]:
        raise DataError(f"no {needs} was kept of a solution when it was sampled; {_REMEDIES[needs]}")
    if logprobs_T is not None and len(logprobs_T) != len(token_ids):
        raise DataError(
            f"a solution of {len(token_ids)} tokens has {len(logprobs_T)} token_logprobs; expected one each"
        )
    kept_T = None if logprobs_T is None else np.asarray(logprobs_T, dtype=np.float64)
    return kept(token_ids, kept_T, certainty, *([text] if needs == "text" else []))


_AGAIN = (
    "samples of older versions lack it (sample again), and so do solutions that were cut at a length budget "
    "(score them as sampled, or by a verifier that reads them)"
)
_REMEDIES: dict[Column, str] = {
    "token_logprobs": _AGAIN,
    "self_certainty": f"engine 'vllm' cannot give it (sample with 'transformers'), {_AGAIN}",
    "text": "use solutions with their text",
}


def _probability(logprob: float) -> float:
    """exp, in [0, 1]: rounding may leave a log-probability a little above 0."""
    return float(np.exp(min(float(logprob), 0.0)))
