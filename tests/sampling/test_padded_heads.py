"""Wider heads say the same: a padded checkpoint against its original, both in transformers."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from rlv.errors import ModelError
from rlv.sampling.padded_heads import Padding, padding_for, write_padded

SIZES = [32, 64]
SHAPE = {
    "vocab_size": 40,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
}


def models():
    """Grouped queries; biases of queries, keys and values; a base of the rotation of its own; two files."""
    rotation = {"rope_type": "default", "rope_theta": 500.0}
    return {
        "llama": LlamaForCausalLM(LlamaConfig(**SHAPE, rope_parameters=rotation)),
        "biased": LlamaForCausalLM(LlamaConfig(**SHAPE, attention_bias=True)),
        "tied": LlamaForCausalLM(LlamaConfig(**SHAPE, tie_word_embeddings=True)),
    }


@pytest.mark.parametrize("kind", ["llama", "biased", "tied"])
@pytest.mark.parametrize("padded", [14, 32])
def test_a_padded_model_says_the_same(kind, padded, tmp_path) -> None:
    torch.manual_seed(0)
    model = models()[kind].eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_()
    folder, target = tmp_path / "own", tmp_path / "padded"
    target.mkdir()
    model.save_pretrained(folder, max_shard_size="20KB")
    config = json.loads((folder / "config.json").read_text())
    padding = padding_for(config, [padded], "m")
    assert padding == Padding(12, padded)
    write_padded(folder, target, padding)
    if (folder / "model.safetensors.index.json").is_file():
        index = (folder / "model.safetensors.index.json").read_text()
        (target / "model.safetensors.index.json").write_text(index)
    wider = AutoModelForCausalLM.from_pretrained(target).eval()
    assert wider.model.layers[0].self_attn.head_dim == padded
    ids = torch.randint(0, 40, (3, 100), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(wider(ids).logits, model(ids).logits, atol=2e-4, rtol=1e-4)


def test_heads_that_fit_stay_as_they_are() -> None:
    assert padding_for({"hidden_size": 128, "num_attention_heads": 2}, SIZES, "m") is None
    assert padding_for({"hidden_size": 96, "num_attention_heads": 2, "head_dim": 32}, SIZES, "m") is None


@pytest.mark.parametrize(
    "changed",
    [
        {"model_type": "qwen3"},  # norms of queries and keys
        {"model_type": "qwen2"},  # vLLM's has no head size of its own
        {"rope_parameters": {"rope_type": "yarn", "factor": 4.0}},
        {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
        {"head_dim": 72},  # no kernel is wider
    ],
)
def test_what_cannot_be_padded_is_refused(changed) -> None:
    config = {"model_type": "llama", "hidden_size": 48, "num_attention_heads": 4, **changed}
    with pytest.raises(ModelError, match=r"some/model: heads of \d+ .* kernels for 32, 64 .*'transformers'"):
        padding_for(config, SIZES, "some/model")
