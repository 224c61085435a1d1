"""Which problems a step sees, and what becomes of sampled solutions; the engine is a stand-in."""

from __future__ import annotations

import numpy as np
import pytest

from rlv.errors import DataError
from rlv.sampling.engine import Sampled
from rlv.training.batches import Trajectory
from rlv.training.journal import show_solutions
from rlv.training.policy import Prompt, read_prompts
from rlv.training.rollout import (
    Rollout,
    choose_problems,
    collect,
    grading,
    merged,
    over_tokens,
)
from rlv.training.run import Run


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
    config = Run.of(advantage="leave_one_out", solutions_per_problem=3)
    graded = []

    def rewards(answers, references):
        graded.append(list(answers))
        return np.array([a == r for a, r in zip(answers, references, strict=True)], dtype=float)

    rollout = collect(
        prompts,
        5,
        config,
        engine=Scripted(tiny_tokenizer),
        tokenizer=tiny_tokenizer,
        extract_answer=extract_answer,
        rewards=rewards,
    )
    trajectories = rollout.trajectories
    assert rollout.tokens_values == 0
    assert graded == [["1", "2", None] * 3]
    assert [t.reward for t in trajectories] == [1, 0, 0, 0, 1, 0, 0, 0, 0]  # p2's answer 3 came unfinished
    assert [set(t.advantages) for t in trajectories] == [{v} for v in (1, -0.5, -0.5, -0.5, 1, -0.5, 0, 0, 0)]
    assert [len(t.advantages) for t in trajectories] == [len(t.solution_ids) for t in trajectories]
    assert [t.finished for t in trajectories] == [True, True, False] * 3
    assert trajectories[4].prompt_ids == prompts[1].ids


class Searching:
    """Tries the sample's number first, answers 1; of the continuations, every second one answers 2."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def sample(self, requests, params, progress=None):
        solutions = []
        for r in requests:
            text = f"Try {r.sample_id} no Answer 1"
            if r.max_tokens is not None:
                text = f"Answer {r.sample_id % 2 + 1}"
            ids = (*self.tokenizer.encode(text, add_special_tokens=False), self.tokenizer.eos_token_id)
            solutions.append(Sampled(r.problem_id, r.sample_id, ids, (-1.0,) * len(ids), "stop"))
        return solutions


def test_values_reach_the_tokens_of_their_steps(tiny_tokenizer, problems):
    from rlv.answers import extract_answer

    def rewards(answers, references):
        return np.array([a == r for a, r in zip(answers, references, strict=True)], dtype=float)

    rollout = collect(
        read_prompts(problems, tiny_tokenizer, "plain")[:3],  # references 1, 2, 3
        5,
        Run.of(advantage="vineppo", solutions_per_problem=2, continuations=4, step_rule="try"),
        engine=Searching(tiny_tokenizer),
        tokenizer=tiny_tokenizer,
        extract_answer=extract_answer,
        rewards=rewards,
    )
    # V is 1/2 wherever the answer is 1 or 2. Steps: "Try g no", then "Answer 1" and the end token.
    right, wrong, lost = (0,) * 3 + (0.5,) * 3, (0,) * 3 + (-0.5,) * 3, (0,) * 6
    assert [t.advantages for t in rollout.trajectories] == [right] * 2 + [wrong] * 2 + [lost] * 2
    # A problem's states: its beginning, shared, and one after each solution's try; three tokens each time.
    assert rollout.tokens_values == 3 * 3 * 4 * 3


def test_every_token_has_its_steps_advantage():
    assert over_tokens(np.array([0.5, -1.0, np.nan]), (0, 2), 5) == (0.5, 0.5, -1.0, -1.0, -1.0)
    assert over_tokens(np.array([2.0]), (0,), 3) == (2.0, 2.0, 2.0)


@pytest.mark.parametrize("n_ranks", [1, 2, 3, 4])
def test_ranks_rollouts_are_merged_in_the_order_of_problems(trajectories, n_ranks):
    """Three problems of three solutions each, taken in turn; a fourth rank has none."""
    parts = [
        Rollout([t for t in trajectories if int(t.problem_id[1:]) % n_ranks == rank], tokens_values=rank)
        for rank in range(n_ranks)
    ]
    whole = merged(parts, 3, 3)
    assert whole.trajectories == trajectories and whole.tokens_values == sum(range(n_ranks))


class CodeUnits:
    """A tokenizer whose tokens are UTF-16 code units."""

    def decode(self, token_ids, *, skip_special_tokens) -> str:
        return "".join(map(chr, token_ids))


def test_half_of_a_surrogate_pair_stops_no_log_and_no_judge():
    ids = (0x41, 0xD83D)
    seen: list[str | None] = []

    def extract(text: str, answer_format: str) -> str:
        seen.append(text)
        return text

    grade = grading("boxed", CodeUnits(), extract, lambda answers, references: np.zeros(len(answers)))  # pyright: ignore[reportArgumentType]
    assert grade([Prompt("p", (1,), "7")], [ids], [True]).tolist() == [0.0]
    trajectory = Trajectory("p", 0, (1,), ids, (0.0, 0.0), True, 0.0, (0.0, 0.0))
    lines = show_solutions([trajectory], None, {"p": "what?"}, CodeUnits())  # pyright: ignore[reportArgumentType]
    assert seen == ["A\ufffd"] and lines[1].strip() == "A\ufffd" and "\n".join(lines).encode()
