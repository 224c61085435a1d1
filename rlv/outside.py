"""Files from outside of this project, read as the hostile things that they may be.

A name may lead to a device that never ends or a pipe that nobody writes to, a text may be in another
encoding, and JSON may be nested deeper than its parser. Each is an OSError or a ValueError here, at once.
Links are followed: the cache of the hub is made of them.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

# No text that people or hubs write comes near it: configurations, indices of weights, studies.
LARGEST_TEXT = 64 * 2**20


def open_regular(path: Path) -> BinaryIO:
    """The file for reading, in bytes. Raises OSError where it cannot be opened or is no regular file."""
    # Without O_NONBLOCK, opening a pipe waits until somebody writes to it.
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        kind = os.fstat(number).st_mode
        if not stat.S_ISREG(kind):
            raise OSError(errno.EINVAL, f"expected a regular file, found {_kind(kind)}", str(path))
        return open(number, "rb")
    except BaseException:
        os.close(number)
        raise


def read_text(path: Path, largest: int = LARGEST_TEXT) -> str:
    """The file's text, in UTF-8. Raises OSError as `open_regular` does; ValueError where it has more than
    `largest` bytes, or is in another encoding (naming the byte)."""
    with open_regular(path) as file:
        found = file.read(largest + 1)
    if len(found) > largest:
        raise ValueError(f"more than {largest:,} bytes")
    return utf8(found)


def utf8(found: bytes) -> str:
    """Bytes as text. Raises ValueError that names the first byte which is not UTF-8, and its place."""
    try:
        return found.decode()
    except UnicodeDecodeError as error:
        line = found.count(b"\n", 0, error.start) + 1
        byte = f"0x{found[error.start]:02x}"
        raise ValueError(
            f"expected UTF-8, found {byte} at byte {error.start} (line {line}); save it as UTF-8"
        ) from None


def parse_json(text: str | bytes) -> Any:
    """What JSON stands for. Raises ValueError where it is none or nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")
