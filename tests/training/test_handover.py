"""The check of a hand-over, with a stand-in for the engine (tests/vllm/test_handover.py has the real one)."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from rlv.errors import ModelError
from rlv.sampling.engines import HandedOver
from rlv.training.handover import TOLERANCES, module_logprobs, probes, sampling_weights, verify


class Apart:
    """An engine with weights of its own: a copy of the model, and a record of what was asked of it.

    `stale`: names that a hand-over leaves as they are. `fault`: "deaf" (all of them are), "forgetful" (what
    is cached is of the weights before), "wrong" (so is what is computed, from the right weights).
    """

    positions = 256

    def __init__(self, model, *, dtype="float32", stale=(), fault=None) -> None:
        self.dtype, self.stale, self.fault, self.calls = dtype, stale, fault, []
        self.model = copy.deepcopy(model).to(getattr(torch, dtype))
        self.cached, self.computing = copy.deepcopy(self.model), copy.deepcopy(self.model)
        self.vocabulary = model.config.vocab_size

    def wake(self) -> None:
        self.calls.append("wake")

    def sleep(self) -> None:
        self.calls.append("sleep")

    def sample(self, requests, params, progress=None):
        self.calls.append("sample")
        return []

    def update(self, named_tensors) -> None:
        self.calls.append("update")
        state = {name: value.clone() for name, value in named_tensors}
        kept = {name: value for name, value in state.items() if name not in self.stale}
        if self.fault != "deaf":
            self.model.load_state_dict(kept, strict=False)
        if self.fault != "forgetful":
            self.cached.load_state_dict(self.model.state_dict())
        if self.fault != "wrong":
            self.computing.load_state_dict(self.model.state_dict())

    def weights(self):
        yield from self.model.named_parameters()

    def as_held(self, name, value):
        return value.to(getattr(torch, self.dtype))

    def next_logprobs(self, sequences, token_id):
        self.calls.append("verify")
        whole = [[*s, t] for s, t in zip(sequences, token_id, strict=True)]
        return np.array([found[-1] for found in module_logprobs(self.cached, whole)])

    def prompt_logprobs(self, sequences):
        return module_logprobs(self.computing, sequences)


@pytest.fixture
def trained(tiny_model):
    model = copy.deepcopy(tiny_model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 1.05
    return model.train()


def test_every_block_wakes_hands_over_verifies_samples_and_sleeps(tiny_model, trained) -> None:
    engine = Apart(tiny_model)
    assert isinstance(engine, HandedOver)
    with sampling_weights(engine, trained, 0):
        engine.sample([], None)
    with pytest.raises(RuntimeError), sampling_weights(engine, trained, 1):
        raise RuntimeError("sampling failed")
    once = ["wake", "update", "verify"]
    assert engine.calls == [*once, "sample", "sleep", *once, "sleep"]
    assert trained.training


def test_an_engine_without_weights_of_its_own_is_left_alone(tiny_model, tiny_tokenizer) -> None:
    from rlv.sampling.transformers_engine import TransformersEngine

    engine = TransformersEngine(tiny_model, tiny_tokenizer)
    assert not isinstance(engine, HandedOver)
    with sampling_weights(engine, tiny_model, 0):
        pass


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("deaf", r"the engine's model\.embed_tokens\.weight is not the trainer's in float32"),
        ("wrong", r"computed afresh, too.* allows 0\.002"),
        ("forgetful", r"only through the prefix cache.* allows 0\.002"),
    ],
)
def test_old_weights_and_old_keys_are_told_apart(tiny_model, trained, fault, words) -> None:
    engine = Apart(tiny_model, fault=fault)
    with pytest.raises(ModelError, match=f"step 7: .*{words}"), sampling_weights(engine, trained, 6):
        raise AssertionError("sampled with old weights")


@pytest.mark.parametrize("stale", ["everything", "model.layers.1.mlp.down_proj.weight", "lm_head.weight"])
def test_in_bfloat16_one_small_step_that_is_missed_is_seen(tiny_model, stale) -> None:
    """Steps of 1e-6 move log-probabilities by less than rounding does: the weights themselves must tell."""
    master = copy.deepcopy(tiny_model)
    before = copy.deepcopy(master).bfloat16()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in master.parameters():
            parameter += 1e-6 * torch.randn(parameter.shape, generator=generator).sign()
    after = master.bfloat16()
    sequences = probes(before.config.vocab_size, 256)
    gaps = [
        np.abs(a - b)
        for a, b in zip(module_logprobs(before, sequences), module_logprobs(after, sequences), strict=True)
    ]
    assert np.max(gaps) < TOLERANCES["bfloat16"][0] and np.mean(gaps) < TOLERANCES["bfloat16"][1]
    with sampling_weights(Apart(before, dtype="bfloat16"), after, 0):
        pass
    names = [name for name, _ in after.named_parameters()] if stale == "everything" else [stale]
    first = names[0].replace(".", r"\.")
    with pytest.raises(ModelError, match=rf"step 4: the engine's {first} is not the trainer's in bfloat16"):
        sampling_weights(Apart(before, dtype="bfloat16", stale=names), after, 3).__enter__()


def test_weights_that_are_no_numbers_do_not_pass(trained) -> None:
    engine = Apart(trained)
    with torch.no_grad():
        engine.computing.lm_head.weight.fill_(torch.nan)
    with pytest.raises(ModelError, match="nan nats"):
        verify(engine, trained, 0)
    with torch.no_grad():
        trained.lm_head.weight.fill_(torch.nan)
    engine.update(trained.named_parameters())
    with pytest.raises(ModelError, match=r"lm_head\.weight is not the trainer's"):
        verify(engine, trained, 0)


def test_probes_are_the_same_everywhere_and_fit_the_model() -> None:
    assert probes(64, 256) == probes(64, 256)
    assert {len(s) for s in probes(64, 256)} == {80}
    assert {len(s) for s in probes(64, 40)} == {39}
    assert all(0 <= t < 64 for s in probes(64, 256) for t in s)


def test_logprobs_of_a_module_are_those_of_its_distribution(tiny_model) -> None:
    """Over every continuation of one prefix they sum to 1."""
    vocabulary = tiny_model.config.vocab_size
    found = module_logprobs(tiny_model, [[4, 5, 6, t] for t in range(vocabulary)])
    assert np.exp([f[-1] for f in found]).sum() == pytest.approx(1.0, abs=1e-6)
    assert {len(f) for f in found} == {3}
