"""A gated transformer (Llama, Qwen2 and their kin) in numbers, from config.json or from the study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlv.models.flops import ModelShape
from rlv.models.folders import read_config
from rlv.models.sources import at_hand
from rlv.store import Artifact, Store
from rlv.study.types import Architecture

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Size:
    """Axes of the weight matrices; names as in the formulas of this package: H, A, K, I, V, L.

    `biases`: parameters of biases in one layer. `dtype`: of the weights as they are stored.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    tied: bool
    positions: int
    biases: int = 0
    dtype: str = "bfloat16"

    @property
    def attention_width(self) -> int:
        """A: query heads times their size."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """K: key heads times their size; values have as many."""
        return self.kv_heads * self.head_dim

    @property
    def parameters(self) -> int:
        """All of them: V H (twice where untied) + L (2 H A + 2 H K + 3 H I + 2 H + biases) + H."""
        h, a, k = self.hidden, self.attention_width, self.kv_width
        layer = 2 * h * a + 2 * h * k + 3 * h * self.intermediate + 2 * h + self.biases
        return self.vocab * h * (1 if self.tied else 2) + self.layers * layer + h

    @property
    def shape(self) -> ModelShape:
        """What FLOPs depend on (rlv/models/flops.py): an input embedding of its own multiplies nothing."""
        looked_up = 0 if self.tied else self.vocab * self.hidden
        return ModelShape(self.parameters - looked_up, self.layers, self.attention_width)

    def kv_bytes(self, dtype: str) -> int:
        """Bytes of keys and values of one token in all layers."""
        return 2 * self.layers * self.kv_width * BYTES[dtype]


def size_from_config(config: Mapping[str, Any]) -> Size:
    """From the mapping in config.json. Raises KeyError where it is no transformer of this kind."""
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
    """A start model's size: from its files where they are at hand, else as the study says; else None."""
    folder: Path | None = at_hand(artifact, store)
    config = read_config(folder) if folder is not None else None
    if config is not None:
        try:
            return size_from_config(config)
        except (KeyError, TypeError, ValueError, ArithmeticError):
            pass  # another kind of model: the study may say what comes near it
    return size_from_config(architecture.model_dump()) if architecture is not None else None
