"""A trained reasoner as a folder of its own: the checkpoint, verified file by file, and its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlv.cards.card import card
from rlv.errors import StoreError, StudyError
from rlv.models.verification import KEY, Entry, read_entry
from rlv.outside.files import parse_json, read_text
from rlv.plan import Plan
from rlv.run.stages import STAGES, leaves
from rlv.store import Artifact, Store, copy_file
from rlv.training.explained import entry_of
from rlv.training.run import Run

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CARD = "README.md"
# Parameters of a training that its entry is made from.
_EXPLAINED = ("prompt_style", "system_prompt", "answer_format")


def trained_of(plan: Plan, reasoner: str) -> Artifact:
    """The training of a reasoner. Raises StudyError for one that the study lacks, or does not train."""
    trained = {a.name: a for a in plan.artifacts.values() if leaves(a, "steps")}
    if reasoner in trained:
        return trained[reasoner]
    if reasoner in plan.study.reasoners:
        raise StudyError(
            f"reasoner {reasoner!r} of study {plan.study.name} is its start model, which was not trained; "
            f"trained are {', '.join(trained) or 'none'}"
        )
    raise StudyError(
        f"study {plan.study.name}: no reasoner {reasoner!r}; trained are {', '.join(trained) or 'none'}"
    )


def export(reasoner: str, plan: Plan, store: Store, into: Path, repo: str | None = None) -> list[str]:
    """Copy the checkpoint of a reasoner to a folder, with a card; returns the names of its files.

    A checkpoint of before has no entry `verification`: its copy gets one. The folder may be there from an
    earlier export, and gets a new card. `repo`: the name on the hub that the card speaks of. Raises
    StudyError as `trained_of`, StoreError for a checkpoint that is not published, or if the folder holds
    anything else, DamagedArtifactError for files that differ from their digests.
    """
    from transformers import AutoTokenizer

    trained = trained_of(plan, reasoner)
    folder = store.open_all(trained)
    left = {f"{table}.parquet" for table in STAGES[trained.stage].leaves(trained)}
    files = {name: entry for name, entry in store.manifest(trained)["files"].items() if name not in left}
    _require_own(into, {*files, CARD})
    for name, entry in files.items():
        copy_file(folder, name, into, entry["sha256"], entry["bytes"])
    tokenizer: Any = AutoTokenizer.from_pretrained(into, local_files_only=True, trust_remote_code=False)
    entry = read_entry(into) or _explain(into, trained, tokenizer)
    template = tokenizer.chat_template if isinstance(tokenizer.chat_template, str) else None
    (into / CARD).write_text(card(trained, plan, store, entry, template, repo), encoding="utf-8")
    return [*files, CARD]


def _explain(into: Path, trained: Artifact, tokenizer: PreTrainedTokenizerBase) -> Entry:
    """Write the entry that a checkpoint lacks into its copy."""
    known = {name: value for name, value in trained.params.items() if name in _EXPLAINED}
    verified = {n: v for n, v in trained.params.items() if n.startswith("verification_")}
    entry = entry_of(Run.of(**known, **verified), tokenizer)
    path = into / "config.json"
    config = parse_json(read_text(path))
    path.write_text(json.dumps({**config, KEY: entry.as_json()}, indent=2) + "\n", encoding="utf-8")
    return entry


def _require_own(into: Path, names: set[str]) -> None:
    """Raises StoreError for a folder with files that no export has left there."""
    if into.is_file():
        raise StoreError(f"{into}: a file; name a folder")
    for path in sorted(into.rglob("*")) if into.is_dir() else ():
        name = path.relative_to(into).as_posix()
        if name not in names and not (path.is_dir() and any(n.startswith(f"{name}/") for n in names)):
            raise StoreError(f"{into}: has {name!r}, which is no part of this export; name a new folder")
