"""What the folder of a Hugging Face model must have, and what is refused: pickled weights and code.

Unpickling runs whatever the file says, and so does a model with code of its own; safetensors hold numbers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rlv.errors import ModelError
from rlv.names import below

INDEX = "model.safetensors.index.json"
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def read_config(folder: Path) -> dict[str, Any] | None:
    """config.json of a model's folder; None where it is missing or no JSON mapping."""
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return None
    return config if isinstance(config, dict) else None


def complaint(folder: Path) -> str | None:
    """Why a folder's weights are not loaded, and what would do; None where nothing speaks against it."""
    if not folder.is_dir():
        return f"{folder}: no such folder"
    if not any(folder.glob("*.safetensors")):
        pickled = sorted(p.name for p in folder.iterdir() if p.suffix in _PICKLED)
        if pickled:
            return (
                f"{folder}: weights are pickled ({pickled[0]}), and unpickling a file runs whatever it says; "
                "convert them to safetensors once, on a machine that you can lose (transformers: "
                "from_pretrained, then save_pretrained), or take a revision of the model that has "
                "*.safetensors"
            )
        return (
            f"{folder}: no weights in safetensors; the folder of a Hugging Face model (config.json, "
            "*.safetensors, tokenizer) would do"
        )
    config = read_config(folder)
    if config is None:
        return f"{folder / 'config.json'}: missing or not a JSON mapping; a model needs its configuration"
    # A checkpoint's own code is asked for by class: {"AutoModelForCausalLM": "modeling_x.Model"}.
    code = config.get("auto_map")
    if code:
        named = next(iter(code.values())) if isinstance(code, dict) else code
        return (
            f"{folder / 'config.json'}: auto_map asks for code of the model's own ({named}), which is never "
            f"run; take a model whose architecture transformers has itself, or, where it has this one "
            f"(model_type {config.get('model_type')!r}), a copy of the folder without auto_map"
        )
    return _missing_shards(folder)


def _missing_shards(folder: Path) -> str | None:
    index = folder / INDEX
    if not index.is_file():
        return None
    try:
        shards = set(json.loads(index.read_text())["weight_map"].values())
        # What loads the weights joins these names unchecked.
        missing = sorted(s for s in shards if not below(folder, s, error=ModelError).is_file())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{index}: not an index of weights ({error!r})"
    except ModelError as error:
        return f"{index}: not an index of weights: {error}"
    return f"{index}: names {missing[0]}, which is not there; fetch it again" if missing else None
