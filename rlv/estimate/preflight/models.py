"""Start models before a run: packages that hold them, their weights, and where their tokenizers are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlv.errors import ModelError, RlvError
from rlv.estimate.jobs import start_model
from rlv.models import gguf, hub
from rlv.models.completeness import require_complete
from rlv.models.folders import read_config
from rlv.models.sources import at_hand
from rlv.plan import Plan
from rlv.plan.checks.models import read_sizes
from rlv.store import Artifact, Store


def packages(pending: list[Artifact]) -> Iterator[str]:
    """Complaints about models that lie in packages which are not installed here."""
    for artifact in pending:
        if "gguf" in artifact.params:
            try:
                _gguf_file(artifact)
            except RlvError as error:
                yield str(error)


def _gguf_file(model: Artifact) -> Path:
    p = model.params
    file = gguf.locate(str(p["package"]), str(p["gguf"]), str(model.how["key"]))
    gguf.need_readers()
    return file


def weights(store: Store, pending: list[Artifact]) -> Iterator[str]:
    """Complaints about start models whose files are at hand and are not those of their architecture."""
    used = (start_model(artifact) for artifact in pending)
    for model in {model.path: model for model in used if model is not None}.values():
        folder = at_hand(model, store)
        if folder is not None:
            try:
                require_complete(folder)
            except ModelError as error:
                yield f"models.{model.name}: {error}"


@dataclass(frozen=True)
class Words:
    """Where a model's tokenizer is read: a folder, or a GGUF file in it."""

    folder: Path
    file: str | None = None

    def read(self, reader: Any) -> Any:
        """Read it with a class of transformers that has `from_pretrained`."""
        more = {} if self.file is None else {"gguf_file": self.file}
        return reader.from_pretrained(self.folder, local_files_only=True, trust_remote_code=False, **more)


def words_of(model: Artifact, store: Store) -> Words | None:
    """Where a start model's tokenizer is; None if that is not known before the model is made.

    Raises ModelError if the hub does not give it.
    """
    folder, p = at_hand(model, store), model.params
    if folder is not None:
        return Words(folder)
    if "repo" in p:
        asked = {"key": str(model.how["key"]), "study": str(model.how["study"])}
        return Words(hub.fetch_words(str(p["repo"]), str(p["revision"]), **asked))
    if "gguf" in p:
        try:
            file = _gguf_file(model)
        except RlvError:
            return None  # a complaint of `packages`
        return Words(file.parent, file.name)
    return None


def positions(plan: Plan, name: str, words: Words) -> int | None:
    """A model's positions: of its own configuration, else of the study's, else of its GGUF file."""
    from transformers import AutoConfig

    sizes = read_config(words.folder) if words.file is None else None
    sizes = sizes or read_sizes(name, plan.study.models[name])
    if sizes is None and words.file is not None:
        sizes = words.read(AutoConfig).to_dict()
    sizes = sizes or {}
    found = (sizes.get("text_config") or sizes).get("max_position_embeddings")
    return found if isinstance(found, int) else None
