"""What the folder of a Hugging Face model must have, and what is refused: pickled weights and code.

Unpickling runs code that a file contains, and a model may come with code of its own. Safetensors files
contain only numbers.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from rlv.errors import ModelError
from rlv.models.headers import stored_weights
from rlv.outside.files import open_regular, parse_json, read_text

# What a model's folder is read from.
KINDS = (".safetensors", ".json", ".txt", ".model", ".jinja")
# Of these, what transformers parses as JSON, besides config.json.
_PARSED = (
    *("*_config.json", "tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab.json"),
    *("chat_template.json", "*.safetensors.index.json"),
)
# Levels of JSON in JSON. transformers copies what it reads level by level, and so far within Python's limit.
_DEEPEST = 100
_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def read_config(folder: Path) -> dict[str, Any] | None:
    """What config.json of a model's folder has of its language model; None if there is no JSON mapping."""
    try:
        config = _config(folder)
    except (OSError, ValueError):
        return None
    return config.get("text_config") or config


def _config(folder: Path) -> dict[str, Any]:
    config = parse_json(read_text(folder / "config.json"))
    if not isinstance(config, dict):
        raise ValueError(f"found a {type(config).__name__}")
    if not isinstance(config.get("text_config") or {}, dict):
        raise ValueError(f"text_config is a {type(config['text_config']).__name__}")
    return config


def complaint(folder: Path) -> str | None:
    """Why a folder's weights are not loaded, with a remedy; None if they can be loaded."""
    if not folder.is_dir():
        return f"{folder}: no such folder"
    try:
        _require_readable(folder)
    except OSError as error:
        return f"{error.filename}: {error.strerror}; a model is read from files, or links to files"
    if not any(folder.glob("*.safetensors")):
        pickled = sorted(p.name for p in folder.iterdir() if p.suffix in _PICKLED)
        if pickled:
            return (
                f"{folder}: weights are pickled ({pickled[0]}), and unpickling a file runs code in it; "
                "convert them to safetensors once, on a machine that you can lose (transformers: "
                "from_pretrained, then save_pretrained), or take a revision of the model that has "
                "*.safetensors"
            )
        return (
            f"{folder}: no weights in safetensors; the folder of a Hugging Face model (config.json, "
            "*.safetensors, tokenizer) would do"
        )
    try:
        config = _config(folder)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        path = folder / "config.json"
        return f"{path}: missing or not a JSON mapping ({why}); a model needs its configuration"
    # A checkpoint's own code is asked for by class: {"AutoModelForCausalLM": "modeling_x.Model"}.
    code = config.get("auto_map")
    if code:
        named = next(iter(code.values())) if isinstance(code, dict) else code
        return (
            f"{folder / 'config.json'}: auto_map asks for code of the model's own ({named}), which is never "
            f"run; take a model whose architecture transformers has itself, or, if it has this one "
            f"(model_type {config.get('model_type')!r}), a copy of the folder without auto_map"
        )
    try:
        stored_weights(folder)
    except ModelError as error:
        return str(error)
    return _unparsed(folder)


def _unparsed(folder: Path) -> str | None:
    """The complaint about JSON that transformers would fail to read."""
    for path in sorted({path for pattern in _PARSED for path in folder.glob(pattern)}):
        found = path.stat()
        fault = _fault(path, found.st_ino, found.st_size, found.st_mtime_ns)
        if fault is not None:
            return f"{path}: expected a JSON mapping, found {fault}; fetch or save the model again"
    return None


@cache
def _fault(path: Path, *_: int) -> str | None:
    """Why a file is no JSON mapping. Kept by the file's identity: a tokenizer has some megabytes."""
    try:
        content = parse_json(read_text(path))
    except (OSError, ValueError) as error:
        return str(error)
    if not isinstance(content, dict):
        return f"a {type(content).__name__}"
    level: list[Any] = [content]
    for _depth in range(_DEEPEST):
        inner = [v for each in level for v in (each.values() if isinstance(each, dict) else each)]
        level = [value for value in inner if isinstance(value, dict | list)]
    return "JSON that is nested too deeply" if level else None


def _require_readable(folder: Path) -> None:
    """Raises OSError for files that are not regular (reading may never end), and for broken links."""
    for path in (*sorted(folder.iterdir()), *sorted(folder.glob("additional_chat_templates/*"))):
        if path.suffix in KINDS:
            open_regular(path).close()
