"""The same attention with wider heads: for kernels that know only some head sizes.

vLLM's CPU build has kernels for heads of 32, 64, 80, ... dimensions; a model with heads of 24 is handed to it
with zeros in what is missing, and computes the same, up to rounding:

    scores    q·k gains products of zeros; the kernel divides by √D' in place of √D, so q is scaled by √(D'/D)
    rotation  dimension i turns with i + D/2, by θ^(−2i/D): the halves are padded each, and θ' = θ^(D'/D)
    values    what is appended to v is zero, and meets columns of zeros in the output matrix

Left out on purpose: norms of queries and keys (their mean would be taken over the zeros, too), other
rotations than the plain one, and other families than those named here (vLLM's Qwen2 takes the size of its
heads from its width whatever the configuration has, and would read a part of each).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from rlv.errors import ModelError

FAMILIES = ("llama", "mistral")
_PROJECTION = re.compile(r"\.self_attn\.([qkvo])_proj\.(weight|bias)$")


@dataclass(frozen=True)
class Padding:
    """Heads of `size` dimensions as heads of `padded`."""

    size: int
    padded: int

    def tensor(self, name: str, value: Tensor) -> Tensor:
        """A tensor of the model by its name, padded if it has heads, else the same object."""
        found = _PROJECTION.search(name)
        if found is None:
            return value
        extra = self.padded - self.size
        if found[1] == "o":
            if found[2] == "bias":
                return value
            heads_HND = value.unflatten(1, (-1, self.size))
            return torch.nn.functional.pad(heads_HND, (0, extra)).flatten(1)
        # Rows of a weight or entries of a bias: [heads, halves, half, columns].
        halves = 1 if found[1] == "v" else 2
        rows = value.reshape(-1, halves, self.size // halves, value.numel() // value.shape[0])
        rows = torch.nn.functional.pad(rows, (0, 0, 0, extra // halves))
        if found[1] == "q":
            rows = rows * (self.padded / self.size) ** 0.5
        return rows.reshape(-1, *value.shape[1:]).to(value.dtype)


def padding_for(config: dict[str, Any], sizes: list[int], name: str) -> Padding | None:
    """How a model (the contents of its config.json) fits kernels for heads of these sizes; None: as it is.

    Raises ModelError if it would have to be padded and cannot be; `name` is the model's.
    """
    heads = int(config["num_attention_heads"])
    size = int(config.get("head_dim") or config["hidden_size"] // heads)
    if size in sizes:
        return None
    padded = min((s for s in sizes if s > size and s % 2 == 0), default=None)
    rotation = _rotation(config).get("rope_type", "default")
    family = config.get("model_type")
    if padded is None or family not in FAMILIES or rotation != "default" or size % 2:
        raise ModelError(
            f"{name}: heads of {size} dimensions; vllm has kernels for {', '.join(map(str, sizes))} on this "
            f"machine, and a model of type {family!r} with rotation {rotation!r} cannot be padded; "
            "use engine 'transformers'"
        )
    return Padding(size, padded)


def write_padded(folder: Path, target: Path, padding: Padding) -> None:
    """A checkpoint's configuration and weights (safetensors) with padded heads, into another folder."""
    config = json.loads((folder / "config.json").read_text())
    rotation = _rotation(config)
    theta = float(rotation.get("rope_theta") or config.get("rope_theta") or 10_000.0)
    wider = theta ** (padding.padded / padding.size)
    config["head_dim"] = padding.padded
    config["rope_theta"] = wider
    config["rope_parameters"] = {**rotation, "rope_type": "default", "rope_theta": wider}
    config.pop("rope_scaling", None)
    (target / "config.json").write_text(json.dumps(config))
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            tensors = {n: padding.tensor(n, file.get_tensor(n)) for n in file.keys()}  # noqa: SIM118 (no mapping)
        save_file(
            {n: t.contiguous() for n, t in tensors.items()}, target / path.name, metadata={"format": "pt"}
        )


def _rotation(config: dict[str, Any]) -> dict[str, Any]:
    # Newer configurations have the base among the parameters, older ones only scaling, or nothing.
    return dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
