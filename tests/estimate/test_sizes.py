"""Sizes in numbers against models that transformers builds without weights."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from rlv.models.flops import shape_of
from rlv.models.work import shape_of_size, size_from_config
from rlv.study.types import Architecture


def sizes(layers, hidden, heads, kv_heads, intermediate, vocab, tied, positions):
    return {
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "intermediate_size": intermediate,
        "vocab_size": vocab,
        "tie_word_embeddings": tied,
        "max_position_embeddings": positions,
    }


MODELS = {
    "Qwen2.5-Math-1.5B": ("qwen2", sizes(28, 1536, 12, 2, 8960, 151936, True, 4096)),
    "Qwen2.5-Math-7B": ("qwen2", sizes(28, 3584, 28, 4, 18944, 152064, False, 4096)),
    "R1-Distill-Qwen-1.5B": ("qwen2", sizes(28, 1536, 12, 2, 8960, 151936, False, 131072)),
    "SmolLM2-135M": ("llama", sizes(30, 576, 9, 3, 1536, 49152, True, 8192)),
    "untied": ("llama", sizes(3, 64, 4, 4, 100, 500, False, 128)),
    "biased": (
        "llama",
        {**sizes(3, 64, 4, 2, 100, 500, True, 128), "attention_bias": True, "mlp_bias": True},
    ),
    "wide heads": ("llama", {**sizes(3, 64, 4, 2, 100, 500, True, 128), "head_dim": 24}),
}


@pytest.mark.parametrize("name", MODELS)
def test_parameters_and_shape_are_those_of_the_model(name):
    kind, said = MODELS[name]
    config = AutoConfig.for_model(kind, **said)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    size = size_from_config(config.to_dict())
    assert size.parameters == model.num_parameters()
    assert shape_of_size(size) == shape_of(model)
    assert size.positions == said["max_position_embeddings"]


@pytest.mark.parametrize("name", ["Qwen2.5-Math-1.5B", "Qwen2.5-Math-7B", "SmolLM2-135M"])
def test_what_a_study_says_of_an_architecture_is_within_a_thousandth(name):
    kind, said = MODELS[name]
    exact = size_from_config({"model_type": kind, **said})
    rough = size_from_config(Architecture(**said).model_dump())
    # Biases are not among the keys.
    assert rough.parameters == pytest.approx(exact.parameters, rel=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_keys_and_values_take_what_a_cache_holds(dtype):
    from transformers import DynamicCache

    kind, said = MODELS["untied"]
    config = AutoConfig.for_model(kind, **{**said, "num_key_value_heads": 2})
    model = AutoModelForCausalLM.from_config(config).to(getattr(torch, dtype))
    cache = DynamicCache()
    with torch.no_grad():
        model(input_ids=torch.zeros(2, 7, dtype=torch.int64), past_key_values=cache)
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert size_from_config({**config.to_dict(), "dtype": dtype}).kv_bytes * 2 * 7 == held
