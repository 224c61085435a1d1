"""Weights handed over in place: they arrive, and where they do not, the check says so."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from rlv.errors import ModelError
from rlv.sampling import Request, SamplingParams


@pytest.fixture
def trained(base):
    """The base after something that moves every weight."""
    model = copy.deepcopy(base[0])
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter += 0.05 * parameter.std() * noise + 0.01 * parameter
    return model


def test_every_weight_arrives(engine, base, trained) -> None:
    from rlv.training.handover import TOLERANCES, verify

    assert verify(engine, base[0], 0) < 0.1 * TOLERANCES["float32"][0]
    engine.update(trained.named_parameters())
    assert verify(engine, trained, 0) < 0.1 * TOLERANCES["float32"][0]


def test_the_engine_samples_with_the_new_weights(engine, trained, base) -> None:
    from rlv.prompts import solver_ids
    from rlv.sampling.transformers_engine import TransformersEngine
    from rlv.training.handover import sampling_weights

    prompt = tuple(solver_ids(base[1], "x * x = 9", "plain"))
    requests = [Request("p", 0, prompt, 1)]
    params = SamplingParams(temperature=0, max_tokens=40)
    before = engine.sample(requests, params)
    with sampling_weights(engine, trained, 0):
        after = engine.sample(requests, params)
    assert after[0].token_ids == TransformersEngine(trained, base[1]).sample(requests, params)[0].token_ids
    assert after[0].logprobs != before[0].logprobs


def test_a_hand_over_that_was_skipped_is_noticed(engine, trained) -> None:
    from rlv.training.handover import verify

    with pytest.raises(
        ModelError, match=r"step 5: .* up to \d.* nats.* float32 allows 0\.002 .*old or damaged"
    ):
        verify(engine, trained, 4)


@pytest.mark.parametrize(
    "stale",
    [
        "model.embed_tokens.weight",  # tied: also the output matrix
        "model.layers.0.self_attn.k_proj.weight",  # a third of a fused matrix
        "model.layers.1.mlp.gate_proj.weight",
        "model.layers.2.post_attention_layernorm.weight",
    ],
)
def test_one_tensor_that_was_not_handed_over_is_noticed(engine, base, trained, stale) -> None:
    from rlv.training.handover import verify

    old = dict(base[0].named_parameters())
    engine.update((name, old[name] if name == stale else p) for name, p in trained.named_parameters())
    with pytest.raises(ModelError, match="computed afresh, too"):
        verify(engine, trained, 0)


def test_old_keys_and_values_are_noticed(engine, base, trained, monkeypatch) -> None:
    """With a prefix cache that was not emptied, the weights are right and what is sampled is not."""
    from rlv.training.handover import verify

    verify(engine, base[0], 0)
    monkeypatch.setattr(engine, "forget", lambda: None)
    engine.update(trained.named_parameters())
    with pytest.raises(ModelError, match="through the prefix cache alone"):
        verify(engine, trained, 1)
    monkeypatch.undo()
    engine.forget()
    verify(engine, trained, 1)


def test_a_cache_that_cannot_be_emptied_is_an_error(engine, trained, monkeypatch) -> None:
    monkeypatch.setattr(engine.llm.llm_engine, "reset_prefix_cache", lambda: False)
    with pytest.raises(ModelError, match="did not empty its prefix cache"):
        engine.update(trained.named_parameters())


def test_who_wakes_has_no_weights_until_they_are_handed_over(engine, base) -> None:
    request, params = Request("p", 0, (4, 5, 6), 1), SamplingParams(max_tokens=2)
    engine.sleep()
    engine.sleep()  # a second time changes nothing
    for state in ("asleep", "awake"):
        with pytest.raises(ModelError, match="has no weights"):
            engine.sample([request], params)
        if state == "asleep":
            engine.wake()
    engine.update(base[0].named_parameters())
    assert len(engine.sample([request], params)[0].token_ids) <= 2


def test_nothing_is_sampled_after_a_hand_over_that_failed(engine, base, monkeypatch) -> None:
    def refuse(*args, **kwargs):
        raise AssertionError("attempted to load weight [8] into parameter [96]")

    monkeypatch.setattr(engine.llm.llm_engine, "collective_rpc", refuse)
    with pytest.raises(ModelError, match=r"refuses the new weights: .*\[8\] into parameter \[96\]"):
        engine.update(base[0].named_parameters())
    with pytest.raises(ModelError, match="has no weights"):
        engine.sample([Request("p", 0, (4, 5, 6), 1)], SamplingParams(max_tokens=2))


def test_tensors_may_be_gone_once_the_next_one_is_asked_for(engine, trained) -> None:
    """As where they are gathered one by one from several ranks."""
    from rlv.training.handover import verify

    def gathered():
        for name, parameter in trained.named_parameters():
            buffer = parameter.detach().clone()
            yield name, buffer
            buffer.fill_(np.nan)

    engine.update(gathered())
    verify(engine, trained, 0)
