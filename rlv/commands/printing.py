"""Lines on the terminal, without the control characters of what they quote from outside."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TextIO

from rlv.escapes import escaped


def say(lines: Iterable[str], file: TextIO | None = None) -> None:
    """Print lines to standard output, or to `file`."""
    print(*map(escaped, lines), sep="\n", file=file, flush=True)


def say_text(text: str) -> None:
    """Print a text of one or more lines."""
    say(text.split("\n"))


def say_progress(text: str) -> None:
    """Print a line to standard error, so that standard output has only the answer."""
    say([text], file=sys.stderr)
