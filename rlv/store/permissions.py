"""Modes and groups of folders and files in a store that a group shares.

The store's own folder decides: if it is writable for its group, every folder made inside has its mode and its
group (setgid), whatever the umask, so that the next user can go on. Published files lose their write bits.
Nothing that belongs to another user is changed; a file system's default ACL works by itself.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rlv.errors import StoreError

_WRITE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def shared_by(root: Path) -> os.stat_result | None:
    """The status of the store's folder if its group may write to it, else None."""
    found = root.stat()
    return found if found.st_mode & stat.S_IWGRP else None


@contextmanager
def group_umask(root: Path) -> Iterator[None]:
    """Have files that the process makes within the block be as open as a shared store's folder."""
    found = shared_by(root)
    if found is None:
        yield
        return
    before = os.umask(~stat.S_IMODE(found.st_mode) & 0o777)
    try:
        yield
    finally:
        os.umask(before)


def make_folder(folder: Path, root: Path) -> None:
    """Make a folder inside a store, and those above it, with the mode and group that the store shares.

    Raises StoreError if one that is there already cannot be written, or something else is in its place.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise StoreError(f"{root}: is no folder, or lies below what is none; name another store") from error
    shared = shared_by(root)
    place = root
    for part in folder.relative_to(root).parts:
        place = place / part
        try:
            place.mkdir()
            fresh = True
        except FileExistsError:
            if not place.is_dir():
                found = "a link to no folder" if place.is_symlink() else "no folder"
                raise StoreError(f"{place}: is {found}; move it away, or mount what it leads to") from None
            fresh = False
        except PermissionError as error:
            raise StoreError(f"{place}: cannot be made ({error.strerror}); {_owner(place.parent)}") from error
        if shared is not None:
            _adopt(place, shared, fresh)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(f"{folder}: cannot be written; {_owner(folder)}")


def _adopt(folder: Path, shared: os.stat_result, fresh: bool) -> None:
    """Give a folder of ours the shared store's mode and group."""
    found = folder.stat()
    wanted = stat.S_IMODE(shared.st_mode) | stat.S_ISGID
    if not fresh and (found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & stat.S_IWGRP):
        return
    with suppress(PermissionError):
        if found.st_gid != shared.st_gid:
            os.chown(folder, -1, shared.st_gid)
        if stat.S_IMODE(folder.stat().st_mode) != wanted:
            folder.chmod(wanted)


def _owner(folder: Path) -> str:
    found = folder.stat()
    return (
        f"{folder} belongs to {user_name(found.st_uid)} with mode {stat.S_IMODE(found.st_mode):04o}; a store "
        "that a group shares needs `chmod g+rwxs` on it"
    )


def user_name(uid: int) -> str:
    """A user's name, or the number if the machine knows none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def seal(folder: Path, root: Path) -> None:
    """Take the write bits from everything in a folder that is about to be published.

    Every user who may read the store's folder may read what is inside.
    """
    shared, reading = shared_by(root), _reading(root)
    for path in [*folder.rglob("*"), folder]:
        if path.is_symlink():
            continue
        found = path.stat()
        if shared is not None and found.st_gid != shared.st_gid:
            with suppress(PermissionError):  # not a member of it: the file keeps its readers
                os.chown(path, -1, shared.st_gid)
        if path.is_dir():
            path.chmod(reading | reading >> 2 | found.st_mode & stat.S_ISGID)
            continue
        # A file with other names outside (a cache's) is not ours to open to more readers.
        linked = found.st_nlink > 1
        wanted = found.st_mode & ~_WRITE & 0o777 if linked else reading
        try:
            path.chmod(wanted)
        except PermissionError:
            _copy_in_place(path)
            path.chmod(reading)
            continue
        if linked and wanted & reading != reading:
            _copy_in_place(path)
            path.chmod(reading)


def _reading(root: Path) -> int:
    """The read bits of published files: the owner's, and those of the store's folder."""
    return stat.S_IRUSR | root.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)


def _copy_in_place(path: Path) -> None:
    """The same bytes as a file of our own."""
    beside = path.with_name(f".{path.name}.copy")
    shutil.copyfile(path, beside)
    beside.replace(path)


def remove_tree(folder: Path) -> bool:
    """Remove a folder that this user owns, sealed or not; returns whether it is gone."""
    with suppress(OSError):
        for place, names, _ in os.walk(folder):
            for path in (Path(place), *(Path(place) / name for name in names)):
                if not path.is_symlink() and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
                    path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def close(folder: Path, root: Path) -> None:
    """Give a folder that was published and moved the mode again that `seal` has given it."""
    with suppress(PermissionError):
        reading = _reading(root)
        folder.chmod(reading | reading >> 2 | folder.stat().st_mode & stat.S_ISGID)


def move(folder: Path, target: Path, root: Path) -> Path:
    """Rename a folder, sealed or not; returns its new place.

    A folder without write bits cannot change its parent, and only its owner can give it one: somebody else's
    goes to a hidden name beside its place instead, for which only the parent counts. One of ours that may
    not be entered may be afterwards. A file or a link in the place of a folder is moved as it is.
    """
    make_folder(target.parent, root)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode):
        with suppress(PermissionError):
            folder.chmod(stat.S_IMODE(found.st_mode) | stat.S_IRWXU)
    try:
        folder.rename(target)
        return target
    except PermissionError:
        beside = folder.with_name(f"{target.parts[len(root.parts)]}-{target.name}")
        folder.rename(beside)
        return beside
