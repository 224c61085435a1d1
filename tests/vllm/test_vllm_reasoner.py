"""A checkpoint that is loaded with vLLM solves and scores as with transformers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import rlv
from rlv.errors import ModelError

from .conftest import BASE

QUESTION = "Find x from 1 to 8 : 1 x^2 + 1 x + 8 = 3 mod 17"
ASKED = {"prompt_style": "plain", "answer_format": "marker", "threads": 1}


@pytest.fixture(scope="session")
def on_vllm():
    """Ended with the session: ending one engine of a process disables the others."""
    with rlv.load(BASE, engine="vllm", max_batch=16, **ASKED) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def on_transformers():
    with rlv.load(BASE, **ASKED) as loaded:
        yield loaded


def alike(ours, theirs) -> None:
    assert [s.token_ids for s in ours.solutions] == [s.token_ids for s in theirs.solutions]
    assert [s.score for s in ours.solutions] == pytest.approx([s.score for s in theirs.solutions], abs=1e-5)
    assert ours.answer == theirs.answer and ours.scored_by == theirs.scored_by
    assert ours.confidence == pytest.approx(theirs.confidence, abs=1e-5)


@pytest.mark.parametrize("max_tokens", [None, 40, 5])
def test_greedy_solutions_and_their_scores_agree(on_vllm, on_transformers, max_tokens):
    asked = {"n": 2, "temperature": 0, "max_tokens": max_tokens}
    ours, theirs = on_vllm.solve(QUESTION, **asked), on_transformers.solve(QUESTION, **asked)
    alike(ours, theirs)


def test_sampled_solutions_repeat_and_score_as_with_transformers(on_vllm, on_transformers):
    solved = on_vllm.solve(QUESTION, 8, seed=3, max_tokens=60)
    assert solved == on_vllm.solve(QUESTION, 8, seed=3, max_tokens=60)
    more = on_vllm.solve(QUESTION, 12, seed=3, max_tokens=60)
    assert [s.token_ids for s in more.solutions[:8]] == [s.token_ids for s in solved.solutions]
    assert len({s.token_ids for s in solved.solutions}) > 1
    scores = on_transformers.score(QUESTION, solved.solutions)
    assert [s.score for s in solved.solutions] == pytest.approx(scores, abs=1e-5)
    assert on_vllm.score(QUESTION, solved.solutions) == pytest.approx(scores, abs=1e-5)
    texts = [s.text for s in solved.solutions]
    assert on_vllm.score(QUESTION, texts) == pytest.approx(on_transformers.score(QUESTION, texts), abs=1e-5)


def test_it_has_room_for_as_many_tokens(on_vllm, on_transformers):
    assert on_vllm.positions == on_transformers.positions == 256
    assert on_vllm.room(QUESTION) == on_transformers.room(QUESTION)
    with pytest.raises(ModelError, match="leaves room for"):
        on_vllm.solve(QUESTION, max_tokens=250)
    _, room = on_vllm.room(QUESTION)
    assert len(on_vllm.solve(QUESTION, 2, max_tokens=room).solutions) == 2


def test_it_solves_in_another_thread_than_the_one_that_loaded_it(on_vllm):
    """As `rlv serve` does."""
    expected = on_vllm.solve(QUESTION, 4, seed=1)
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(on_vllm.solve, QUESTION, 4, seed=1).result() == expected


def test_a_solution_that_is_given_up_leaves_nothing_behind(on_vllm, monkeypatch):
    class GivenUp(BaseException):
        pass

    def give_up(*_):
        raise GivenUp

    monkeypatch.setattr("rlv.sampling.vllm_engine.PROGRESS_SECONDS", 0)
    expected = on_vllm.solve(QUESTION, 4, seed=1)
    with pytest.raises(GivenUp):
        on_vllm.solve(QUESTION, 4, seed=2, progress=give_up)
    assert on_vllm.solve(QUESTION, 4, seed=1) == expected


def test_a_temperature_that_vllm_does_not_draw_with_is_named(on_vllm):
    with pytest.raises(ModelError, match="vllm draws with 0 and"):
        on_vllm.solve(QUESTION, 2, temperature=3.0)
