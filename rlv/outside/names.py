"""Names that come from outside, as paths: the only place where such a name is joined to a folder.

A manifest, a crate, an archive, an index of weights, an upstream, a hub or a parameter may name any file of
this machine. `below` joins a name only if it stays below its folder, `opened` opens only regular files and
follows no link below that folder. Content is another question: store/folders.py compares digests.
"""

from __future__ import annotations

import stat
from io import BufferedReader
from pathlib import Path

from rlv.errors import RlvError, StoreError
from rlv.outside.files import NotRegularError, kind_of, open_regular

# Bytes of one part of a path. File systems allow 255; drafts and marks add up to 100 of their own.
LONGEST = 150
# Bytes of a whole name, and parts of it. Systems allow paths of 4096 bytes; the folder has its share of them.
LONGEST_NAME = 1000
MOST_PARTS = 32


def fault_of(name: object, *, nested: bool = False) -> str | None:
    """Why a name cannot be that of a file below a folder; None if it can.

    `nested`: it may have folders in it, separated by `/`, as manifests write them.
    """
    if not isinstance(name, str):
        return f"is {type(name).__name__}, no text"
    if len(name) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} bytes"
    parts = name.split("/")
    if len(parts) > 1 and not nested:
        return "has a separator"
    if "" in parts:
        return "is empty" if not name else "is absolute" if not parts[0] else "has an empty part"
    if "." in parts or ".." in parts:
        return "leads to another folder"
    if not name.isprintable():
        return "has control characters"
    if "\\" in name:
        return "has a backslash"
    if len(parts) > MOST_PARTS:
        return f"has more than {MOST_PARTS} parts"
    if len(name.encode()) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} bytes"
    if max(len(part.encode()) for part in parts) > LONGEST:
        return f"is longer than {LONGEST} bytes"
    return None


def below(folder: Path, name: object, *, nested: bool = False, error: type[RlvError] = StoreError) -> Path:
    """The path of a name from outside below a folder. Touches no file.

    `nested`: the name may have folders in it. Raises `error` if the path would not stay below the folder, or
    no file system has such a name.
    """
    fault = fault_of(name, nested=nested)
    if fault is not None:
        raise error(f"{folder}: {_brief(name)} {fault}; a name from outside must stay below this folder")
    assert isinstance(name, str)
    return folder / name


def opened(folder: Path, name: object, *, error: type[RlvError] = StoreError) -> BufferedReader:
    """A file below a folder, open for reading: a regular one, and no link on the way below the folder.

    Raises `error` for every other kind of file, and OSError as `open` does.
    """
    path = below(folder, name, nested=True, error=error)
    place = folder
    for part in path.relative_to(folder).parts[:-1]:
        place = below(place, part)
        if not stat.S_ISDIR(place.lstat().st_mode):
            raise error(f"{place}: is {kind_of(place.lstat().st_mode)}, no folder")
    return regular(path, error=error)


def regular(path: Path, *, links: bool = False, error: type[RlvError] = StoreError) -> BufferedReader:
    """A regular file, open for reading; `links`: whether it may be a link, as a file that the user names.

    Never waits, as opening a pipe would. Raises `error` for every other kind of file, OSError as `open` does.
    """
    try:
        return open_regular(path, links=links)
    except NotRegularError as found:
        raise error(f"{path}: is {found.kind}, no regular file") from found


def _brief(name: object) -> str:
    """A name for a message, quoted and no longer than a line."""
    text = repr(name)
    return text if len(text) <= 100 else f"{text[:60]}… ({len(text)} characters)"
