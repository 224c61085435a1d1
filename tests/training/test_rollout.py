"""Which problems a step sees, and what becomes of sampled solutions; the engine is a stand-in."""

from __future__ import annotations

import numpy as np
import pytest

from rlv.errors import DataError
from rlv.sampling.engine import Sampled
from rlv.training.config import TrainingConfig
from rlv.training.rollout import choose_problems, collect, read_prompts


class Scripted:
    """An engine that answers with the sample's number plus one, and runs out of tokens on every third."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def sample(self, requests, params, progress=None):
        solutions = []
        for r in requests:
            ids = self.tokenizer.encode(f"Answer {r.sample_id + 1}", add_special_tokens=False)
            stops = r.sample_id % 3 != 2
            ids = tuple(ids) + ((self.tokenizer.eos_token_id,) if stops else ())
            finish = "stop" if stops else "length"
            solutions.append(Sampled(r.problem_id, r.sample_id, ids, (-1.0,) * len(ids), finish))
        return solutions


def test_an_epoch_sees_every_problem_once():
    seen = np.concatenate([choose_problems(12, 4, step, seed=7) for step in range(3)])
    assert sorted(seen) == list(range(12))
    assert not np.array_equal(seen, np.concatenate([choose_problems(12, 4, step, 7) for step in range(3, 6)]))


def test_a_step_never_meets_a_problem_twice():
    for step in range(50):
        assert len(set(choose_problems(7, 3, step, seed=1))) == 3


def test_too_few_problems():
    with pytest.raises(DataError, match="3 rows, a step needs 4"):
        choose_problems(3, 4, 0, 0)


def test_rewards_advantages_and_unfinished_solutions(tiny_tokenizer, problems):
    from rlv.answers import extract_answer

    prompts = read_prompts(problems, tiny_tokenizer, "plain")[:3]  # references 1, 2, 3
    config = TrainingConfig(advantage="leave_one_out", solutions_per_problem=3)
    graded = []

    def rewards(answers, references):
        graded.append(list(answers))
        return np.array([a == r for a, r in zip(answers, references, strict=True)], dtype=float)

    trajectories = collect(
        prompts,
        5,
        config,
        engine=Scripted(tiny_tokenizer),
        tokenizer=tiny_tokenizer,
        extract_answer=extract_answer,
        rewards=rewards,
    )
    assert graded == [["1", "2", None] * 3]
    assert [t.reward for t in trajectories] == [1, 0, 0, 0, 1, 0, 0, 0, 0]  # p2's answer 3 came unfinished
    assert [t.advantage for t in trajectories] == [1, -0.5, -0.5, -0.5, 1, -0.5, 0, 0, 0]
    assert [t.finished for t in trajectories] == [True, True, False] * 3
    assert trajectories[4].prompt_ids == prompts[1].ids
