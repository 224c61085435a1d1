"""Monte-Carlo values: closed forms with a scripted engine, and a naive loop with a real one."""

from __future__ import annotations

import hashlib
import random
from collections import Counter

import numpy as np
import pytest

from rlv.sampling.engine import Request, Sampled, SamplingParams, request_seed
from rlv.sampling.transformers_engine import TransformersEngine
from rlv.training.policy import Prompt
from rlv.training.run import Run
from rlv.training.values import merged_steps, monte_carlo_values

STEP = 3
CONFIG = Run.of(advantage="vineppo", continuations=4, step_rule="try", max_tokens=30, seed=5)


def grade(prompts, solutions, finished):
    """A rule that needs every token of a solution, and no words."""
    return np.array(
        [
            float(ended and (sum(ids) + len(p.ids)) % 2)
            for p, ids, ended in zip(prompts, solutions, finished, strict=True)
        ]
    )


class Scripted:
    """Continues a prefix of n tries with the answers 1, 2, 3 and one that runs out of tokens."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.calls: list[list[Request]] = []

    def sample(self, requests, params, progress=None):
        self.calls.append(list(requests))
        solutions = []
        for r in requests:
            ids = (*self.tokenizer.encode(f"Answer {r.sample_id + 1}"), self.tokenizer.eos_token_id)
            cut = r.sample_id == 3
            solutions.append(
                Sampled(r.problem_id, r.sample_id, ids, (-1.0,) * len(ids), "length" if cut else "stop")
            )
        return solutions


@pytest.fixture
def prompts(tiny_tokenizer) -> list[Prompt]:
    return [
        Prompt(f"p{i}", tuple(tiny_tokenizer.encode(f"Find x : {i} x = 4")), str(i + 1)) for i in range(3)
    ]


def encoded(tokenizer, text: str) -> tuple[int, ...]:
    return (*tokenizer.encode(text), tokenizer.eos_token_id)


def test_values_in_closed_form(tiny_tokenizer, prompts):
    """Right is an answer below the number of tries, so after n tries V is the share of answers 1 … n − 1."""
    engine = Scripted(tiny_tokenizer)
    tries = "Try 3 no Try 5 no Try 7 yes Answer 7"

    def more_tries_more_answers(asked, solutions, finished):
        texts = [tiny_tokenizer.decode(list(ids), skip_special_tokens=True) for ids in solutions]
        return np.array(
            [
                float(ended and int(text.split()[-1]) < text.count("Try"))
                for text, ended in zip(texts, finished, strict=True)
            ]
        )

    solutions = [encoded(tiny_tokenizer, text) for text in (tries, "Answer 9", tries)]
    values = monte_carlo_values(
        prompts,
        solutions,
        STEP,
        CONFIG,
        engine=engine,
        tokenizer=tiny_tokenizer,
        grade=more_tries_more_answers,
    )
    nan = np.nan
    assert values.starts == [(0, 3, 6, 9), (0,), (0, 3, 6, 9)]
    np.testing.assert_array_equal(
        values.values_BK, [[0, 0, 0.25, 0.5], [0, nan, nan, nan], [0, 0, 0.25, 0.5]]
    )
    assert values.tokens == 9 * 4 * 3


@pytest.mark.parametrize("n_steps", range(1, 12))
@pytest.mark.parametrize("most", [1, 2, 3, 5, 11, 50])
def test_steps_are_merged_evenly(n_steps, most):
    starts = [0, *np.cumsum(np.random.default_rng(n_steps).integers(1, 9, n_steps - 1)).tolist()]
    merged = merged_steps(starts, most)
    assert len(merged) == min(n_steps, most) and merged[0] == 0 and set(merged) <= set(starts)
    sizes = np.diff([*(starts.index(begin) for begin in merged), n_steps])
    assert sizes.min() >= 1 and sizes.max() - sizes.min() <= 1
    assert merged_steps(starts, None) == tuple(starts)


@pytest.mark.parametrize(("most", "kept"), [(1, [0]), (2, [0, 2]), (3, [0, 1, 2]), (4, [0, 1, 2, 3])])
def test_values_of_merged_steps_are_those_of_the_steps_that_begin_there(tiny_tokenizer, prompts, most, kept):
    solution = encoded(tiny_tokenizer, "Try 3 no Try 5 no Try 7 yes Answer 7")

    def valued(config, engine):
        return monte_carlo_values(
            prompts[:1], [solution], STEP, config, engine=engine, tokenizer=tiny_tokenizer, grade=grade
        )

    whole = valued(CONFIG, Scripted(tiny_tokenizer))
    engine = Scripted(tiny_tokenizer)
    found = valued(CONFIG.but(valued_steps=most), engine)
    assert found.starts == [tuple(whole.starts[0][k] for k in kept)]
    np.testing.assert_array_equal(found.values_BK, whole.values_BK[:, kept])
    # Nothing is sampled for the others.
    assert len(engine.calls[0]) == len(kept) * CONFIG.training.continuations


def test_every_state_once_in_one_call_within_its_budget(tiny_tokenizer, prompts):
    engine = Scripted(tiny_tokenizer)
    texts = ["Try 3 no Try 5 yes Answer 5", "Try 3 no Answer 3", "Try 3 no Try 5 yes Answer 5"]
    solutions = [encoded(tiny_tokenizer, text) for text in texts]
    owners = [prompts[0], prompts[0], prompts[1]]
    monte_carlo_values(owners, solutions, STEP, CONFIG, engine=engine, tokenizer=tiny_tokenizer, grade=grade)
    (requests,) = engine.calls
    # p0: the empty prefix, "Try 3 no" for two solutions, "… Try 5 yes"; p1 shares none of them.
    prefixes = {(r.problem_id, r.prompt_ids) for r in requests}
    assert Counter((r.problem_id, r.prompt_ids) for r in requests) == dict.fromkeys(prefixes, 4)
    assert len(prefixes) == 3 + 3
    for r in requests:
        prompt = prompts[int(r.problem_id[1])]
        assert r.prompt_ids[: len(prompt.ids)] == prompt.ids
        assert r.max_tokens == CONFIG.training.max_tokens - (len(r.prompt_ids) - len(prompt.ids))
    assert len({r.seed for r in requests}) == len(requests)


@pytest.mark.parametrize("at_once", [1, 5, 8, 10_000])
def test_values_do_not_depend_on_how_many_are_graded_at_once(tiny_tokenizer, prompts, monkeypatch, at_once):
    monkeypatch.setattr("rlv.training.values.GRADED", at_once)
    solutions = [encoded(tiny_tokenizer, "Try 3 no Try 5 no Try 7 yes Answer 7"), (7, 8), (9,)]
    calls = []

    def numbered(asked, continued, finished):
        """0, 1, 2, ... over all calls, so that every continuation has a number of its own."""
        assert len(asked) == len(continued) == len(finished) <= at_once
        first = sum(calls)
        calls.append(len(asked))
        return np.arange(first, first + len(asked), dtype=float)

    values = monte_carlo_values(
        prompts,
        solutions,
        STEP,
        CONFIG,
        engine=Scripted(tiny_tokenizer),
        tokenizer=tiny_tokenizer,
        grade=numbered,
    )
    assert sum(calls) == 4 * 6 and values.tokens == 6 * 4 * 3
    # Of each state the mean of four numbers in a row.
    assert values.values_BK[np.isfinite(values.values_BK)].tolist() == [1.5 + 4 * state for state in range(6)]


def test_continuations_of_a_state_share_their_prompt(tiny_tokenizer, prompts):
    engine = Scripted(tiny_tokenizer)
    solution = encoded(tiny_tokenizer, "Try 3 no Answer 3")
    monte_carlo_values(
        prompts[:1], [solution], STEP, CONFIG, engine=engine, tokenizer=tiny_tokenizer, grade=grade
    )
    assert len({id(r.prompt_ids) for r in engine.calls[0]}) == 2


@pytest.fixture
def real(tiny_model, tiny_tokenizer, prompts):
    """An engine, and three solutions of each problem: words, and now and then a try."""
    engine = TransformersEngine(tiny_model, tiny_tokenizer, max_batch=16)
    rng = random.Random(2)
    words = tiny_tokenizer.encode("no yes x = 3 4 5 6 7 8")
    begin = tiny_tokenizer.get_vocab()["Try"]
    solutions = []
    for _ in range(9):
        ids = rng.choices(words, k=rng.randrange(6, 20))
        for place in rng.sample(range(1, len(ids)), k=2):
            ids[place] = begin
        solutions.append((*ids, tiny_tokenizer.eos_token_id))
    return engine, [p for p in prompts for _ in range(3)], solutions


def test_values_are_those_of_a_naive_loop(real, tiny_tokenizer):
    engine, owners, solutions = real
    seen = set()

    def watched(asked, continued, finished):
        seen.update((p.problem_id, tuple(ids)) for p, ids in zip(asked, continued, strict=True))
        return grade(asked, continued, finished)

    found = monte_carlo_values(
        owners, solutions, STEP, CONFIG, engine=engine, tokenizer=tiny_tokenizer, grade=watched
    )
    begin = tiny_tokenizer.get_vocab()["Try"]
    expected_texts = set()
    for b, (prompt, ids) in enumerate(zip(owners, solutions, strict=True)):
        starts = [i for i, token in enumerate(ids) if token == begin or i == 0]
        for k, start in enumerate(starts):
            outcomes = []
            for j in range(CONFIG.training.continuations):
                digest = hashlib.sha256(",".join(str(t) for t in ids[:start]).encode()).hexdigest()
                seed = request_seed(5, prompt.problem_id, j, "value", STEP, digest)
                request = Request(prompt.problem_id, j, prompt.ids + ids[:start], seed)
                (s,) = engine.sample([request], SamplingParams(max_tokens=CONFIG.training.max_tokens - start))
                whole = ids[:start] + s.token_ids
                expected_texts.add((prompt.problem_id, whole))
                outcomes.append(s.finish_reason == "stop" and (sum(whole) + len(prompt.ids)) % 2 == 1)
            assert found.values_BK[b, k] == np.mean(outcomes)
        assert np.isnan(found.values_BK[b, len(starts) :]).all()
    assert seen == expected_texts
    assert len(set(found.values_BK[np.isfinite(found.values_BK)])) > 2


def test_values_do_not_depend_on_companions(real, tiny_tokenizer):
    engine, owners, solutions = real
    together = monte_carlo_values(
        owners, solutions, STEP, CONFIG, engine=engine, tokenizer=tiny_tokenizer, grade=grade
    )
    for b in (4, 0):
        alone = monte_carlo_values(
            [owners[b]], [solutions[b]], STEP, CONFIG, engine=engine, tokenizer=tiny_tokenizer, grade=grade
        )
        n_steps = len(alone.starts[0])
        np.testing.assert_array_equal(alone.values_BK[0], together.values_BK[b, :n_steps])
