"""The one door to weights: safetensors only, and no code from a model's folder runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlv.errors import ModelError
from rlv.models.completeness import require_loaded
from rlv.models.folders import complaint

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def pick_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_model(folder: Path, dtype: str = "auto") -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A checkpoint and its tokenizer, in evaluation mode, on a GPU if there is one.

    `dtype` is a torch type's name, or "auto" for the checkpoint's own. Raises ModelError if the folder has
    no safetensors weights, wants code of its own to be run, or has other tensors than its architecture.
    """
    import torch.nn
    from transformers import AutoModelForCausalLM, AutoTokenizer

    found = complaint(folder)
    if found is not None:
        raise ModelError(found)
    # Explicit: by default transformers asks on the terminal whether code may be run.
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        dtype=dtype,
        attn_implementation="sdpa",
        # Refused below, with the others, by name.
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    model: PreTrainedModel
    model, info = loaded
    require_loaded(folder, info)
    # The model's own `to` has a signature that type checkers cannot read.
    torch.nn.Module.to(model, pick_device())
    return model.eval(), tokenizer
