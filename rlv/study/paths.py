"""Paths as users write them in a study, a configuration or behind an option.

`~` stands for a home folder, `$NAME` and `${NAME}` for an environment variable, `$$` for a dollar. All other
characters stand for themselves; patterns (`*`, `?`) are left out on purpose.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from rlv.errors import StudyError

_VARIABLE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# Bytes of a path and of one part of it, as Linux has them.
_LONGEST, _LONGEST_PART = 4095, 255


def expand(path: str, key: str) -> Path:
    """The path with home folder and environment variables filled in; `key`: its key path.

    Raises StudyError that names the key for a variable that is not set or empty, a user who is not known, a
    control character (such as a line break), the address of something that is no file, and a text that is
    longer than a path can be.
    """

    def value(found: re.Match[str]) -> str:
        name = found[2] or found[3]
        if found[1]:
            return "$"
        if not os.environ.get(name):
            raise StudyError(f"{key}: {path!r} needs the environment variable {name}; it is not set")
        return os.environ[name]

    first, slash, rest = path.partition("/")
    if first.startswith("~"):
        start = os.path.expanduser(first)  # noqa: PTH111 (pathlib's ends in a traceback without a home)
        if start.startswith("~"):
            raise StudyError(f"{key}: {path!r}: no home folder of {first!r} is known; write the path")
    else:
        start = _VARIABLE.sub(value, first)
    filled = f"{start}{slash}{_VARIABLE.sub(value, rest)}"
    if any(ord(character) < 32 or ord(character) == 127 for character in filled):
        raise StudyError(f"{key}: found a control character in {filled!r}; choose another name")
    if _ADDRESS.match(filled):
        raise StudyError(f"{key}: found the address {filled!r}, expected the path of a file or folder")
    try:
        encoded = os.fsencode(filled)
    except UnicodeEncodeError:
        raise StudyError(f"{key}: found a character in {filled[:60]!r} that no path has") from None
    if len(encoded) > _LONGEST or max(map(len, encoded.split(b"/"))) > _LONGEST_PART:
        raise StudyError(
            f"{key}: found a path of {len(encoded)} bytes ({filled[:60]!r}…), expected at most {_LONGEST}, "
            f"and {_LONGEST_PART} between two separators"
        )
    return Path(filled)


def written(path: Path) -> str:
    """The text that `expand` makes this path of, whatever characters it has."""
    text = str(path).replace("$", "$$")
    return f"./{text}" if text.startswith("~") else text
