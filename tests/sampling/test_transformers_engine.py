"""The transformers engine: same solution in any batch, the model's own distribution, and its limits."""

from __future__ import annotations

import copy
import dataclasses
import random

import numpy as np
import pytest
import torch

from rlv.errors import ModelError
from rlv.sampling import Request, Sampled, SamplingParams, request_seed
from rlv.sampling.drawing import draw
from rlv.sampling.transformers_engine import TransformersEngine


def make_requests(n_problems: int = 6, n_samples: int = 5, seed: int = 0) -> list[Request]:
    """Prompts of 1 to 20 tokens."""
    rng = random.Random(seed)
    requests = []
    for p in range(n_problems):
        prompt = tuple(rng.randrange(4, 30) for _ in range(1 if p == 0 else rng.randrange(2, 21)))
        requests += [Request(f"p{p}", s, prompt, request_seed(seed, f"p{p}", s)) for s in range(n_samples)]
    return requests


def reference_logprobs(model, request: Request, solution: Sampled) -> torch.Tensor:
    """log-probabilities over the vocabulary at each sampled position, by one plain forward pass."""
    ids = torch.tensor([[*request.prompt_ids, *solution.token_ids]])
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0].double()
    return logits.log_softmax(-1)[len(request.prompt_ids) - 1 : -1]


def test_no_requests_no_solutions(tiny_model, tiny_tokenizer) -> None:
    assert TransformersEngine(tiny_model, tiny_tokenizer).sample([], SamplingParams()) == []


@pytest.mark.parametrize("params", [SamplingParams(max_tokens=40), SamplingParams(0.7, 0.9, 40)])
def test_a_solution_does_not_depend_on_its_batch(tiny_model, tiny_tokenizer, params) -> None:
    requests = make_requests()
    one_by_one = TransformersEngine(tiny_model, tiny_tokenizer, max_batch=1)
    alone = {(r.problem_id, r.sample_id): one_by_one.sample([r], params)[0] for r in requests}
    assert len({s.token_ids for s in alone.values()}) > 20  # solutions differ from each other
    assert {s.finish_reason for s in alone.values()} == {"stop", "length"}
    for max_batch, shuffle in [(1, 0), (7, 1), (64, 2), (13, 3)]:
        order = requests.copy()
        random.Random(shuffle).shuffle(order)
        found = TransformersEngine(tiny_model, tiny_tokenizer, max_batch=max_batch).sample(order, params)
        for request, solution in zip(order, found, strict=True):
            expected = alone[request.problem_id, request.sample_id]
            assert (solution.problem_id, solution.sample_id) == (request.problem_id, request.sample_id)
            assert solution.token_ids == expected.token_ids
            assert solution.finish_reason == expected.finish_reason
            np.testing.assert_allclose(solution.logprobs, expected.logprobs, atol=1e-5)
            assert solution.self_certainty == pytest.approx(expected.self_certainty, abs=1e-5)


def test_an_engine_remembers_nothing_of_earlier_calls(tiny_model, tiny_tokenizer) -> None:
    params = SamplingParams(max_tokens=40)
    engine = TransformersEngine(tiny_model, tiny_tokenizer, max_batch=16)
    calls = [make_requests(seed=seed)[:n] for seed, n in [(0, 30), (1, 3), (2, 30), (3, 1), (4, 17)]]
    for requests in calls:  # its memory serves calls of other sizes
        fresh = TransformersEngine(tiny_model, tiny_tokenizer, max_batch=16).sample(requests, params)
        again = engine.sample(requests, params)
        assert [s.token_ids for s in again] == [s.token_ids for s in fresh]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_what_is_kept_of_each_token_is_that_of_a_plain_forward(tiny_model, tiny_tokenizer, attention) -> None:
    model = copy.deepcopy(tiny_model)
    model.set_attn_implementation(attention)
    requests = make_requests(seed=1)
    # Whatever the tokens are drawn with, the recorded log-probabilities are at temperature 1.
    params = SamplingParams(temperature=1.5, top_p=0.95, max_tokens=50)
    for request, solution in zip(
        requests, TransformersEngine(model, tiny_tokenizer, max_batch=8).sample(requests, params), strict=True
    ):
        expected = reference_logprobs(model, request, solution)
        chosen = expected[torch.arange(len(solution.token_ids)), list(solution.token_ids)]
        np.testing.assert_allclose(solution.logprobs, chosen, atol=1e-5)
        vocabulary = expected.shape[1]
        uniform = torch.full_like(expected, 1 / vocabulary)
        certainty = torch.nn.functional.kl_div(expected, uniform, reduction="sum") / len(expected)
        assert solution.self_certainty == pytest.approx(float(certainty), abs=1e-5)


def test_temperature_zero_takes_the_most_probable_token(tiny_model, tiny_tokenizer) -> None:
    requests = make_requests(n_samples=2, seed=2)
    engine = TransformersEngine(tiny_model, tiny_tokenizer, max_batch=4)
    found = engine.sample(requests, SamplingParams(0, 1, 30))
    for request, solution in zip(requests, found, strict=True):
        best = reference_logprobs(tiny_model, request, solution).argmax(-1)
        assert solution.token_ids == tuple(best.tolist())


def test_finish_reasons(tiny_model, tiny_tokenizer) -> None:
    requests = make_requests(n_samples=20)
    end = tiny_tokenizer.eos_token_id
    engine = TransformersEngine(tiny_model, tiny_tokenizer, max_batch=16)
    found = engine.sample(requests, SamplingParams(max_tokens=25))
    assert {s.finish_reason for s in found} == {"stop", "length"}
    for solution in found:
        assert len(solution.token_ids) == len(solution.logprobs) <= 25
        assert end not in solution.token_ids[:-1]
        assert (solution.token_ids[-1] == end) == (solution.finish_reason == "stop")
        assert solution.finish_reason == "stop" or len(solution.token_ids) == 25


def test_a_smaller_budget_gives_a_prefix(tiny_model, tiny_tokenizer) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer, max_batch=8)
    long = engine.sample(make_requests(), SamplingParams(max_tokens=40))
    for budget in (1, 10):
        short = engine.sample(make_requests(), SamplingParams(max_tokens=budget))
        assert [s.token_ids for s in short] == [s.token_ids[:budget] for s in long]


def test_a_shared_prompt_is_prefilled_once(tiny_model, tiny_tokenizer, monkeypatch) -> None:
    requests = make_requests(n_problems=5, n_samples=9)
    random.Random(0).shuffle(requests)
    prefilled: list[int] = []
    inner = tiny_model.model.forward

    def counting(*args, **kwargs):
        if kwargs["input_ids"].shape[1] > 1 or kwargs.get("position_ids") is None:
            prefilled.append(kwargs["input_ids"].shape[0])
        return inner(*args, **kwargs)

    monkeypatch.setattr(tiny_model.model, "forward", counting)
    engine = TransformersEngine(tiny_model, tiny_tokenizer, max_batch=4)
    engine.sample(requests, SamplingParams(max_tokens=30))
    # Though samples of a prompt begin at different times. The fifth has one token, and nothing to prefill.
    assert sum(prefilled) == 4


def test_a_request_may_ask_for_less(tiny_model, tiny_tokenizer) -> None:
    requests = make_requests()
    engine = TransformersEngine(tiny_model, tiny_tokenizer, max_batch=8)
    long = engine.sample(requests, SamplingParams(max_tokens=40))
    budgets = [None if i % 4 == 0 else 1 + i for i in range(len(requests))]
    limited = [dataclasses.replace(r, max_tokens=b) for r, b in zip(requests, budgets, strict=True)]
    short = engine.sample(limited, SamplingParams(max_tokens=40))
    for budget, whole, found in zip(budgets, long, short, strict=True):
        assert found.token_ids == whole.token_ids[:budget]
        ended = found.token_ids[-1] == tiny_tokenizer.eos_token_id
        assert found.finish_reason == ("stop" if ended else "length")
    assert {s.finish_reason for s in short} == {"stop", "length"}


def test_positions_are_counted_by_the_requests_own_budget(tiny_model, tiny_tokenizer) -> None:
    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    fits = Request("p1", 0, (5,) * 250, 1, max_tokens=6)
    (found,) = engine.sample([fits], SamplingParams(max_tokens=100))
    assert len(found.token_ids) <= 6
    with pytest.raises(ModelError, match=r"250 tokens and max_tokens 7 .* 256 positions"):
        engine.sample([dataclasses.replace(fits, max_tokens=7)], SamplingParams(max_tokens=100))


@pytest.mark.parametrize("budget", [0, -1, 11])
def test_a_request_never_asks_for_more(tiny_model, tiny_tokenizer, budget) -> None:
    request = Request("p1", 0, (5,), 1, max_tokens=budget)
    with pytest.raises(ValueError, match=f"'p1': .* is {budget}; it must be in 1 to 10"):
        TransformersEngine(tiny_model, tiny_tokenizer).sample([request], SamplingParams(max_tokens=10))


def test_prompts_that_begin_others(tiny_model, tiny_tokenizer, monkeypatch) -> None:
    """States of a few solutions: nested prompts, some that differ in their last token, one apart."""
    rng = random.Random(4)
    trunk = tuple(rng.randrange(4, 30) for _ in range(24))
    prompts = [trunk[:n] for n in (1, 2, 9, 17, 24)]
    prompts += [(*trunk[:12], 5), (*trunk[:12], 5, 6, 7), (*trunk[:12], 5, 6, 8), (29, 28, 27)]
    requests = [
        Request(f"p{i}", s, prompt, request_seed(1, str(i), s), max_tokens=30 - len(prompt))
        for i, prompt in enumerate(prompts)
        for s in range(6)
    ]
    one_by_one = TransformersEngine(tiny_model, tiny_tokenizer, max_batch=1)
    alone = [one_by_one.sample([r], SamplingParams(max_tokens=30))[0].token_ids for r in requests]
    prefilled: list[tuple[int, ...]] = []
    inner = tiny_model.model.forward

    def counting(*args, **kwargs):
        if kwargs.get("position_ids") is None:
            prefilled.append(tuple(kwargs["input_ids"].shape))
        return inner(*args, **kwargs)

    monkeypatch.setattr(tiny_model.model, "forward", counting)
    for max_batch in (4, 100):
        prefilled.clear()
        engine = TransformersEngine(tiny_model, tiny_tokenizer, max_batch=max_batch)
        found = engine.sample(requests, SamplingParams(max_tokens=30))
        assert [s.token_ids for s in found] == alone
        # The trunk, the branch that two prompts leave at their last token, and the one apart.
        assert sum(rows for rows, _ in prefilled) == 3


def test_tokens_follow_the_models_distribution(tiny_model, tiny_tokenizer) -> None:
    prompt = (1, 9, 12, 7)
    requests = [Request("p", s, prompt, request_seed(3, "p", s)) for s in range(4000)]
    with torch.no_grad():
        logits = tiny_model(input_ids=torch.tensor([prompt])).logits[0, -1].double()
    for params in (SamplingParams(max_tokens=1), SamplingParams(0.5, 0.9, 1)):
        probs = (logits / params.temperature).softmax(-1)
        ranked = probs.sort(descending=True)
        n_kept = int((ranked.values.cumsum(-1) < params.top_p).sum()) + 1 if params.top_p < 1 else len(probs)
        kept = torch.zeros_like(probs)
        kept[ranked.indices[:n_kept]] = ranked.values[:n_kept]
        kept /= kept.sum()
        found = TransformersEngine(tiny_model, tiny_tokenizer).sample(requests, params)
        counts = np.bincount([s.token_ids[0] for s in found], minlength=len(probs))
        expected = 4000 * kept.numpy()
        assert counts[expected == 0].sum() == 0
        big = expected >= 5
        chi2 = ((counts[big] - expected[big]) ** 2 / expected[big]).sum()
        assert chi2 < big.sum() + 4 * np.sqrt(2 * big.sum()) + 4


def test_draw_inverts_the_cdf() -> None:
    probs = torch.tensor([0.1, 0.0, 0.6, 0.3], dtype=torch.float64)
    uniform = torch.tensor([0.0, 0.0999, 0.1001, 0.6999, 0.7001, 1 - 2**-52], dtype=torch.float64)
    logits = probs.log().expand(6, 4)
    tokens, logprobs, _ = draw(logits, uniform, SamplingParams())
    assert tokens.tolist() == [0, 0, 2, 2, 3, 3]
    np.testing.assert_allclose(logprobs, probs[tokens].log(), rtol=1e-12)
    # A nucleus of 0.59 is the one token that reaches it; of 0.61, two, drawn in the order of the vocabulary.
    assert draw(logits, uniform, SamplingParams(top_p=0.59))[0].tolist() == [2] * 6
    assert draw(logits, uniform, SamplingParams(top_p=0.61))[0].tolist() == [2, 2, 2, 3, 3, 3]
    assert draw(logits, uniform, SamplingParams(temperature=0))[0].tolist() == [2] * 6
    assert draw(logits, uniform, SamplingParams(temperature=1e-4))[0].tolist() == [2] * 6


def test_certainty_is_nothing_for_uniform_logits_and_grows_with_their_range() -> None:
    """At temperature 1 whatever a token is drawn with. By hand: p = (1/2, 1/4, 1/4)."""
    logits = torch.stack([torch.zeros(3), torch.tensor([0.5, 0.25, 0.25]).log(), torch.tensor([9.0, 0, 0])])
    uniform = torch.full((3,), 0.5, dtype=torch.float64)
    for params in (SamplingParams(), SamplingParams(0), SamplingParams(0.5, 0.9)):
        *_, certainty = draw(logits, uniform, params)
        by_hand = (np.log(2) + 2 * np.log(4)) / 3 - np.log(3)
        np.testing.assert_allclose(certainty[:2], [0, by_hand], atol=1e-7)
        assert certainty[2] > certainty[1]


def test_progress_ends_with_the_totals(tiny_model, tiny_tokenizer, monkeypatch) -> None:
    monkeypatch.setattr("rlv.sampling.transformers_engine.PROGRESS_SECONDS", 0.0)
    seen: list[tuple[int, int, int]] = []
    requests = make_requests()
    engine = TransformersEngine(tiny_model, tiny_tokenizer, max_batch=7)
    found = engine.sample(requests, SamplingParams(max_tokens=20), lambda *a: seen.append(a))
    assert seen[-1] == (30, 30, sum(len(s.token_ids) for s in found))
    assert len(seen) > 10
    assert [s[2] for s in seen] == sorted(s[2] for s in seen)


def test_the_models_mode_is_left_as_it_was(tiny_model, tiny_tokenizer) -> None:
    model = copy.deepcopy(tiny_model).train()
    TransformersEngine(model, tiny_tokenizer).sample(make_requests(1, 1), SamplingParams(max_tokens=2))
    assert model.training


@pytest.mark.parametrize(
    ("prompt", "max_tokens", "message"),
    [
        ((5,) * 300, 10, "'p7': a prompt of 300 tokens .* 256 positions; the prompt must be shorter"),
        ((5,) * 200, 100, "'p7': .* set max_tokens to 56 or less"),
        ((), 10, "'p7': the prompt has no tokens"),
        ((5, 10_000), 10, "'p7': .* outside the model's vocabulary"),
    ],
)
def test_a_prompt_that_does_not_fit_is_named(tiny_model, tiny_tokenizer, prompt, max_tokens, message) -> None:
    requests = [*make_requests(2, 1), Request("p7", 0, prompt, 1)]
    with pytest.raises(ModelError, match=message):
        TransformersEngine(tiny_model, tiny_tokenizer).sample(requests, SamplingParams(max_tokens=max_tokens))


def test_broken_weights_are_reported(tiny_model, tiny_tokenizer) -> None:
    model = copy.deepcopy(tiny_model)
    model.lm_head.weight.data[3] = float("nan")
    for temperature in (0.0, 1.0):
        with pytest.raises(ModelError, match="'p0': the model's logits are not finite"):
            TransformersEngine(model, tiny_tokenizer).sample(
                make_requests(1, 1), SamplingParams(temperature, 1, 5)
            )


def test_sliding_windows_are_refused(tiny_model, tiny_tokenizer) -> None:
    model = copy.deepcopy(tiny_model)
    model.config.sliding_window = 16
    with pytest.raises(ModelError, match="only full attention"):
        TransformersEngine(model, tiny_tokenizer)
