"""What vLLM multiplies with, read back under the names that a checkpoint gives it.

    for name, held in held_weights(vllm_model): ...

vLLM keeps matrices that are used together as one (queries, keys and values; gate and up), pads vocabularies,
and on a CPU multiplies with packed copies that cannot be looked into. A packed matrix is read by multiplying
the identity with it: sums of one number and zeros, so exact in every type.

Left out on purpose: weights that several GPUs share (training gives each engine one), and layers whose
weights vLLM names otherwise than the checkpoint does (experts): they come under vLLM's names, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rlv.models.headers import stored_weights


def checkpoint_names(folder: Path, tied: bool) -> set[str]:
    """Names of the parameters in a checkpoint's files; `tied`: the output matrix is the input's."""
    # Older checkpoints have the rotation's frequencies, too, which are no parameters.
    names = {name for name in stored_weights(folder) if "rotary" not in name}
    return names - {"lm_head.weight"} if tied else names


def held_weights(model: Any) -> Iterator[tuple[str, Tensor]]:
    """Name in a checkpoint and value of every weight of vLLM's model, one matrix at a time.

    A matrix that is tied comes twice if it is held twice, under the embedding's name.
    """
    fused: dict[str, list[str]] = getattr(model, "packed_modules_mapping", {})
    owners: dict[int, str] = {}
    for path, module in model.named_modules():
        for kind, parameter in module.named_parameters(recurse=False):
            copied = kind == "weight" and _has_packed_copy(module)
            first = id(parameter) not in owners
            owner = owners.setdefault(id(parameter), path)
            if not copied and (not first or parameter.numel() == 0):
                continue
            value = _unpacked(module) if copied else parameter.data
            if hasattr(module, "org_vocab_size"):
                value = value[: module.org_vocab_size]
            parent, _, last = owner.rpartition(".")
            parts = fused.get(last, [last])
            sizes = list(module.output_sizes) if len(parts) > 1 else [len(value)]
            for part, rows in zip(parts, value.split(sizes), strict=True):
                yield ".".join(filter(None, (parent, part, kind))), rows


def pack_output_matrix(model: Any) -> None:
    """Pack the output matrix again if the model multiplies with a packed copy of it."""
    for module in model.modules():
        if type(module).__name__ == "ParallelLMHead" and _has_packed_copy(module):
            module.quant_method.process_weights_after_loading(module)


def _has_packed_copy(module: Any) -> bool:
    # Input embeddings have a copy, too, but are looked up in the matrix itself.
    return hasattr(module, "cpu_linear") and type(module).__name__ != "VocabParallelEmbedding"


@torch.no_grad()
def _unpacked(module: Any) -> Tensor:
    """The matrix that the module multiplies with: [outputs, inputs]."""
    inputs = module.embedding_dim if hasattr(module, "embedding_dim") else module.input_size_per_partition
    identity = torch.eye(inputs, dtype=module.weight.dtype)
    return module.cpu_linear(identity, module.weight, None).t()
