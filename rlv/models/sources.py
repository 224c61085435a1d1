"""The parameters of a model's artifact, which decide its bytes, by source; known before anything is fetched.

package, local: digests of the files. hub: repository and commit. gguf: version of the package, the file in
it, and the recipe of its conversion. `at_hand` finds the files that are on this machine already, for
estimates and preflight.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlv.errors import StudyError
from rlv.models import gguf
from rlv.models.folders import KINDS, complaint
from rlv.outside.names import below
from rlv.store import MANIFEST, Artifact, Store
from rlv.store.digests import digest_of
from rlv.study.paths import expand

if TYPE_CHECKING:
    from rlv.study.types import Model

# Beside weights, and no part of a model: how a shipped base was made, and the manifest that comes along if a
# checkpoint is copied out of a store.
NOT_COPIED = ("recipe.json", MANIFEST)


def model_spec(name: str, model: Model, study: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(params, how) of a model's artifact. Raises StudyError if a folder of the user's is missing."""
    key = f"models.{name}"
    how: dict[str, Any] = {"key": key, "study": study}
    if model.source == "hub":
        return {"repo": model.repo, "revision": model.revision}, how
    if model.source == "gguf":
        # A version's files never change on the package index, as a commit's do not on the hub.
        return {"package": model.package, "gguf": model.path, "conversion": gguf.CONVERSION}, how
    folder = model_folder(name, model)
    return {"files": _digests(key, folder)}, {**how, "folder": str(folder)}


def model_folder(name: str, model: Model) -> Path:
    """Where a start model lies: shipped with this package, or a folder of the user's."""
    if model.source == "package":
        return below(Path(str(resources.files("rlv"))), model.path, nested=True, error=StudyError)
    return expand(str(model.path), f"models.{name}.path")


def _digests(key: str, folder: Path) -> dict[str, str]:
    found = complaint(folder)
    if found is not None:
        raise StudyError(f"{key}.path: {found}")
    files = [p for p in sorted(folder.glob("*")) if p.suffix in KINDS and p.name not in NOT_COPIED]
    return {p.name: digest_of(p) for p in files}


def tokenizer_files(folder: Path) -> list[Path]:
    """The files of a folder that a tokenizer may be read from."""
    return [
        p
        for p in sorted(folder.glob("*"))
        if p.suffix in KINDS and p.suffix != ".safetensors" and p.is_file()
    ]


def at_hand(artifact: Artifact, store: Store | None) -> Path | None:
    """A folder with a start model's configuration, tokenizer and weights, if this machine has one already.

    `artifact` is the model's (stage `model` or `pretrain`); the store is asked first. A GGUF file that was
    not converted yet is no such folder.
    """
    if store is not None and store.exists(artifact):
        return store.location(artifact)
    if "folder" in artifact.how:
        return Path(str(artifact.how["folder"]))
    if "repo" in artifact.params:
        # Only the cache's folder is asked for, without the library: this is called while planning.
        return _snapshot(str(artifact.params["repo"]), str(artifact.params["revision"]))
    return None


def _snapshot(repo: str, revision: str) -> Path | None:
    from huggingface_hub import constants

    place = below(Path(constants.HF_HUB_CACHE), f"models--{repo.replace('/', '--')}")
    folder = below(place / "snapshots", revision)
    return folder if folder.is_dir() and complaint(folder) is None else None
