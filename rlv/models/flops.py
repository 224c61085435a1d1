"""What generating and reading cost in floating-point operations: methods compared at equal compute.

A forward pass of one token costs 2 P for the matrix products with P parameters and 4 L d (t + 1) for
attention at position t (counted from 0): queries against t + 1 keys, weights times t + 1 values, d
multiply-adds each, in L layers of width d = heads × head size (Kaplan et al. 2020, section 2.1).

Left out on purpose: the prefill of a prompt (shared by the N solutions of a problem, the same for every
method), norms and activations, and what a cache of prefixes would save a verifier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlv.errors import ModelError
from rlv.models.folders import complaint, read_config
from rlv.models.headers import stored_weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class ModelShape:
    """What a token's cost depends on: parameters multiplied with, layers, width of attention."""

    parameters: int
    layers: int
    width: int


def shape_of(model: PreTrainedModel) -> ModelShape:
    """A causal language model's shape; an input embedding of its own is looked up, never multiplied."""
    parameters = sum(p.numel() for p in model.parameters())
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    if outputs is None or inputs.weight is not outputs.weight:
        parameters -= int(inputs.weight.numel())  # pyright: ignore[reportCallIssue]
    return _shape(parameters, model.config.get_text_config())


def shape_of_folder(folder: Path) -> ModelShape:
    """The same, from config.json and the headers of the safetensors files; no weights are read, no torch.

    Raises ModelError if the folder has no safetensors weights or no configuration, or one of the files
    is cut off.
    """
    found = complaint(folder)
    config = read_config(folder)
    if found is not None or config is None:
        raise ModelError(found or f"{folder / 'config.json'}: not readable")
    weights = stored_weights(folder)
    # Rotary frequencies stand in the files of older checkpoints; they are no parameters.
    sizes = {name: math.prod(shape) for name, shape in weights.items() if "rotary" not in name}
    output = sum(size for name, size in sizes.items() if name.endswith(_OUTPUTS))
    tied = config.get("tie_word_embeddings", output == 0)
    parameters = sum(sizes.values())
    # Tied, one matrix is both, whether or not the files have it twice; untied, the input's is looked up.
    parameters -= output if tied else sum(n for name, n in sizes.items() if name.endswith(_INPUTS))
    return _shape(parameters, SimpleNamespace(**config))


def _shape(parameters: int, config: Any) -> ModelShape:
    heads = int(config.num_attention_heads)
    head_size = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    return ModelShape(parameters, int(config.num_hidden_layers), heads * head_size)


# How the embeddings are called in the files of causal language models.
_INPUTS = ("embed_tokens.weight", "wte.weight", "embed_in.weight")
_OUTPUTS = ("lm_head.weight", "embed_out.weight")


def flops(shape: ModelShape, start: ArrayLike, stop: ArrayLike) -> NDArray[np.float64]:
    """FLOPs of the forward passes of tokens at positions start … stop − 1, element by element.

    Σ_t 2 P + 4 L d (t + 1), in closed form. No tokens (stop ≤ start) cost nothing.
    """
    first = np.asarray(start, dtype=np.float64)
    tokens = np.maximum(np.asarray(stop, dtype=np.float64) - first, 0.0)
    # Σ_{t = a}^{b − 1} (t + 1) = (b − a) (a + b + 1) / 2 with b = a + tokens.
    attended = tokens * (2 * first + tokens + 1) / 2
    return 2.0 * shape.parameters * tokens + 4.0 * shape.layers * shape.width * attended
