"""One published folder: its files against their digests, copying them, and getting it onto the disk.

The files of an artifact are regular ones. A link or a device below its folder is damage and is never
followed; the folder itself, or that of its stage, may be a link to another disk.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlv.errors import DamagedArtifactError, RlvError, StoreError
from rlv.outside.names import below, opened, regular
from rlv.store.artifacts import KEY_DIGITS
from rlv.store.manifests import MANIFEST, read_manifest, reading

_CHUNK = 1 << 20


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex. Raises StoreError if it is no regular file, but a device, say."""
    with regular(path, links=True) as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def is_published(folder: Path) -> bool:
    """Whether a folder has a manifest, a regular file. False also if the folder may not be entered, or is a
    link that leads to itself. Raises StoreError if a disk does not answer."""
    try:
        return stat.S_ISREG((folder / MANIFEST).lstat().st_mode)
    except OSError as error:
        if isinstance(error, PermissionError) or _leads_nowhere(error):
            return False
        raise StoreError(f"{folder}: cannot be read ({error.strerror}); run again when it can") from error


def _leads_nowhere(error: OSError) -> bool:
    """Whether there is no such file, or a file or a link to itself in the place of one of its folders."""
    return isinstance(error, FileNotFoundError | NotADirectoryError) or error.errno == errno.ELOOP


def no_folder(place: Path) -> str | None:
    """Why the thing in a place is no folder; None if it is one, or if nothing is there. Raises OSError."""
    try:
        found = place.lstat()
    except FileNotFoundError:
        return None
    if place.is_dir():
        return None
    return "is a link to no folder" if stat.S_ISLNK(found.st_mode) else "is no folder"


def place_fault(folder: Path) -> str | None:
    """Why the thing in an artifact's place is no artifact; None if it is one, or if nothing is there.

    An empty folder is nothing: Snakemake makes it for a job. A fault of the place of its stage is one of its
    own, too. Raises StoreError if it cannot be looked at.
    """
    with reading(folder):
        try:
            above = no_folder(folder.parent)
            fault = no_folder(folder) if above is None else f"lies in {folder.parent}, which {above}"
            if fault is not None or not os.path.lexists(folder):
                return fault
        except PermissionError:
            return "lies in a folder that may not be entered"
        except OSError as error:
            if not _leads_nowhere(error):
                raise
            return "lies below a file"
        try:
            kind = (folder / MANIFEST).lstat().st_mode
        except FileNotFoundError:
            kind = None
        except PermissionError:
            return "may not be entered"
        if kind is not None:
            return None if stat.S_ISREG(kind) else f"its {MANIFEST} is no regular file"
        try:
            return f"has no {MANIFEST}" if any(folder.iterdir()) else None
        except PermissionError:
            return "may not be read"


def folder_problems(
    folder: Path, key: str | None = None, *, place: Path | None = None, quick: bool = False
) -> list[str]:
    """The differences between a published folder and its manifest, one line each.

    `key`: the artifact's, if it is known; `place`: where the folder belongs, which has the stage and the
    beginning of the key. `quick` compares sizes and times and reads a file only if its time differs.
    Raises StoreError if something cannot be read.
    """
    fault = place_fault(folder)
    if fault is not None:
        return [f"{folder}: {fault}"]
    try:
        manifest = read_manifest(folder, key)
    except DamagedArtifactError as error:
        return [str(error)]
    stage, digits = manifest["spec"]["stage"], manifest["key"][:KEY_DIGITS]
    if place is not None and (stage != place.parent.name or not place.name.endswith(f"-{digits}")):
        return [f"{folder}: holds another artifact, of the stage {stage!r} with the key {digits}…"]
    files = manifest["files"]
    found = []
    for name, entry in files.items():
        path = below(folder, name, nested=True)
        try:
            if quick:
                with reading(path):
                    there = path.lstat()
                same = (there.st_size, there.st_mtime_ns) == (entry["bytes"], entry["mtime_ns"])
                if same and stat.S_ISREG(there.st_mode):
                    continue
            verify_file(folder, name, entry)
        except (FileNotFoundError, NotADirectoryError):
            found.append(f"{path}: missing")
        except DamagedArtifactError as error:
            found.append(str(error))
    if not quick:
        with reading(folder):
            unknown = {name for name, _ in files_of(folder)} - {*files, MANIFEST}
        found += [f"{folder}/{name}: not in the manifest" for name in sorted(unknown)]
    return found


def verify_file(folder: Path, name: str, entry: Mapping[str, Any]) -> None:
    """Raise DamagedArtifactError if a file is missing, is no regular one or differs from the manifest's
    entry, StoreError if it cannot be read."""
    path = below(folder, name, nested=True, error=DamagedArtifactError)
    try:
        with reading(path), opened(folder, name, error=DamagedArtifactError) as handle:
            size = os.fstat(handle.fileno()).st_size
            if size != entry["bytes"]:
                raise DamagedArtifactError(f"{path}: has {size} bytes, published with {entry['bytes']}")
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DamagedArtifactError(f"{path}: missing") from error
    if digest != entry["sha256"]:
        raise DamagedArtifactError(f"{path}: its content differs from what was published")


def copy_file(
    source: Path,
    name: str,
    target: Path,
    sha256: str,
    size: int | None = None,
    *,
    nested: bool = True,
    links: bool = False,
    error: type[RlvError] = DamagedArtifactError,
) -> Path:
    """Copy one file from a folder to another; it appears there only if it has this digest, and this size in
    bytes if one is given. Returns the copy.

    A file in its place is replaced. `nested`: the name may have folders in it. `links`: the source may be a
    link, as in a folder that the user names.
    Raises `error` if the name leads elsewhere or to where a file or a folder is already, the source is no
    regular file or its digest or size differs; OSError if it cannot be read or the copy cannot be written.
    """
    copy = below(target, name, nested=nested, error=error)
    try:
        return _copied(source, name, copy, sha256, size, links=links, error=error)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as found:
        raise error(f"{copy}: cannot be written ({found.strerror}): names of files meet here") from found
    except OSError as found:
        if found.errno != errno.ENAMETOOLONG:
            raise
        raise error(f"{copy}: cannot be written ({found.strerror}); a shorter folder would do") from found


def _copied(
    source: Path,
    name: str,
    copy: Path,
    sha256: str,
    size: int | None,
    *,
    links: bool,
    error: type[RlvError],
) -> Path:
    copy.parent.mkdir(parents=True, exist_ok=True)
    place = below(source, name, nested=True, error=error)
    draft = copy.with_name(f".{secrets.token_hex(8)}.partial")
    digest = hashlib.sha256()
    try:
        with (
            regular(place, links=True, error=error) if links else opened(source, name, error=error) as reads,
            open(draft, "xb") as writes,
        ):
            length = os.fstat(reads.fileno()).st_size
            if size not in (None, length):
                raise error(f"{place}: has {length} bytes, {size} were expected")
            while data := reads.read(_CHUNK):
                digest.update(data)
                writes.write(data)
        found = digest.hexdigest()
        if found != sha256:
            raise error(f"{place}: its content differs: SHA-256 {sha256} was expected, {found} found")
        draft.replace(copy)
    finally:
        draft.unlink(missing_ok=True)
    return copy


def files_of(folder: Path) -> list[tuple[str, os.stat_result]]:
    """Everything below a folder but folders, by relative path, sorted; of links, the links themselves."""
    found = [(str(path.relative_to(folder)), path.lstat()) for path in sorted(folder.rglob("*"))]
    return [(name, status) for name, status in found if not stat.S_ISDIR(status.st_mode)]


def described(draft: Path) -> dict[str, dict[str, Any]]:
    """The entries of a manifest for the files below a draft, by name.

    Raises StoreError for a name or a kind of file that no artifact may have.
    """
    entries = {}
    for name, status in files_of(draft):
        with opened(draft, name) as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        entries[name] = {"sha256": digest, "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
    return entries


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
