"""Files from outside of this project, read as the hostile things that they may be.

A name may lead to a device that never ends or a pipe that nobody writes to, a text may be in another
encoding, and JSON may be nested deeper than its parser. Each is an OSError or a ValueError here, at once.
Links are followed: the cache of the hub is made of them.
"""

from __future__ import annotations

import codecs
import errno
import json
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from rlv.errors import DataError

# No text that people or hubs write comes near it: configurations, indices of weights, studies.
LARGEST_TEXT = 64 * 2**20
# No row of a file comes near it, though it may hold all solutions of a problem.
LARGEST_LINE = 2**30


class NotRegularError(OSError):
    """A name leads to a pipe, a device, a folder or the like, which is its `kind`."""

    def __init__(self, path: Path, mode: int) -> None:
        self.kind = kind_of(mode)
        super().__init__(errno.EINVAL, f"expected a regular file, found {self.kind}", str(path))


def open_regular(path: Path, *, links: bool = True) -> BufferedReader:
    """The file for reading, in bytes; `links`: whether it may be a link.

    Raises NotRegularError if it is no regular file, other kinds of OSError as `open` does.
    """
    # Opening a device can do something, so it is looked at first.
    _require_regular(path, path.stat() if links else path.lstat())
    # Without O_NONBLOCK, opening a pipe waits until somebody writes to it.
    flags = os.O_NONBLOCK | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW)
    try:
        # The caller closes it.
        file = open(path, "rb", opener=lambda name, mode: os.open(name, mode | flags))  # noqa: SIM115
    except OSError as error:
        if error.errno == errno.ELOOP and not links:  # put there since
            raise NotRegularError(path, stat.S_IFLNK) from error
        raise
    try:
        _require_regular(path, os.fstat(file.fileno()))
    except BaseException:
        file.close()
        raise
    return file


def _require_regular(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotRegularError(path, found.st_mode)


def json_lines(path: Path) -> Iterator[tuple[int, int, Any]]:
    """(line, its bytes, value) of every line of a file of JSON Lines that is not blank; lines count from 1.

    The mark of UTF-8 that some editors write first is passed over. Raises DataError, naming the line, for
    one that is no JSON, or longer than LARGEST_LINE; OSError as `open_regular` does.
    """
    with open_regular(path) as file:
        for number, line in enumerate(iter(lambda: file.readline(LARGEST_LINE + 1), b""), start=1):
            if len(line) > LARGEST_LINE:
                raise DataError(
                    f"{path} line {number}: more than {LARGEST_LINE:,} bytes; one object a line would do"
                )
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if not line.strip():
                continue
            try:
                value = parse_json(line)
            except ValueError as error:  # bad JSON and bad UTF-8 alike
                said = " ".join(str(error).split())[:200]
                raise DataError(
                    f"{path} line {number}: not JSON ({said}); one object a line would do"
                ) from error
            yield number, len(line), value


def read_text(path: Path, largest: int = LARGEST_TEXT) -> str:
    """The file's text, in UTF-8. Raises OSError as `open_regular` does; ValueError if it has more than
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
    """The value of a JSON text. Raises ValueError if it is none or nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def kind_of(mode: int) -> str:
    """What a file is, in words, from its `st_mode`."""
    kinds = {
        stat.S_IFREG: "a file",
        stat.S_IFLNK: "a link",
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")
