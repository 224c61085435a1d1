"""Weights handed over in place: they arrive, and where they do not, the check says so."""

from __future__ import annotations

import copy
import re

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

    with pytest.raises(ModelError, match=r"step 5: .*embed_tokens\.weight is not the trainer's in float32"):
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
    with pytest.raises(ModelError, match=f"the engine's {re.escape(stale)} is not the trainer's"):
        verify(engine, trained, 0)


@pytest.fixture(scope="module")
def after_a_step(base):
    """The base after one update of the size that the paper's learning rate allows, in bfloat16."""
    model = copy.deepcopy(base[0])
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 1e-6 * torch.randn(parameter.shape, generator=generator).sign()
    return model.bfloat16()


def test_every_weight_can_be_read_back(half, engine, base, trained) -> None:
    """All of them, in both types; the tied matrix twice, as it is held twice."""
    for one, model in ((half[0], half[1]), (engine, trained)):
        one.update(model.named_parameters())
        read = list(one.weights())
        own = dict(model.named_parameters())
        assert sorted(name for name, _ in read) == sorted([*own, "model.embed_tokens.weight"])
        assert all(torch.equal(held, one.as_held(name, own[name])) for name, held in read)


@pytest.mark.parametrize(
    "stale",
    [
        "everything",
        "model.embed_tokens.weight",
        "model.layers.0.self_attn.q_proj.weight",
        "model.layers.1.self_attn.v_proj.weight",
        "model.layers.1.self_attn.o_proj.weight",
        "model.layers.2.mlp.up_proj.weight",
        "model.layers.2.mlp.down_proj.weight",
    ],
)
def test_in_bfloat16_one_small_step_that_was_missed_is_noticed(half, after_a_step, stale) -> None:
    """The log-probabilities alone would not tell."""
    from rlv.training.handover import TOLERANCES, module_logprobs, probes, sampling_weights, verify

    engine, before = half
    sequences = probes(engine.vocabulary, engine.positions)
    engine.update(before.named_parameters())
    pairs = zip(engine.prompt_logprobs(sequences), module_logprobs(after_a_step, sequences), strict=True)
    gaps = np.concatenate([np.abs(a - b) for a, b in pairs])
    assert gaps.max() < TOLERANCES["bfloat16"][0] and gaps.mean() < TOLERANCES["bfloat16"][1]
    old = dict(before.named_parameters())
    if stale == "everything":
        stale = "model.embed_tokens.weight"  # the first
    else:
        new = after_a_step.named_parameters()
        engine.update((name, old[name] if name == stale else p) for name, p in new)
    with pytest.raises(ModelError, match=f"step 3: .*{re.escape(stale)} is not the trainer's in bfloat16"):
        verify(engine, after_a_step, 2)
    with sampling_weights(engine, after_a_step, 3):
        pass
    engine.wake()


def test_a_packed_copy_that_was_not_renewed_is_noticed(half, after_a_step, monkeypatch) -> None:
    """The embedding is new, and the copy of it that is multiplied with at the end is not."""
    from rlv.training.handover import verify

    engine, before = half
    engine.update(before.named_parameters())
    with monkeypatch.context() as patched:
        patched.setattr("rlv.sampling.vllm_engine.pack_output_matrix", lambda model: None)
        engine.update(after_a_step.named_parameters())
    with pytest.raises(ModelError, match=r"embed_tokens\.weight is not the trainer's in bfloat16"):
        verify(engine, after_a_step, 0)
    engine.update(after_a_step.named_parameters())
    verify(engine, after_a_step, 0)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            "model.layers.1.self_attn.k_proj.weight",
            r"k_proj\.weight' was not handed over \(1 weights missing",
        ),
        ("model.layers.9.self_attn.k_proj.weight", r"layers\.9.* is not in the model \(0 .* 1 unknown"),
    ],
)
def test_weights_that_are_missing_or_unknown_are_named(engine, base, changed, words) -> None:
    given = dict(base[0].named_parameters())
    if changed in given:
        del given[changed]
    else:
        given[changed] = given["model.layers.1.self_attn.k_proj.weight"]
    with pytest.raises(ModelError, match=words):
        engine.update(given.items())
    with pytest.raises(ModelError, match="has no weights"):
        engine.sample([Request("p", 0, (4, 5, 6), 1)], SamplingParams(max_tokens=2))


def test_old_keys_and_values_are_noticed(engine, base, trained, monkeypatch) -> None:
    """With a prefix cache that was not emptied, the weights are right and what is sampled is not."""
    from rlv.training.handover import verify

    verify(engine, base[0], 0)
    monkeypatch.setattr(engine, "forget", lambda: None)
    engine.update(trained.named_parameters())
    with pytest.raises(ModelError, match="only through the prefix cache"):
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
