"""Models of the Hugging Face hub, at a pinned commit: fetched into its cache, read from there offline.

Only configuration, tokenizer, chat template and safetensors are ever fetched: no pickled weights, no code.
Left out on purpose: a cache of our own (HF_HOME names its folder, HF_HUB_OFFLINE and HF_TOKEN are obeyed),
branches and tags (they move; a study names a commit).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from rlv.errors import ModelError
from rlv.hub import Asked, check_address, check_blob, explained
from rlv.models.folders import complaint
from rlv.outside.names import below

FETCHED = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "*.model",
    "chat_template.jinja",
    "chat_template.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "LICENSE*",
)
WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
# A verification head (heads.py); only what reads one asks for it.
HEAD = Path("head") / "verification.safetensors"
# Copies of the same weights in other formats.
NOT_FETCHED = ("*/*", "consolidated*")


def cached(repo: str, revision: str) -> Path | None:
    """The snapshot in the cache of the hub; None if it is not there or not complete. No network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    check_address(repo, revision, ModelError)
    try:
        folder = Path(snapshot_download(repo, local_files_only=True, **_request(revision)))
    except LocalEntryNotFoundError:
        return None
    # Another program may have fetched only the configuration.
    return folder if complaint(folder) is None else None


def _request(revision: str, patterns: Iterable[str] = FETCHED) -> dict[str, Any]:
    return {"revision": revision, "allow_patterns": list(patterns), "ignore_patterns": list(NOT_FETCHED)}


def fetch(repo: str, revision: str, *, key: str, study: str = "STUDY") -> Path:
    """The snapshot, from the cache, else from the network. `key`: where the study names the model.

    Raises ModelError: no network and not in the cache; a gated or missing repository; a commit that does not
    exist; weights that are pickled only, or need code of their own.
    """
    return brought(asked(repo, revision, key=key, study=study))


def brought(request: Asked) -> Path:
    """The snapshot that a request asks for; errors as `fetch`."""
    from huggingface_hub import snapshot_download

    repo, revision, key = request.repo, request.revision, request.key
    found = cached(repo, revision)
    if found is not None:
        return found
    with explained(request):
        folder = Path(snapshot_download(repo, **_request(revision)))
    if not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"{key}: {repo} at {revision} has no *.safetensors: only pickled weights or none, and unpickling "
            f"a file runs whatever it says; pin a commit that has safetensors (`{key}.revision`; many models "
            f"have one among their pull requests), or convert it, and {request.local}"
        )
    found = complaint(folder)
    if found is not None:
        raise ModelError(f"{key}: {repo} at {revision}: {found}")
    return folder


def fetch_words(repo: str, revision: str, *, key: str, study: str = "STUDY") -> Path:
    """The folder of a commit with its configuration and tokenizer: all but the weights. Errors as `fetch`."""
    from huggingface_hub import snapshot_download

    check_address(repo, revision, ModelError)
    words = [pattern for pattern in FETCHED if pattern not in WEIGHTS]
    with explained(asked(repo, revision, key=key, study=study)):
        return Path(snapshot_download(repo, **_request(revision, words)))


def fetch_head(request: Asked) -> Path:
    """The folder of a commit with the head beside its weights, if it has one; errors as `fetch`."""
    from huggingface_hub import snapshot_download

    with explained(request):
        return Path(
            snapshot_download(request.repo, revision=request.revision, allow_patterns=[HEAD.as_posix()])
        )


def asked(repo: str, revision: str, *, key: str, study: str) -> Asked:
    """A request to the hub for a model, in words, for messages."""
    local = f"put a local copy's folder in `{key}.path` with `{key}.source: local`"
    return Asked("model", repo, revision, key, study, ModelError, local)


def place(snapshot: Path, out: Path) -> None:
    """The snapshot's files in `out`: hard links if the file system allows them, else copies.

    Raises ModelError if one differs from what the hub published.
    """
    for entry in sorted(snapshot.iterdir()):
        if not entry.is_file() or not _wanted(entry.name):
            continue
        blob = check_blob(entry, ModelError)
        file = below(out, entry.name, error=ModelError)
        try:
            os.link(blob, file)
        except OSError:  # another file system, or another owner
            shutil.copyfile(blob, file)


def _wanted(name: str) -> bool:
    return any(fnmatch(name, p) for p in FETCHED) and not any(fnmatch(name, p) for p in NOT_FETCHED)
