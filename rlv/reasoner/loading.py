"""From a folder or a name on the hub to a reasoner."""

from __future__ import annotations

import re
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rlv.errors import ModelError
from rlv.hub import SITE, Asked
from rlv.models import hub, load_model
from rlv.models.completeness import require_complete
from rlv.models.flops import shape_of, shape_of_folder
from rlv.models.folders import complaint
from rlv.models.verification import read_entry
from rlv.reasoner.asking import Asking, asking_of
from rlv.reasoner.reasoner import Reasoner
from rlv.scoring import SCORES

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedTokenizerBase

    from rlv.scoring.verifier import Verifier

_REPO = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
# Sequences that vLLM runs side by side.
_MAX_BATCH = 256


def load(
    model: str | Path,
    *,
    revision: str | None = None,
    engine: str = "transformers",
    prompt_style: str | None = None,
    system_prompt: str | None = None,
    answer_format: str | None = None,
    dtype: str = "auto",
    max_batch: int = _MAX_BATCH,
    threads: int | None = None,
    tensor_parallel: int = 1,
) -> Reasoner:
    """The reasoner of a checkpoint: a folder, or with `revision` a model of the hub at that commit.

    Safetensors only, and no code of the checkpoint's own. How it is asked stands in the checkpoint if this
    project trained it; `prompt_style`, `system_prompt` and `answer_format` come before that, and any other
    model needs them if its chat template (or, without one, the question with a request for a boxed answer)
    is not how it was trained. A model that was not trained to verify is asked as a judge.

    `engine`: "transformers", or "vllm" if it is installed. `dtype`: a torch type's name; "auto" is the
    checkpoint's own. `max_batch`: solutions side by side, which decides memory and no solution. `threads`:
    of torch on a CPU; None leaves them. `tensor_parallel`: GPUs that share the model (vllm). Raises
    ModelError: no such model, pickled weights, a hub's model without a commit, an entry `verification` that
    is damaged or newer, a tokenizer that lacks what the style needs, an engine that is not there.
    """
    require_libraries()
    folder = _folder(str(model), revision)
    asked = {"prompt_style": prompt_style, "system_prompt": system_prompt, "answer_format": answer_format}
    if engine == "transformers":
        return _with_transformers(folder, asked, dtype=dtype, max_batch=max_batch, threads=threads)
    if engine != "vllm":
        raise ModelError(f"no engine named {engine!r} (there are: transformers, vllm)")
    return _with_vllm(
        folder, asked, dtype=dtype, max_batch=max_batch, threads=threads, tensor_parallel=tensor_parallel
    )


def require_libraries() -> None:
    """Raises ModelError if what models need is not installed."""
    for name in ("torch", "transformers"):
        if find_spec(name) is None:
            raise ModelError(f'a model needs {name}, which is not installed; pip install "rlv[train]"')


def _with_transformers(
    folder: Path, asked: dict[str, str | None], *, dtype: str, max_batch: int, threads: int | None
) -> Reasoner:
    from rlv.sampling.transformers_engine import TransformersEngine
    from rlv.scoring.readers import transformers_verifier

    asking = asking_of(folder, _tokenizer(folder), **asked)
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    model, tokenizer = load_model(folder, dtype)
    runs = TransformersEngine(model, tokenizer, max_batch=max_batch)

    def verifier() -> Verifier:
        return transformers_verifier(SCORES[asking.score], model, tokenizer, folder)

    return Reasoner(folder, asking, tokenizer, runs, shape_of(model), runs.positions, verifier)


def _with_vllm(
    folder: Path,
    asked: dict[str, str | None],
    *,
    dtype: str,
    max_batch: int,
    threads: int | None,
    tensor_parallel: int,
) -> Reasoner:
    import os

    from rlv.sampling.engines import open_vllm
    from rlv.scoring.readers import vllm_verifier

    require_complete(folder)
    asking: Asking = asking_of(folder, _tokenizer(folder), **asked)
    shape = shape_of_folder(folder)
    with ExitStack() as stack:
        opened = open_vllm(
            "vllm",
            folder,
            threads=threads or os.cpu_count() or 1,
            max_batch=max_batch,
            tensor_parallel=tensor_parallel,
            dtype=dtype,
        )
        runs, tokenizer = stack.enter_context(opened)

        def verifier() -> Verifier:
            return vllm_verifier(SCORES[asking.score], runs, tokenizer, shape)

        close: Callable[[], None] = stack.pop_all().close
        return Reasoner(folder, asking, tokenizer, runs, shape, runs.positions, verifier, close)


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    found = complaint(folder)
    if found is not None:
        raise ModelError(found)
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever a broken file can raise in a library that trusts it
        said = " ".join(str(error).split())[:500] or type(error).__name__
        raise ModelError(f"{folder}: its tokenizer cannot be read ({said}); save it again") from error


def _folder(model: str, revision: str | None) -> Path:
    """Where the model lies on this machine. Raises ModelError for what is none, and without a commit."""
    if revision is not None:
        return _fetched(model, revision)
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if _REPO.fullmatch(model):
        raise ModelError(
            f"{model}: no such folder; a model of the hub needs a commit, since names there move: revision "
            f"with 40 hexadecimal digits, one of {SITE}/{model}/commits/main, would do"
        )
    raise ModelError(
        f"{model[:200]}: no such folder; expected the folder of a Hugging Face model, or owner/name with a "
        "revision"
    )


def _fetched(repo: str, revision: str) -> Path:
    again = f"hf download {repo} --revision {revision}"
    local = "load the folder of a local copy"
    request = Asked("model", repo, revision, "load", "", ModelError, local, again)
    folder = hub.brought(request)
    entry = read_entry(folder)
    headed = entry is not None and entry.objective is not None and entry.instruction is None
    if headed and not (folder / hub.HEAD).exists():
        hub.fetch_head(request)
    return folder
