"""Checkpoints must have the tensors of their architecture: when checked (headers) and when loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    Qwen2Config,
    Qwen3Config,
)

from rlv.errors import ModelError
from rlv.models import heads, load_model
from rlv.models.completeness import require_complete
from rlv.models.headers import WEIGHTS

SMALL = {
    "vocab_size": 99,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
CONFIGS = {
    "qwen2 tied": Qwen2Config(**SMALL, tie_word_embeddings=True),
    "qwen2 untied": Qwen2Config(**SMALL, tie_word_embeddings=False),
    "qwen3": Qwen3Config(**SMALL),
    "llama": LlamaConfig(**SMALL),
    "mistral": MistralConfig(**SMALL),
    # Its experts are stored one by one and held as one tensor.
    "mixtral": MixtralConfig(**SMALL, num_local_experts=4),
}
NORM = "model.layers.1.input_layernorm.weight"


def saved(folder: Path, name: str, tokenizer, **how) -> Path:
    model = AutoModelForCausalLM.from_config(CONFIGS[name])
    model.save_pretrained(folder, **how)
    tokenizer.save_pretrained(folder)
    return folder


def edit(folder: Path, change) -> None:
    tensors = load_file(folder / WEIGHTS)
    save_file(change(tensors), folder / WEIGHTS, metadata={"format": "pt"})


def refused(folder: Path, *words: str) -> None:
    """By the check, and by what loads it."""
    for ask in (require_complete, load_model):
        with pytest.raises(ModelError) as error:
            ask(folder)
        for word in (str(folder), *words):
            assert word in str(error.value), ask


@pytest.mark.parametrize("name", CONFIGS)
def test_what_transformers_saves_is_complete(tmp_path, tiny_tokenizer, name):
    folder = saved(tmp_path, name, tiny_tokenizer)
    require_complete(folder)
    load_model(folder)


def test_several_files_are_one_checkpoint(tmp_path, tiny_tokenizer):
    folder = saved(tmp_path, "llama", tiny_tokenizer, max_shard_size="10KB")
    assert not (folder / WEIGHTS).exists()
    require_complete(folder)
    load_model(folder)


def test_the_shipped_base_is_complete():
    require_complete(Path(__file__).parents[2] / "rlv" / "mini" / "base")


def test_a_verification_head_beside_the_backbone_is_no_part_of_it(tmp_path, tiny_tokenizer):
    folder = saved(tmp_path, "llama", tiny_tokenizer)
    heads.save(heads.VerificationHead("bce", 32), folder)
    require_complete(folder)
    load_model(folder)


def test_tied_matrices_may_be_stored_twice_and_old_buffers_stay(tmp_path, tiny_tokenizer):
    folder = saved(tmp_path, "qwen2 tied", tiny_tokenizer)

    def older(tensors):
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
        tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
        return tensors

    edit(folder, older)
    require_complete(folder)
    load_model(folder)


def test_a_missing_tensor_is_named(tmp_path, tiny_tokenizer):
    folder = saved(tmp_path, "llama", tiny_tokenizer)
    edit(folder, lambda tensors: {n: t for n, t in tensors.items() if n != NORM})
    refused(folder, f"1 missing ({NORM})")


def test_an_output_matrix_of_its_own_must_be_there(tmp_path, tiny_tokenizer):
    folder = saved(tmp_path, "qwen2 untied", tiny_tokenizer)
    edit(folder, lambda tensors: {n: t for n, t in tensors.items() if n != "lm_head.weight"})
    refused(folder, "1 missing (lm_head.weight)")


def test_a_prefix_makes_all_missing_and_all_unexpected(tmp_path, tiny_tokenizer):
    folder = saved(tmp_path, "llama", tiny_tokenizer)
    n = len(load_file(folder / WEIGHTS))
    edit(folder, lambda tensors: {f"actor.{name}": t for name, t in tensors.items()})
    refused(folder, f"{n} missing (lm_head.weight, ", f"{n} unexpected (actor.lm_head.weight, ")


def test_an_unexpected_tensor_is_named(tmp_path, tiny_tokenizer):
    folder = saved(tmp_path, "llama", tiny_tokenizer)
    edit(folder, lambda tensors: {**tensors, "model.layers.2.mlp.up_proj.weight": torch.ones(64, 32)})
    refused(folder, "1 unexpected (model.layers.2.mlp.up_proj.weight)")


def test_another_shape_is_named_with_both(tmp_path, tiny_tokenizer):
    folder = saved(tmp_path, "llama", tiny_tokenizer)
    edit(folder, lambda tensors: {**tensors, NORM: torch.ones(16)})
    refused(folder, f"1 of another shape ({NORM} [16] (expected [32]))")


def test_a_missing_expert_is_refused(tmp_path, tiny_tokenizer):
    folder = saved(tmp_path, "mixtral", tiny_tokenizer)
    gone = next(name for name in sorted(load_file(folder / WEIGHTS)) if "experts.3" in name)
    edit(folder, lambda tensors: {n: t for n, t in tensors.items() if n != gone})
    with pytest.raises(ModelError):
        require_complete(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_hidden_layers": 10**9}, "tensors for the 1000000000 layers"),
        ({"model_type": "bert", "architectures": ["BertModel"]}, "weights are not those"),
        ({"model_type": "no_such_type"}, "transformers makes no causal language model"),
        ({"hidden_size": "many"}, "transformers makes no causal language model"),
    ],
)
def test_a_configuration_that_makes_no_model_of_these_weights_is_refused(
    tmp_path, tiny_tokenizer, change, words
):
    folder = saved(tmp_path, "llama", tiny_tokenizer)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(ModelError, match=words):
        require_complete(folder)
