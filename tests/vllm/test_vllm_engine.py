"""Sampling with vLLM: solutions of their requests alone, and the model's own numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rlv.errors import ModelError
from rlv.sampling import Request, SamplingParams, request_seed

# Two programs in float32, nats.
CLOSE = 1e-4


@pytest.fixture(scope="module")
def requests(base, problems):
    from rlv.prompts import solver_ids

    return [
        Request(p, s, tuple(solver_ids(base[1], question, "plain")), request_seed(0, p, s))
        for p, question in problems.select("problem_id", "question").iter_rows()
        for s in range(4)
    ]


def own_logprobs(model, prompt, solution, temperature=1.0):
    """log π of a solution's tokens by one pass of the transformers model, in float64."""
    ids = torch.tensor([[*prompt, *solution]])
    with torch.no_grad():
        logits = model(ids).logits[0, len(prompt) - 1 : -1].double() / temperature
    return logits.log_softmax(-1).gather(1, ids[0, len(prompt) :, None])[:, 0].numpy()


def test_greedy_solutions_are_those_of_transformers(engine, base, requests) -> None:
    from rlv.sampling.transformers_engine import TransformersEngine

    params = SamplingParams(temperature=0, max_tokens=40)
    ours = engine.sample(requests, params)
    peers = TransformersEngine(*base).sample(requests, params)
    assert [(s.problem_id, s.sample_id) for s in ours] == [(r.problem_id, r.sample_id) for r in requests]
    assert [(s.token_ids, s.finish_reason) for s in ours] == [(s.token_ids, s.finish_reason) for s in peers]
    assert {s.finish_reason for s in ours} == {"stop", "length"}


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.5, 1.0), (1.5, 0.8), (0.0, 1.0)])
def test_logprobs_are_the_models_own(engine, base, requests, temperature, top_p) -> None:
    for request, found in zip(
        requests, engine.sample(requests, SamplingParams(temperature, top_p, 60)), strict=True
    ):
        expected = own_logprobs(base[0], request.prompt_ids, found.token_ids)
        np.testing.assert_allclose(found.logprobs, expected, atol=CLOSE)
        assert (found.finish_reason == "stop") == (found.token_ids[-1] in engine.end_ids)
        assert not set(found.token_ids[:-1]) & set(engine.end_ids)


def test_a_solution_belongs_to_its_request(engine, requests) -> None:
    """Other companions, another order, a smaller budget, a cache that is warm: the same tokens."""
    params = SamplingParams(max_tokens=40)
    together = engine.sample(requests, params)
    again = engine.sample(requests[::-1], params)[::-1]
    alone = [engine.sample([request], params)[0] for request in requests[:3]]
    short = engine.sample(requests, SamplingParams(max_tokens=9))
    assert [s.token_ids for s in again] == [s.token_ids for s in together]
    assert [s.token_ids for s in alone] == [s.token_ids for s in together[:3]]
    assert [s.token_ids for s in short] == [s.token_ids[:9] for s in together]
    assert len({s.token_ids for s in together[:4]}) > 1  # seeds tell samples of a problem apart


def test_tokens_are_drawn_from_the_models_distribution(engine, base, requests) -> None:
    """Frequencies of first tokens against their probabilities, within five standard errors."""
    n, prompt = 4000, requests[0].prompt_ids
    many = [Request("p", s, prompt, request_seed(1, "p", s)) for s in range(n)]
    for temperature in (1.0, 2.0):
        drawn = [s.token_ids[0] for s in engine.sample(many, SamplingParams(temperature, max_tokens=1))]
        counts = np.bincount(drawn, minlength=engine.vocabulary)
        with torch.no_grad():
            logits = base[0](torch.tensor([prompt])).logits[0, -1].double()
        p = (logits / temperature).softmax(-1).numpy()
        assert (np.abs(counts / n - p) <= 5 * np.sqrt(p * (1 - p) / n) + 1 / n).all()


def test_the_nucleus_holds_every_token_that_is_drawn(engine, base, requests) -> None:
    prompt = requests[0].prompt_ids
    many = [Request("p", s, prompt, request_seed(2, "p", s)) for s in range(500)]
    drawn = {s.token_ids[0] for s in engine.sample(many, SamplingParams(2.0, 0.5, 1))}
    with torch.no_grad():
        p = (base[0](torch.tensor([prompt])).logits[0, -1].double() / 2.0).softmax(-1)
    sorted_p, order = p.sort(descending=True)
    size = int((sorted_p.cumsum(0) < 0.5).sum()) + 1
    assert drawn <= set(order[:size].tolist())


def test_a_request_has_its_own_budget(engine, requests) -> None:
    some = [Request("p", n, requests[0].prompt_ids, 7, max_tokens=n) for n in (1, 3, 60)]
    lengths = [len(s.token_ids) for s in engine.sample(some, SamplingParams(max_tokens=60))]
    assert lengths[:2] == [1, 3] and lengths[2] > 3
    with pytest.raises(ValueError, match="max_tokens of the request is 61"):
        engine.sample([Request("p", 0, requests[0].prompt_ids, 7, 61)], SamplingParams(max_tokens=60))


def test_what_vllm_cannot_sample_is_refused_before_anything_runs(engine, requests) -> None:
    long = Request("long", 0, (5,) * 250, 0)
    with pytest.raises(ModelError, match=r"'long'.*250 tokens.*max_tokens 7.*256 positions.* to 6 or less"):
        engine.sample([requests[0], long], SamplingParams(max_tokens=7))
    with pytest.raises(ModelError, match="token ids outside the model's vocabulary of 64"):
        engine.sample([Request("p", 0, (64,), 0)], SamplingParams(max_tokens=4))
    for temperature in (0.001, 2.5):
        with pytest.raises(ModelError, match=f"temperature is {temperature}"):
            engine.sample(requests, SamplingParams(temperature, max_tokens=4))
    assert engine.sample([], SamplingParams()) == []


def test_a_failure_of_vllm_names_the_requests_and_the_engine_goes_on(engine, requests, monkeypatch) -> None:
    core = engine.llm.llm_engine
    step, steps = core.step, []

    def failing():
        steps.append(1)
        if len(steps) == 3:
            raise RuntimeError("the device fell off the bus")
        return step()

    monkeypatch.setattr(core, "step", failing)
    with pytest.raises(ModelError, match=r"fell off the bus.* 24 of 24 .*sample 0.*sample 1.* and 21 more"):
        engine.sample(requests, SamplingParams(max_tokens=30))
    monkeypatch.undo()
    expected = engine.sample(requests[:2], SamplingParams(max_tokens=12))
    assert [len(s.token_ids) for s in expected] == [12, 12]
    assert not core.has_unfinished_requests()


def test_weights_that_are_not_finite_are_reported_with_the_problem(engine, base, requests) -> None:
    broken = {name: p.clone() for name, p in base[0].named_parameters()}
    broken["model.norm.weight"].fill_(torch.nan)
    engine.update(broken.items())
    with pytest.raises(ModelError, match=r"problem .* logits are not finite"):
        engine.sample(requests[:1], SamplingParams(max_tokens=4))


def test_progress_ends_with_everything_done(engine, requests, monkeypatch) -> None:
    monkeypatch.setattr("rlv.sampling.vllm_engine.PROGRESS_SECONDS", 0.0)
    calls: list[tuple[int, int, int]] = []
    solutions = engine.sample(requests, SamplingParams(max_tokens=30), lambda *call: calls.append(call))
    assert len(calls) > 2 and all(total == len(requests) for _, total, _ in calls)
    assert calls == sorted(calls)
    assert calls[-1] == (len(requests), len(requests), sum(len(s.token_ids) for s in solutions))


def test_what_gives_up_sampling_leaves_an_engine_that_samples(engine, requests, monkeypatch) -> None:
    from rlv.job.stop import Abandoned, Stop

    monkeypatch.setattr("rlv.sampling.vllm_engine.PROGRESS_SECONDS", 0.0)
    stop = Stop()
    stop.requested = True
    with pytest.raises(Abandoned):
        engine.sample(requests, SamplingParams(max_tokens=30), stop.progress)
    assert not engine.llm.llm_engine.has_unfinished_requests()


def test_starting_leaves_the_process_as_it_was(engine) -> None:
    """vLLM replaces `set_num_threads` and writes variables that launchers of ranks read."""
    import os

    torch.set_num_threads(2)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    assert "LOCAL_WORLD_SIZE" not in os.environ


def test_budgets_are_forced_with_continuations(engine, base, problems) -> None:
    """At every budget what `force_answers` promises, with vLLM writing solutions and answers."""
    from rlv.models.flops import shape_of
    from rlv.sampling.budgets import Forcing, force_answers
    from rlv.sampling.shards import sample_shard

    model, tokenizer = base
    shape = shape_of(model)
    params = SamplingParams(max_tokens=40)
    samples = sample_shard(engine, tokenizer, shape, problems, range(4), params, "plain", 0)
    forcing = Forcing("try", "marker", answer_tokens=4, seed=0)
    budgets = (8, 16, 40)
    forced = force_answers(engine, tokenizer, shape, problems, samples, budgets, "plain", forcing)
    assert forced["budget"].to_list() == [b for b in budgets for _ in range(len(samples))]
    for budget in budgets:
        at_budget = forced.filter(budget=budget)
        untouched = at_budget["finish_reason"].to_numpy() == "stop"
        ended = (samples["finish_reason"].to_numpy() == "stop") & (samples["n_tokens"].to_numpy() <= budget)
        assert (untouched == ended).all()
        for row, whole in zip(at_budget.iter_rows(named=True), samples["token_ids"].to_list(), strict=True):
            kept = next(
                (i for i, (a, b) in enumerate(zip(row["token_ids"], whole, strict=False)) if a != b), None
            )
            assert row["finish_reason"] == "stop" or kept is None or kept <= budget + 4
    assert (forced.filter(budget=8)["finish_reason"] == "forced").any()
