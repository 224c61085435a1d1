"""FLOPs: the closed form against a loop over tokens, and against what torch counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from rlv.errors import ModelError
from rlv.models.flops import ModelShape, flops, shape_of, shape_of_folder


def small_llama(**changes) -> LlamaForCausalLM:
    """Four heads that share two key/value heads; eager attention, whose products torch can count."""
    config = LlamaConfig(
        **{
            "vocab_size": 50,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 64,
            "attn_implementation": "eager",
            **changes,
        }
    )
    return LlamaForCausalLM(config).eval()


def counted(model: LlamaForCausalLM, ids: torch.Tensor, cache=None) -> int:
    """FLOPs of one forward pass as torch counts them: matrix products alone."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(input_ids=ids, past_key_values=cache, use_cache=cache is not None)
    return counter.get_total_flops()


def norm_weights(model: LlamaForCausalLM) -> int:
    """Parameters that multiply element by element: P counts them, matrix products do not."""
    return sum(p.numel() for name, p in model.named_parameters() if "norm" in name)


@given(
    st.integers(1, 10**9), st.integers(1, 40), st.integers(1, 4096), st.integers(0, 60), st.integers(-5, 60)
)
def test_closed_form_is_the_sum_over_tokens(parameters, layers, width, start, n) -> None:
    shape = ModelShape(parameters, layers, width)
    expected = sum(2 * parameters + 4 * layers * width * (t + 1) for t in range(start, start + n))
    assert float(flops(shape, start, start + n)) == pytest.approx(expected, rel=1e-12)


def test_arrays_element_by_element_and_pieces_add_up() -> None:
    shape = ModelShape(1000, 2, 16)
    start, middle, stop = np.array([0, 3, 7]), np.array([4, 3, 9]), np.array([10, 3, 12])
    whole = flops(shape, start, stop)
    assert whole.shape == (3,) and whole[1] == 0
    np.testing.assert_allclose(flops(shape, start, middle) + flops(shape, middle, stop), whole)
    assert flops(shape, 0, stop).tolist() == [float(flops(shape, 0, s)) for s in stop]


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("head_dim", [8, 12])  # 12: attention wider than the hidden size
def test_a_decoded_token_costs_what_torch_counts(tied: bool, head_dim: int) -> None:
    from transformers import DynamicCache

    model = small_llama(tie_word_embeddings=tied, head_dim=head_dim)
    shape, cache = shape_of(model), DynamicCache()
    for position in range(6):
        found = counted(model, torch.tensor([[position + 3]]), cache)
        # The difference, exactly: norms are counted among the parameters, but multiply no matrices.
        assert found == float(flops(shape, position, position + 1)) - 2 * norm_weights(model)


@pytest.mark.parametrize("tied", [False, True])
def test_a_read_sequence_costs_what_torch_counts_without_the_masked_half(tied: bool) -> None:
    model, n = small_llama(tie_word_embeddings=tied), 11
    shape = shape_of(model)
    found = counted(model, torch.arange(n)[None])
    # An eager pass multiplies queries with all n keys and masks those ahead: n² pairs, not n (n + 1) / 2.
    masked = 4 * shape.layers * shape.width * n * (n - 1) // 2
    assert found == float(flops(shape, 0, n)) - 2 * n * norm_weights(model) + masked


def test_an_embedding_counts_where_it_is_multiplied() -> None:
    tied, untied = (small_llama(tie_word_embeddings=t) for t in (True, False))
    assert shape_of(tied) == shape_of(untied) == ModelShape(tied.num_parameters(), 3, 32)
    assert untied.num_parameters() == tied.num_parameters() + 50 * 32


def small(kind: str, **changes):
    """A random model of one of two families, grouped keys in both; Qwen2 has biases."""
    sizes = {
        "vocab_size": 50,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
    }
    if kind == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**{**sizes, **changes}))
    return LlamaForCausalLM(LlamaConfig(**{**sizes, **changes}))


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("kind", ["llama", "qwen2"])
@pytest.mark.parametrize("shard", ["5GB", "8KB"])
def test_a_folders_headers_say_what_the_model_says(tmp_path, kind, tied, shard) -> None:
    model = small(kind, tie_word_embeddings=tied)
    model.save_pretrained(tmp_path, max_shard_size=shard)
    assert len(list(tmp_path.glob("*.safetensors"))) > 1 or shard == "5GB"
    assert shape_of_folder(tmp_path) == shape_of(model)


def test_a_tied_matrix_that_the_files_have_twice_counts_once(tmp_path) -> None:
    model = small("llama", tie_word_embeddings=True)
    model.save_pretrained(tmp_path)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert shape_of_folder(tmp_path) == shape_of(model)


def test_a_file_that_is_cut_off_is_named(tmp_path) -> None:
    small("llama").save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelError, match=r"model\.safetensors.*copy it again"):
        shape_of_folder(tmp_path)
    weights.unlink()
    with pytest.raises(ModelError, match="no weights in safetensors"):
        shape_of_folder(tmp_path)
