"""A policy is trained without dropout: unmoved weights are the policy that sampled, and the reference."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import transformers
from torch import nn

from rlv.errors import ModelError
from rlv.models.dropout import without_dropout
from rlv.training.batches import Trajectory
from rlv.training.learner import make_learner
from rlv.training.run import Run
from rlv.training.update import learn

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
# As numbers in modules, as modules, as both, and as layers that are left out.
FAMILIES = {
    "llama": {**SIZES, "attention_dropout": 0.1},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "gpt_neox": {**SIZES, "attention_dropout": 0.1, "hidden_dropout": 0.1},
    "opt": {**SIZES, "word_embed_proj_dim": 32, "ffn_dim": 64, "dropout": 0.1, "layerdrop": 0.5},
}


def model_of(family, tokenizer):
    torch.manual_seed(0)
    settings = {"vocab_size": len(tokenizer), "initializer_range": 0.2, "init_std": 0.2, **FAMILIES[family]}
    config = transformers.AutoConfig.for_model(family, pad_token_id=0, eos_token_id=2, **settings)
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def sampled(model, n=24):
    """Solutions with the log-probabilities that the model itself gives them."""
    rng = np.random.default_rng(1)
    made = []
    for i in range(n):
        x, y = (tuple(rng.integers(4, 30, k).tolist()) for k in (5, 9))
        with torch.no_grad():
            logprobs_TV = model(torch.tensor([[*x, *y]])).logits[0, len(x) - 1 : -1].log_softmax(-1)
        logprobs = tuple(logprobs_TV.gather(1, torch.tensor(y)[:, None])[:, 0].tolist())
        advantages = tuple(rng.normal(size=len(y)).tolist())
        made.append(Trajectory(f"p{i}", 0, x, y, logprobs, True, float(i % 2), advantages))
    return made


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_that_have_not_moved_are_not_away_from_themselves(tiny_tokenizer, family):
    model = model_of(family, tiny_tokenizer)
    trajectories = sampled(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for minibatches in (1, 4):
        config = Run.of(learning_rate=1e-12, minibatches=minibatches, kl_coefficient=0.1)
        learner = make_learner(copy.deepcopy(model), tiny_tokenizer, config, copy.deepcopy(model))
        lesson = learn(learner, trajectories, config, step=0)
        assert lesson.clip_fraction == 0 and lesson.kl == pytest.approx(0, abs=1e-9)
        assert lesson.logprob_gap is not None and lesson.logprob_gap < 1e-5
        assert learner.model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_configurations_have_the_zeros_too_and_nothing_else_changes(tiny_tokenizer):
    model = model_of("opt", tiny_tokenizer)
    before = model.config.to_dict()
    without_dropout(model)
    after = model.config.to_dict()
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {"dropout", "layerdrop"} and after["dropout"] == after["layerdrop"] == 0
    assert not model.training


def test_what_stays_random_is_refused(tiny_model):
    class Noisy(nn.Module):
        def forward(self, hidden):
            return hidden + self.training * torch.randn_like(hidden)

    model = copy.deepcopy(tiny_model)
    model.model.norm = nn.Sequential(model.model.norm, Noisy())
    with pytest.raises(ModelError, match="other logits when it is trained than when it is evaluated"):
        without_dropout(model)
