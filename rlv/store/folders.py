"""One published folder: its manifest, its files against their digests, and getting it onto the disk.

Left out on purpose: where folders lie and who may write them (store.py, permissions.py).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rlv.errors import DamagedArtifactError, StoreError
from rlv.outside import parse_json
from rlv.store.artifacts import key_of

MANIFEST = "manifest.json"
# Seconds that a job may have taken: thirty years.
_LONGEST = 1e9


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What keeps a sound file from being read (a disk that does not answer, too many open files, no right to
    it) is no damage, for which an artifact would be set aside: StoreError."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be read ({error.strerror}); no damage, so it stays: run again when it can"
        ) from error


def read_manifest(folder: Path, key: str | None = None) -> dict[str, Any]:
    """A folder's manifest. Raises DamagedArtifactError where it is not there, no manifest or another key's,
    StoreError where it cannot be read."""
    path = folder / MANIFEST
    try:
        with _reading(path):
            manifest = parse_json(path.read_bytes())
        found = manifest["key"]
        _ = manifest["spec"]
        for entry in manifest["files"].values():
            _require_time(entry["mtime_ns"])
        if not 0 <= manifest.get("seconds", 0) < _LONGEST:
            raise ValueError(f"found {manifest['seconds']!r} seconds of computing")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedArtifactError(f"{path}: not a readable manifest ({error})") from error
    if key_of(manifest["spec"]) != found or key not in (None, found):
        raise DamagedArtifactError(f"{path}: the manifest's spec does not belong to its key")
    return manifest


def _require_time(nanoseconds: Any) -> None:
    """Raises ValueError for a time that no file can have."""
    if not isinstance(nanoseconds, int) or not -(2**63) <= nanoseconds < 2**63:
        raise ValueError(f"found {nanoseconds!r} ns as a file's time, expected 64 bits")


def folder_problems(folder: Path, key: str | None = None, *, quick: bool = False) -> list[str]:
    """What differs between a published folder and its manifest, one line each.

    `quick` compares sizes and times and reads a file only where its time differs. Raises StoreError where
    something cannot be read.
    """
    try:
        files = read_manifest(folder, key)["files"]
    except DamagedArtifactError as error:
        return [str(error)]
    found = []
    for name, entry in files.items():
        try:
            if quick:
                with _reading(folder / name):
                    stat = (folder / name).stat()
                if (stat.st_size, stat.st_mtime_ns) == (entry["bytes"], entry["mtime_ns"]):
                    continue
            verify_file(folder, name, entry)
        except (FileNotFoundError, NotADirectoryError):
            found.append(f"{folder / name}: missing")
        except DamagedArtifactError as error:
            found.append(str(error))
    if not quick:
        unknown = {name for name, _ in files_of(folder)} - {*files, MANIFEST}
        found += [f"{folder / name}: not in the manifest" for name in sorted(unknown)]
    return found


def verify_file(folder: Path, name: str, entry: Mapping[str, Any]) -> None:
    """Raises DamagedArtifactError where a file is missing or differs from the manifest's entry, StoreError
    where it cannot be read."""
    path = folder / name
    with _reading(path):
        if not path.is_file():
            raise DamagedArtifactError(f"{path}: missing")
        size = path.stat().st_size
        if size != entry["bytes"]:
            raise DamagedArtifactError(f"{path}: has {size} bytes, published with {entry['bytes']}")
        if file_digest(path) != entry["sha256"]:
            raise DamagedArtifactError(f"{path}: its content differs from what was published")


def files_of(folder: Path) -> list[tuple[str, os.stat_result]]:
    """All files below a folder, by relative path, sorted."""
    return [
        (str(path.relative_to(folder)), path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()
    ]


def sync(path: Path) -> None:
    """Wait until a file or folder is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Bytes first, then the folders that name them: a rename must never outlive its content."""
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)
