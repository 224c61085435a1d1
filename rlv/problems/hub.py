"""Rows of a data set on the Hugging Face hub, at a pinned commit.

Two steps. `huggingface_hub` fetches the files of the commit into its cache, or finds them there without a
network; `datasets` reads them from that folder. Asked for a repository by name, `datasets` itself would go on
offline with whatever commit its own cache had last, and only warn: a key that names a commit must not hold
another one's problems.

Left out on purpose: branches and tags (they move), data sets that are code (`datasets` runs none any more),
and fetching only one subset of a repository.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from rlv.errors import DataError
from rlv.hub import Asked, check_address, check_blob, explained
from rlv.outside.names import fault_of

if TYPE_CHECKING:
    from rlv.study.types import Dataset

# Where a card names files, in each of its `configs`.
_PARTS = ("data_files", "data_dir")
# What `datasets` reads, and the card that assigns files to subsets. No archives, weights or code.
FETCHED = tuple(
    f"*.{kind}" for kind in ("parquet", "json", "jsonl", "csv", "tsv", "arrow", "gz", "zst", "md")
)


def fetch_dataset(name: str, dataset: Dataset, study: str = "STUDY") -> Path | None:
    """Fetch what a study's data set needs into the cache of the hub, or find it there.

    Returns the folder of the commit; None for a data set of another source. Raises DataError as `snapshot`.
    """
    from rlv.problems.sources import SOURCES

    source = SOURCES.get(dataset.source)
    repo = dataset.repo or (None if source is None else source.repo)
    if dataset.path is not None or repo is None or dataset.revision is None:
        return None
    return snapshot(repo, dataset.revision, key=f"datasets.{name}", study=study)


def snapshot(repo: str, revision: str, *, key: str, study: str = "STUDY") -> Path:
    """The folder of a repository's data files at a commit: from the cache, else from the network.

    `key`: the data set's path in the study. Raises DataError, with a remedy: not in the cache and no
    network; a gated set without access; no such repository or commit; a file that was damaged.
    """
    from huggingface_hub import snapshot_download

    folder = cached(repo, revision)
    if folder is None:
        with explained(asked(repo, revision, key=key, study=study)):
            folder = Path(snapshot_download(repo, **_request(revision)))
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            check_blob(path, DataError)
    return folder


def asked(repo: str, revision: str, *, key: str, study: str) -> Asked:
    """A request to the hub for a data set, in words, for messages."""
    local = f"put a local copy (JSON Lines or Parquet) in `{key}.path`"
    return Asked("data set", repo, revision, key, study, DataError, local)


def cached(repo: str, revision: str) -> Path | None:
    """The folder of a commit in the cache of the hub; None if it is not there or not whole. No network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    check_address(repo, revision, DataError)
    try:
        return Path(snapshot_download(repo, local_files_only=True, **_request(revision)))
    except LocalEntryNotFoundError:
        return None


def _request(revision: str) -> dict[str, Any]:
    return {"repo_type": "dataset", "revision": revision, "allow_patterns": list(FETCHED)}


def hub_rows(
    folder: Path, repo: str, subsets: Sequence[str | None], splits: Sequence[str], *, key: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, row) of all rows of these splits of these subsets, subsets outermost; None: the only subset.

    Raises DataError, with the names that there are, for a subset or split that the folder does not have, and
    for files that `datasets` cannot read.
    """
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    _refuse_card(folder, repo, key)
    for subset in subsets:
        for split in splits:
            with tempfile.TemporaryDirectory(prefix="rlv-datasets-") as scratch:
                try:
                    table = load_dataset(
                        str(folder), subset, split=split, cache_dir=scratch, keep_in_memory=True
                    )
                except (DatasetsError, OSError, ValueError, RuntimeError) as error:
                    raise DataError(_unreadable(repo, subset, split, key, error)) from error
                place = " ".join([repo, *([subset] if subset else []), split])
                for number, row in enumerate(table, start=1):
                    yield f"{place} row {number}", dict(row)


def _refuse_card(folder: Path, repo: str, key: str) -> None:
    """Raises DataError if the card of a repository names files that are not the repository's.

    `datasets` reads any file of this machine, or of the network, that a card names.
    """
    from huggingface_hub import metadata_load

    card = folder / "README.md"
    if not card.is_file():
        return
    try:
        configs = (metadata_load(card) or {}).get("configs") or []
        named = [name for entry in configs for part in _PARTS for name in _texts(entry.get(part))]
    except (OSError, ValueError, AttributeError, TypeError, RecursionError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise DataError(f"{key}: {repo}: README.md: its metadata cannot be read: {said}") from error
    for name in named:
        plain = name if name.startswith("/") else name.removeprefix("./").removesuffix("/")
        why = None if plain in ("", ".") else fault_of(plain, nested=True)
        if why is not None:
            raise DataError(
                f"{key}: {repo}: README.md: names {name[:100]!r}, which is outside of the repository (it "
                f"{why})"
            )


def _texts(value: Any) -> Iterator[str]:
    """All texts in a value of YAML."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _unreadable(repo: str, subset: str | None, split: str, key: str, error: Exception) -> str:
    said = " ".join(str(error).split())
    if "BuilderConfig" in said:
        return f"{key}.subset: {repo} has no subset {subset!r} ({said})"
    if "Config name is missing" in said:
        return f"{key}.subset: which subset of {repo}? ({said})"
    if "split" in said.lower() and isinstance(error, ValueError):
        return f"{key}.split: {repo} has no split {split!r} ({said})"
    return f"{key}: the files of {repo} cannot be read: {said}"
