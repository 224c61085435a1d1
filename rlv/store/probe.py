"""Trying whether a file system keeps the rules that a store relies on, in a folder of its own.

Leases rely on a link that fails if the name is taken, publishing on a rename of a folder that replaces
an empty one and refuses a full one, heartbeats on times that can be set and seen. Some network and
user-space file systems do not keep them, which would show only when two people compute the same thing. Faults
that only two machines could see are not found (a server that breaks its promises to one of its clients).
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

from rlv.errors import StoreError
from rlv.store.permissions import make_folder, remove_tree


def require_rules(root: Path, stages: Iterable[str] = ()) -> None:
    """Make a store's folder and those of its stages, if there are none, and try the rules in it.

    Raises StoreError with the first reason why it cannot be a store.
    """
    try:
        for name in (".work", *stages):
            make_folder(root / name, root)
        place = root / f".probe-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        make_folder(place, root)
    except OSError as error:
        raise StoreError(f"{root}: cannot be written ({error.strerror}); name another folder") from error
    try:
        for rule in _RULES:
            try:
                fault = rule(place)
            except OSError as error:
                fault = f"{(rule.__doc__ or '').rstrip('.')}: {error.strerror}"
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise StoreError(f"{root}: no space left") from error
            if fault:
                raise StoreError(
                    f"{root}: its file system cannot hold a store: {fault}; use a local disk, NFS (version "
                    "3 or newer), Lustre, GPFS or BeeGFS"
                )
    finally:
        remove_tree(place)


def _new_files_are_new(place: Path) -> str | None:
    """making a file only where there is none"""
    path = place / "exclusive"
    for attempt in (1, 2):
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return None if attempt == 2 else "a new file was said to be there already (O_EXCL)"
    return "a file could be made twice (O_EXCL)"


def _links_are_exclusive(place: Path) -> str | None:
    """hard links"""
    for name in ("one", "two"):
        (place / name).write_text(name)
    os.link(place / "one", place / "lease")
    try:
        os.link(place / "two", place / "lease")
    except FileExistsError:
        return None if (place / "lease").read_text() == "one" else "a link that failed replaced a file"
    return "a hard link could be made where another file was"


def _full_folders_stay(place: Path) -> str | None:
    """renaming folders"""
    for name in ("draft", "published"):
        (place / name).mkdir()
        (place / name / "manifest").write_text(name)
    try:
        (place / "draft").rename(place / "published")
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        kept = [(place / name / "manifest").read_text() for name in ("draft", "published")]
        return None if kept == ["draft", "published"] else "a rename that failed changed a folder"
    return "a folder with files in it could be replaced by renaming another onto it"


def _empty_folders_go(place: Path) -> str | None:
    """renaming a folder onto an empty one"""
    (place / "empty").mkdir()
    (place / "whole").mkdir()
    (place / "whole" / "manifest").write_text("whole")
    (place / "whole").rename(place / "empty")
    names = [path.name for path in place.iterdir()]
    if "whole" in names or "empty" not in names or (place / "empty" / "manifest").read_text() != "whole":
        return "a renamed folder was not seen at its new name at once"
    return None


def _times_move(place: Path) -> str | None:
    """setting a file's time"""
    path = place / "beat"
    path.write_text("")
    before = path.stat().st_mtime_ns
    os.utime(path, ns=(before + 5 * 10**9, before + 5 * 10**9))
    return None if path.stat().st_mtime_ns != before else "the time of a file that was touched did not change"


def _bytes_arrive(place: Path) -> str | None:
    """writing a file and waiting for the disk"""
    data = os.urandom(1 << 16)
    with open(place / "bytes", "wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    return None if (place / "bytes").read_bytes() == data else "a file did not keep what was written to it"


_RULES: tuple[Callable[[Path], str | None], ...] = (
    _bytes_arrive,
    _new_files_are_new,
    _links_are_exclusive,
    _full_folders_stay,
    _empty_folders_go,
    _times_move,
)
