"""Monte-Carlo values: how often a solution, continued from the start of one of its steps, ends up right.

V(s) of a state s (a problem and the first tokens of a solution) is the mean reward of K fresh continuations
(Kazemnejad et al. 2024). Continuations of all states of a batch are one call of the engine: it prefills each
state once for its K rows, and no row waits for another solution's boundary. States that several solutions
share (the empty prefix always, in short tasks many others) are valued once.

A value is a function of (weights, problem, prefix, seed, training step), whatever the other solutions are.
Left out on purpose: values learned by a network, and taking the solution itself for a continuation (its own
outcome would then be part of what it is compared with).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from rlv.answers.steps import step_starts
from rlv.sampling.engine import Engine, Progress, Request, SamplingParams, request_seed
from rlv.training.policy import Prompt
from rlv.training.run import Run

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


# Whole solutions, prefix and continuation, that are there at the same time.
GRADED = 256

# (problems, token ids of a solution each, whether it ended by itself) -> rewards, one each.
Grade = Callable[[Sequence[Prompt], Sequence[Sequence[int]], Sequence[bool]], np.ndarray]


@dataclass(frozen=True)
class Values:
    """The Monte-Carlo values of some solutions' steps, and what they cost.

    starts: of each solution, the token offsets of its steps. values_BK: [solutions, most steps], V at the
    start of each step, NaN beyond a solution's last. tokens: sampled for all continuations together.
    """

    starts: list[tuple[int, ...]]
    values_BK: Float64[np.ndarray, "B K"]
    tokens: int


def monte_carlo_values(
    prompts: Sequence[Prompt],
    solutions: Sequence[tuple[int, ...]],
    step: int,
    run: Run,
    *,
    engine: Engine,
    tokenizer: PreTrainedTokenizerBase,
    grade: Grade,
    progress: Progress | None = None,
) -> Values:
    """Values at the start of every step of every solution (token ids); `prompts` has one problem a solution.

    A solution of more than `valued_steps` steps is valued at so many of them (`merged_steps`). A continuation
    has the tokens that its prefix leaves of `max_tokens`; it is graded as a whole solution, prefix included,
    and earns 0 if it does not end by itself. Since a step begins before the solution's last token, every
    state has a token left.
    """
    training = run.training
    starts = [
        merged_steps(step_starts(tokenizer, ids, run.step_rule), training.valued_steps) for ids in solutions
    ]
    states: dict[tuple[Prompt, tuple[int, ...]], int] = {}
    state_BK = np.full((len(solutions), max(map(len, starts), default=1)), -1)
    for b, (prompt, ids, begins) in enumerate(zip(prompts, solutions, starts, strict=True)):
        for k, begin in enumerate(begins):
            state_BK[b, k] = states.setdefault((prompt, ids[:begin]), len(states))
    requests = [r for prompt, prefix in states for r in continuations(prompt, prefix, step, run)]
    params = SamplingParams(training.temperature, training.top_p, training.max_tokens)
    # Without the log-probabilities, which take several times the memory of the tokens.
    sampled = [(s.token_ids, s.finish_reason == "stop") for s in engine.sample(requests, params, progress)]
    repeated = [state for state in states for _ in range(training.continuations)]
    rewards_R = np.empty(len(sampled))
    for first in range(0, len(sampled), GRADED):
        some = slice(first, first + GRADED)
        rewards_R[some] = grade(
            [prompt for prompt, _ in repeated[some]],
            [prefix + ids for (_, prefix), (ids, _) in zip(repeated[some], sampled[some], strict=True)],
            [ended for _, ended in sampled[some]],
        )
    rewards_SK = rewards_R.reshape(len(states), training.continuations)
    values_S = np.append(rewards_SK.mean(axis=1), np.nan)  # index -1: no step there
    return Values(starts, values_S[state_BK], sum(len(ids) for ids, _ in sampled))


def merged_steps(starts: Sequence[int], most: int | None) -> tuple[int, ...]:
    """The starts of K steps, merged evenly into `most` if K is larger; None: as they are.

    Merged step j of m begins where step ⌊j K / m⌋ did, so each has ⌊K / m⌋ or ⌈K / m⌉ steps that adjoin, and
    the first begins with the solution. The code of VinePPO (Kazemnejad et al. 2024) values the first steps
    instead and leaves all that come after to the last of them, however long.
    """
    if most is None or len(starts) <= most:
        return tuple(starts)
    return tuple(starts[j * len(starts) // most] for j in range(most))


def continuations(prompt: Prompt, prefix: tuple[int, ...], step: int, run: Run) -> list[Request]:
    """The K requests that continue a solution from its first tokens, within what they leave of the budget."""
    # The prefix in the seed: two states of a problem must not share their random numbers.
    digest = hashlib.sha256(",".join(map(str, prefix)).encode()).hexdigest()
    ids = prompt.ids + prefix  # one for all
    return [
        Request(
            prompt.problem_id,
            k,
            ids,
            request_seed(run.training.seed, prompt.problem_id, k, "value", step, digest),
            max_tokens=run.training.max_tokens - len(prefix),
        )
        for k in range(run.training.continuations)
    ]
