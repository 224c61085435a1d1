"""A GGUF file inside an installed package, dequantized once into a Hugging Face directory.

Its blocks of few-bit integers become float32 exactly (scale times integer, plus offset), so nothing is lost
beyond what the quantization lost; the tokenizer, with its special tokens and chat template, comes from the
file's own metadata. Needs the extra `gguf` of this package. Left out on purpose: keeping weights packed
(such a model cannot be trained or saved), and importing the package that the file lies in.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

from rlv.errors import ModelError, StudyError
from rlv.models.completeness import require_loaded
from rlv.outside.names import below

# Raised when the same file would become other weights or another tokenizer.
CONVERSION = 1


def locate(package: str, path: str, key: str) -> Path:
    """Where `path` of the distribution `name==version` lies; nothing is imported.

    Raises StudyError with the command that installs it if it is missing or has another version.
    """
    name, _, version = package.partition("==")
    install = f"pip install --no-deps {package}"
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise StudyError(f"{key}.package: {package} is not installed; {install}") from None
    if found.version != version:
        raise StudyError(f"{key}.package: {package} is asked for, {found.version} is installed; {install}")
    root = Path(str(found.locate_file("")))
    file = below(root, path, nested=True, error=StudyError)
    if not file.is_file():
        inside = [str(f) for f in found.files or () if f.suffix == ".gguf"]
        raise StudyError(
            f"{key}.path: {package} has no file {path!r}; its GGUF files: {', '.join(inside) or 'none'}"
        )
    return file


def convert(file: Path, out: Path) -> int:
    """Write the model and tokenizer of a GGUF file to `out`, in float32 safetensors; returns its parameters.

    Raises ModelError if the packages that read GGUF are missing, the file has no usable tokenizer, or it
    has other tensors than its architecture.
    """
    need_readers()
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
    from transformers.utils.quantization_config import GgufConfig

    tokenizer: Any = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
    if tokenizer.eos_token_id is None:
        raise ModelError(f"{file}: its tokenizer has no end token; solutions could not end")
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        file.parent,
        gguf_file=file.name,
        local_files_only=True,
        dtype="float32",
        quantization_config=GgufConfig(dequantize=True),
        output_loading_info=True,
    )
    read, info = loaded
    # A rotation's frequencies follow from the configuration.
    unexpected = {name for name in info["unexpected_keys"] if "rope_freqs" not in name}
    require_loaded(file, {**info, "unexpected_keys": unexpected})
    # A model that was read from a GGUF refuses to be saved; a plain one with the same weights does not.
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):  # random weights would take longer than all the rest
        model: Any = AutoModelForCausalLM.from_config(config, dtype="float32")
    model.load_state_dict(read.state_dict(), strict=True, assign=True)
    model.tie_weights()
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.config.eos_token_id = tokenizer.eos_token_id
    tokenizer.model_max_length = config.max_position_embeddings
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return sum(p.numel() for p in model.parameters())


def need_readers() -> None:
    """Raises ModelError if the packages that read GGUF are missing."""
    for name in ("gguf", "accelerate"):
        try:
            importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            raise ModelError(
                f"reading GGUF files needs the package {name}: pip install 'rlv[gguf]'"
            ) from None
