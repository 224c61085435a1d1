"""Digests of external files, remembered: weights of many gigabytes are read once, not at every planning.

A digest is remembered by a file's path, inode, size and time of change, under the user's cache folder; a
stage that uses the bytes compares them with it again. Small files are always read. Entries, a line of text
each, stay.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

from rlv.store.folders import file_digest

# Below this a file is read faster than a memory of it is worth.
REMEMBERED_BYTES = 64 * 2**20


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    stat = path.stat()
    return _digest(path.resolve(), stat.st_ino, stat.st_size, stat.st_mtime_ns)


def content_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, or of the names and bytes of all files below a folder, as hex."""
    if not path.is_dir():
        return digest_of(path)
    found = [[str(f.relative_to(path)), digest_of(f)] for f in sorted(path.rglob("*")) if f.is_file()]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


@cache
def _digest(path: Path, inode: int, size: int, mtime_ns: int) -> str:
    if size < REMEMBERED_BYTES:
        return file_digest(path)
    identity = [str(path), inode, size, mtime_ns]
    note = _folder() / f"{hashlib.sha256(json.dumps(identity).encode()).hexdigest()}.json"
    with suppress(OSError, ValueError, TypeError, KeyError):
        noted = json.loads(note.read_text())
        if noted["file"] == identity:
            return str(noted["sha256"])
    digest = file_digest(path)
    # A home folder that cannot be written is no reason to fail.
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        draft = note.with_name(f"{note.name}.{os.getpid()}")
        draft.write_text(json.dumps({"file": identity, "sha256": digest}))
        draft.replace(note)
    return digest


def _folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "rlv" / "digests"
