"""A model in numbers, and what its passes over tokens cost: floating-point operations, and bytes on a GPU.

Symbols as in rlv/job/work.py: H hidden, A attention width, K key width, I intermediate, V vocabulary. Pure
functions; no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlv.job.work import BYTES, Pass, Size, Work
from rlv.models.flops import ModelShape, flops


def size_from_config(config: Mapping[str, Any]) -> Size:
    """A size from the mapping in config.json. Raises KeyError if it is no transformer of this kind."""
    config = config.get("text_config") or config
    heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
    kv_heads = int(config.get("num_key_value_heads") or heads)
    head_dim = int(config.get("head_dim") or hidden // heads)
    intermediate = int(config["intermediate_size"])
    biases = 0
    if config.get("model_type") == "qwen2":
        biases += (heads + 2 * kv_heads) * head_dim
    elif config.get("attention_bias"):
        biases += (heads + 2 * kv_heads) * head_dim + hidden
    if config.get("mlp_bias"):
        biases += 2 * intermediate + hidden
    dtype = config.get("dtype") or config.get("torch_dtype")
    return Size(
        layers=int(config["num_hidden_layers"]),
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        intermediate=intermediate,
        vocab=int(config["vocab_size"]),
        tied=bool(config.get("tie_word_embeddings", False)),
        positions=int(config["max_position_embeddings"]),
        biases=biases,
        dtype=dtype if dtype in BYTES else "bfloat16",
    )


def shape_of_size(size: Size) -> ModelShape:
    """What FLOPs depend on (flops.py): an input embedding of its own multiplies nothing."""
    looked_up = 0 if size.tied else size.vocab * size.hidden
    return ModelShape(size.parameters - looked_up, size.layers, size.attention_width)


def pass_flops(made: Pass, size: Size) -> float:
    """Floating-point operations of all sequences of a pass (flops.py).

    A backward pass multiplies twice as much as a forward pass; checkpointing adds one more forward.
    """
    times = 3 + made.recomputed if made.kind == "learned" else 1
    return float(flops(shape_of_size(size), made.start, made.stop)) * made.sequences * times


def layer_bytes(size: Size) -> float:
    """Bytes a token that one block saves: two norms, the inputs of seven matrices, attention, the gate."""
    b, h, a, k, i = size.element, size.hidden, size.attention_width, size.kv_width, size.intermediate
    norms = 2 * (_norm_bytes(size) + h * b)
    # Queries and keys after rotation, values, the output, and its softmax sums in float32.
    attention = (2 * a + 2 * k) * b + 4 * size.heads
    return norms + attention + 4 * i * b


def activation_bytes(size: Size, tokens: int, *, checkpointing: bool) -> float:
    """What autograd keeps of the backbone for a micro-batch of so many padded tokens."""
    one = layer_bytes(size)
    ends = _norm_bytes(size) + size.hidden * size.element  # the last norm, and its output
    kept = size.layers * (size.hidden * size.element) + one if checkpointing else size.layers * one
    return float(tokens) * (kept + ends)


def logits_bytes(size: Size, solution_tokens: int) -> float:
    """Log-probabilities over the vocabulary, their gradient, and that of the logits, all float32."""
    return 12.0 * size.vocab * solution_tokens


def reading_bytes(size: Size, tokens: int, solution_tokens: int) -> dict[str, float]:
    """Bytes of a pass without gradients: one block's, and logits with log-probabilities in float32."""
    return {
        "activations": tokens * layer_bytes(size),
        "logits": 8.0 * size.vocab * solution_tokens,
    }


def _norm_bytes(size: Size) -> float:
    """RMSNorm computes in float32: its input there, and its output in the weights' type."""
    return size.hidden * (4 + size.element)


MODEL = Work(stored=lambda artifact, passes, size, assumed: size.weights)
