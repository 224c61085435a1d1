"""The check of a hand-over, with a stand-in for the engine (tests/vllm/test_handover.py has the real one)."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from rlv.errors import ModelError
from rlv.sampling.engines import HandedOver
from rlv.training.handover import module_logprobs, probes, sampling_weights, verify


class Apart:
    """An engine with weights of its own: a copy of the model, and a record of what was asked of it."""

    dtype = "float32"
    positions = 256

    def __init__(self, model, *, deaf: bool = False, forgetful: bool = False) -> None:
        self.model, self.calls, self.deaf, self.forgetful = copy.deepcopy(model), [], deaf, forgetful
        self.cached = copy.deepcopy(model)
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
        if not self.deaf:
            self.model.load_state_dict(state, strict=False)
        if not self.forgetful:
            self.cached.load_state_dict(self.model.state_dict())

    def next_logprobs(self, sequences, token_id):
        self.calls.append("verify")
        whole = [[*s, t] for s, t in zip(sequences, token_id, strict=True)]
        return np.array([found[-1] for found in module_logprobs(self.cached, whole)])

    def prompt_logprobs(self, sequences):
        return module_logprobs(self.model, sequences)


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
    ("fault", "where"), [("deaf", "computed afresh, too"), ("forgetful", "through the prefix cache alone")]
)
def test_old_weights_and_old_keys_are_told_apart(tiny_model, trained, fault, where) -> None:
    engine = Apart(tiny_model, **{fault: True})
    with (
        pytest.raises(ModelError, match=rf"step 7: .*{where}.* allows 0\.002"),
        sampling_weights(engine, trained, 6),
    ):
        raise AssertionError("sampled with old weights")


def test_weights_that_are_no_numbers_do_not_pass(tiny_model, trained) -> None:
    engine = Apart(trained)
    with torch.no_grad():
        engine.model.lm_head.weight.fill_(torch.nan)
    with pytest.raises(ModelError, match="nan nats"):
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
