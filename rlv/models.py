"""The stage `model`: external weights enter the store, by content, as one Hugging Face directory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlv.errors import ModelError
from rlv.job import Job, Stage
from rlv.store import file_digest

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def _run(job: Job) -> dict[str, Any]:
    source = Path(job.how["folder"])
    for name, digest in job.params["files"].items():
        shutil.copyfile(source / name, job.out / name)
        if file_digest(job.out / name) != digest:
            raise ModelError(f"{source / name}: changed while the study was running; run again")
    return {}


MODEL = Stage(recipe=1, run=_run)


def pick_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_model(folder: Path, dtype: str = "auto") -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A checkpoint and its tokenizer, in evaluation mode, on a GPU where there is one.

    `dtype` is a torch type's name, or "auto" for the checkpoint's own. Safetensors only, and no code from
    the folder is run.
    """
    import torch.nn
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=dtype, attn_implementation="sdpa"
    )
    # The model's own `to` has a signature that type checkers cannot read.
    torch.nn.Module.to(model, pick_device())
    return model.eval(), tokenizer
