"""Receipts: small files that stand for published artifacts, as inputs and outputs of Snakemake's rules.

    <results>/receipts/<8 hex of the store's path>/<stage>/<name>-<12 hex>

Snakemake touches, compares and removes the outputs of its jobs. Published artifacts are read-only, may belong
to another user and lie on a server with a clock of its own, so they are no outputs: receipts are. `rlv make`
writes one as soon as its artifact is published (`write`), and before Snakemake plans, all of them are brought
in line with the store (`settle`). If a receipt is lost, Snakemake asks `rlv make` again, which finds the
artifact and returns at once.

Each store has receipts of its own: runs on different stores can share a checkout.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from rlv.errors import StoreError
from rlv.store import MANIFEST, Artifact, Store
from rlv.store.folders import is_published


class Receipts:
    """The receipts of one store below a configuration's folder `results`."""

    def __init__(self, results: Path, store: Store) -> None:
        self.store = store
        # The path as it is written: machines of a cluster may resolve links in it differently.
        self.folder = results / "receipts" / hashlib.sha256(os.fsencode(store.root)).hexdigest()[:8]

    def path(self, artifact: Artifact) -> Path:
        """Where the receipt of an artifact lies, or will lie."""
        return self.folder / artifact.path

    def pattern(self, stage: str) -> str:
        """The receipts of a stage, as the output of its rule."""
        return str(self.folder / stage / "{artifact}")

    def settle(self, artifacts: Iterable[Artifact]) -> None:
        """Write the receipts of what is published; remove those of what is not.

        A receipt that is right keeps its time. One that another run writes meanwhile is not removed: only
        those are that were there before the store was looked at. Raises StoreError as `write`.
        """
        there = set(self.folder.glob("*/*"))
        for artifact in artifacts:
            path, text = self.path(artifact), _text(artifact, self.store)
            if text is None and path in there:
                path.unlink(missing_ok=True)
            elif text is not None and not (path in there and _read(path) == text):
                _write(path, text)


def write(path: Path, artifact: Artifact, store: Store) -> None:
    """Write the receipt of an artifact. Raises StoreError if it is not published or cannot be written."""
    text = _text(artifact, store)
    if text is None:
        raise StoreError(f"{artifact.path}: not published, so it gets no receipt; run the workflow again")
    _write(path, text)


def _text(artifact: Artifact, store: Store) -> str | None:
    """What a receipt states; None: the artifact is not published.

    It changes when the artifact is published anew, so that what was copied from the old one is copied again.
    """
    folder = store.location(artifact)
    if not is_published(folder):
        return None
    said = {"key": artifact.key, "store": str(folder.parents[1].absolute())}
    try:
        return json.dumps({**said, "published_ns": (folder / MANIFEST).lstat().st_mtime_ns}) + "\n"
    except FileNotFoundError:  # set aside by another process just now
        return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return None


def _write(path: Path, text: str) -> None:
    whole = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            whole.write_text(text)
            whole.replace(path)
        finally:
            whole.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path}: a receipt cannot be written ({error.strerror}); make room for it, or name another "
            "folder (results in config/config.yaml)"
        ) from error
