"""What was computed: `<store>/.log/computed.jsonl`, one line each time that an artifact was computed.

Results that came second, and were dropped, are in it too (`"won": false`): leases are there so that there are
none, and this is where it would show. Copies and imports are not. Left out on purpose: attempts that failed
(logs of the stages), and what was published before the store kept this log.
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
    """Append one line. Raises OSError, StoreError where that cannot be done."""
    path = root / LOG
    make_folder(path.parent, root)
    text = json.dumps(line, sort_keys=True) + "\n"
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        # Appending is one act on one machine; among several it needs a lock, where there are locks.
        with suppress(OSError):
            fcntl.lockf(handle, fcntl.LOCK_EX)
        os.write(handle, text.encode())
    finally:
        os.close(handle)  # lets the lock go


def computed(root: Path) -> list[dict[str, Any]]:
    """All lines of a store's log, oldest first; what is cut off or of another form is left out."""
    found = []
    with suppress(FileNotFoundError), open(root / LOG, errors="replace") as handle:
        for line in handle:
            with suppress(ValueError, RecursionError):
                said = json.loads(line)
                if _is_line(said):
                    found.append(said)
    return found


def _is_line(said: object) -> bool:
    """Whether something that everybody of a group may append is what `log_computed` writes."""
    return (
        isinstance(said, dict)
        and all(isinstance(said.get(name), str) for name in ("path", "user", "host"))
        and isinstance(said.get("seconds"), int | float)
    )
