"""Sizes of models: from config.json, or from what the study states of an architecture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlv.job.work import BYTES, Size
from rlv.models.folders import read_config
from rlv.models.sources import at_hand
from rlv.store import Artifact, Store
from rlv.study.types import Architecture


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


def size_of(artifact: Artifact, architecture: Architecture | None, store: Store | None) -> Size | None:
    """A start model's size: of its files if they are at hand, else of the study; None if neither has one."""
    folder = at_hand(artifact, store)
    config = read_config(folder) if folder is not None else None
    if config is not None:
        try:
            return size_from_config(config)
        except (KeyError, TypeError, ValueError, ArithmeticError):
            pass  # another kind of model: the study may state one that comes near it
    return size_from_config(architecture.model_dump()) if architecture is not None else None
