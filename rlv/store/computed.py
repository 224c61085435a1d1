"""The log of a store, `<store>/.log/computed.jsonl`: one line each time that an artifact was computed.

Results that came second, and were dropped, are in it, too (`"won": false`): leases prevent them, and here it
would show if they did not. Copies and imports are not, nor are attempts that failed (logs of the stages).
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rlv.store.permissions import make_folder

LOG = Path(".log") / "computed.jsonl"


def log_computed(root: Path, line: Mapping[str, Any]) -> None:
    """Append one line. Raises OSError or StoreError if that cannot be done."""
    path = root / LOG
    make_folder(path.parent, root)
    text = json.dumps(line, sort_keys=True) + "\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        # Appending is one act on one machine; among several it needs a lock, if there are locks.
        with suppress(OSError):
            fcntl.lockf(handle, fcntl.LOCK_EX)
        os.write(handle, text.encode())
    finally:
        os.close(handle)  # lets the lock go


def computed(root: Path) -> list[dict[str, Any]]:
    """All lines of a store's log, oldest first, but for those that are cut off or of another form."""
    found = []
    with suppress(FileNotFoundError), open(root / LOG, errors="replace") as handle:
        for line in handle:
            with suppress(ValueError, RecursionError):
                entry = json.loads(line)
                if _is_line(entry):
                    found.append(entry)
    return found


def _is_line(entry: object) -> bool:
    """Whether a line, which everybody of a group may append, has the form that `log_computed` writes."""
    return (
        isinstance(entry, dict)
        and all(isinstance(entry.get(name), str) for name in ("path", "user", "host"))
        and isinstance(entry.get("seconds"), int | float)
    )
