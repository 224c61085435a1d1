"""Paths as users write them in a study: `$NAME` and `${NAME}` stand for environment variables.

Left out on purpose: `~` and globs; a study that several people share should say where its files are by one
variable.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from rlv.errors import StudyError

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


def expand(path: str, key: str) -> Path:
    """The path with its environment variables filled in; `key` is where it stands in the study.

    Raises StudyError that names the key and the variable where one is not set or empty.
    """

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if not os.environ.get(name):
            raise StudyError(f"{key}: {path!r} needs the environment variable {name}; it is not set")
        return os.environ[name]

    return Path(_VARIABLE.sub(value, path))
