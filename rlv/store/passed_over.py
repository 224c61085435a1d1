"""Damaged artifacts of upstreams, which stay as they are: a store remembers them and makes its own instead.

<store>/.passed-over/<stage>/<name>-<12 hex>.json       JSON: the upstream's folder, when it was published
"""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from pathlib import Path

from rlv.errors import StoreError
from rlv.store.manifests import MANIFEST
from rlv.store.permissions import make_folder


class PassedOver:
    """The folders of upstreams that were found damaged, and have not been published anew since."""

    def __init__(self, root: Path) -> None:
        """`root`: the folder of the store that remembers them."""
        self.root = root
        # A user who may only read the store cannot write them down.
        self._by_this_process: set[Path] = set()

    def add(self, folder: Path) -> None:
        """Pass over a folder from now on."""
        self._by_this_process.add(folder)
        note = self._note(folder)
        with suppress(OSError, StoreError):
            make_folder(note.parent, self.root)
            whole = note.with_name(f".{note.name}-{secrets.token_hex(4)}")
            whole.write_text(json.dumps({"folder": str(folder), "published": _published_at(folder)}) + "\n")
            whole.replace(note)

    def __contains__(self, folder: Path) -> bool:
        if folder in self._by_this_process:
            return True
        try:
            noted = json.loads(self._note(folder).read_text())
            return noted["folder"] == str(folder) and noted["published"] == _published_at(folder)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return False

    def _note(self, folder: Path) -> Path:
        return self.root / ".passed-over" / folder.parent.name / f"{folder.name}.json"


def _published_at(folder: Path) -> int:
    return (folder / MANIFEST).stat().st_mtime_ns
