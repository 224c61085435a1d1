"""From problems to trajectories: choose, sample, grade, compare.

Which problems a step sees and which random numbers a solution uses are functions of (seed, step), so a run
that is started again needs no data position. Left out on purpose: choosing problems by difficulty, replay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from rlv.errors import DataError
from rlv.sampling.engine import Engine, Progress, Request, SamplingParams, request_seed
from rlv.sampling.shards import stored_text
from rlv.training.advantages import ADVANTAGES
from rlv.training.batches import Trajectory
from rlv.training.policy import Prompt
from rlv.training.run import Run
from rlv.training.values import Grade, monte_carlo_values

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# (answers or None, references) -> rewards in {0, 1}, one each.
Rewards = Callable[[list[str | None], list[str]], np.ndarray]
ExtractAnswer = Callable[[str, str], str | None]


@dataclass(frozen=True)
class Rollout:
    """The batch of one step, and the tokens that were sampled for it: solutions, and Monte-Carlo values."""

    trajectories: list[Trajectory]
    tokens_sampled: int = 0
    tokens_values: int = 0


def choose_problems(n_problems: int, per_step: int, step: int, seed: int) -> np.ndarray:
    """Indices of the problems of a step (counted from 0): a new permutation of all problems every epoch.

    What an epoch's last step cannot fill is left for the next permutation, so that no step meets a problem
    twice. Raises DataError if there are fewer problems than a step needs.
    """
    if n_problems < per_step:
        raise DataError(f"problems: {n_problems} rows, a step needs {per_step}; lower problems_per_step")
    epoch, position = divmod(step, n_problems // per_step)
    permutation = np.random.default_rng([seed, epoch]).permutation(n_problems)
    return permutation[position * per_step : (position + 1) * per_step]


def collect(
    prompts: Sequence[Prompt],
    step: int,
    run: Run,
    *,
    engine: Engine,
    tokenizer: PreTrainedTokenizerBase,
    extract_answer: ExtractAnswer,
    rewards: Rewards,
    progress: Progress | None = None,
) -> Rollout:
    """One step's batch: G solutions of each prompt, with rewards and advantages.

    Solutions of a problem are neighbours. A solution that ran out of tokens has no answer and earns 0.
    Continuations for values, if the advantage needs them, come from the same engine.
    """
    if not prompts:  # of a rank, if there are more ranks than problems
        return Rollout([])
    training = run.training
    n_solutions = training.solutions_per_problem
    repeated = [p for p in prompts for _ in range(n_solutions)]
    requests = [
        Request(p.problem_id, g, p.ids, request_seed(training.seed, p.problem_id, g, step))
        for p in prompts
        for g in range(n_solutions)
    ]
    sampled = engine.sample(
        requests,
        SamplingParams(training.temperature, training.top_p, training.max_tokens),
        progress,
    )

    grade = grading(run.answer_format, tokenizer, extract_answer, rewards)
    solutions = [s.token_ids for s in sampled]
    finished = [s.finish_reason == "stop" for s in sampled]
    shape = (len(prompts), n_solutions)
    rewards_PG = grade(repeated, solutions, finished).reshape(shape)
    starts: list[tuple[int, ...]] = [(0,)] * len(sampled)
    values_PGK, tokens_values = None, 0
    advantage = ADVANTAGES[run.advantage]
    if "values" in advantage.needs:
        values = monte_carlo_values(
            repeated,
            solutions,
            step,
            run,
            engine=engine,
            tokenizer=tokenizer,
            grade=grade,
            progress=progress,
        )
        starts, tokens_values = values.starts, values.tokens
        values_PGK = values.values_BK.reshape(*shape, -1)
    advantages_PGK = advantage.compute(rewards_PG, values_PGK)
    advantages_BK = advantages_PGK.reshape(len(sampled), -1)
    trajectories = [
        Trajectory(
            problem_id=s.problem_id,
            sample_id=s.sample_id,
            prompt_ids=request.prompt_ids,
            solution_ids=s.token_ids,
            sampled_logprobs=s.logprobs,
            finished=ended,
            reward=float(reward),
            advantages=over_tokens(advantages_K, begins, len(s.token_ids)),
        )
        for request, s, ended, reward, advantages_K, begins in zip(
            requests, sampled, finished, rewards_PG.ravel(), advantages_BK, starts, strict=True
        )
    ]
    return Rollout(trajectories, sum(len(ids) for ids in solutions), tokens_values)


def merged(parts: Sequence[Rollout], n_problems: int, n_solutions: int) -> Rollout:
    """The rollouts of ranks that took the step's problems in turn, as one of all problems in their order.

    Part r has problems r, r + R, ... of R parts, `n_solutions` trajectories each.
    """
    if len(parts) == 1:
        return parts[0]
    trajectories = []
    for problem in range(n_problems):
        begin = problem // len(parts) * n_solutions
        trajectories += parts[problem % len(parts)].trajectories[begin : begin + n_solutions]
    return Rollout(
        trajectories,
        sum(part.tokens_sampled for part in parts),
        sum(part.tokens_values for part in parts),
    )


def grading(
    answer_format: str,
    tokenizer: PreTrainedTokenizerBase,
    extract_answer: ExtractAnswer,
    rewards: Rewards,
) -> Grade:
    """From token ids to rewards; a solution that did not end by itself has no answer."""

    def grade(
        prompts: Sequence[Prompt], solutions: Sequence[Sequence[int]], finished: Sequence[bool]
    ) -> np.ndarray:
        answers: list[str | None] = [
            extract_answer(stored_text(tokenizer, ids), answer_format) if ended else None
            for ids, ended in zip(solutions, finished, strict=True)
        ]
        return np.asarray(rewards(answers, [p.reference for p in prompts]), dtype=np.float64)

    return grade


def over_tokens(
    advantages_K: Float[np.ndarray, " K"], starts: Sequence[int], n_tokens: int
) -> tuple[float, ...]:
    """One number a step as one a token: every token of a step has its step's advantage."""
    lengths_K = np.diff([*starts, n_tokens])
    return tuple(np.repeat(advantages_K[: len(starts)], lengths_K).tolist())
