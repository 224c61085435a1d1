"""What the commands print: lines for people, or with --json one document for programs.

Lines lose the control characters of what they quote from outside. On a terminal tables fit its width and
may have colours; in a pipe or a file they are plain and have their full width (columns.py).
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from argparse import Namespace, _ActionsContainer
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from typing import Any, TextIO

from rlv.columns import colours_on, fitted
from rlv.escapes import escaped


def say(lines: Iterable[str], file: TextIO | None = None) -> None:
    """Print lines to standard output, or to `file`."""
    to = sys.stdout if file is None else file
    if to.isatty():
        lines = fitted(lines, shutil.get_terminal_size().columns, colour=colours_on(to))
    else:
        lines = map(escaped, lines)
    _put(lines, to)


def _put(lines: Iterable[str], to: TextIO) -> None:
    print(*lines, sep="\n", file=to, flush=True)


def say_text(text: str) -> None:
    """Print a text of one or more lines."""
    say(text.split("\n"))


def say_progress(text: str) -> None:
    """Print a line to standard error, so that standard output has only the answer."""
    say([text], file=sys.stderr)


def width_for(most: int) -> int:
    """Characters of a line on standard output: a terminal's width, at most `most`; `most` in a pipe."""
    return max(20, min(most, shutil.get_terminal_size().columns)) if sys.stdout.isatty() else most


def add_json(parser: _ActionsContainer) -> None:
    """The option --json of a command whose answer is printed by `answer`."""
    parser.add_argument("--json", action="store_true", help="one JSON document; its keys: docs/commands.md")


def answer(options: Namespace, found: Callable[[], Any], lines: Callable[[Any], Iterable[str]]) -> Any:
    """Print what `found` returns, in JSON's types: as `lines` of it, or with --json as one document.

    With --json nothing else reaches standard output: what a package prints when it is imported does not.
    Returns what was found.
    """
    if not options.json:
        data = found()
        say(lines(data))
        return data
    with redirect_stdout(sys.stderr):
        data = found()
        text = json_text(data, indent=1)
    # In UTF-8 whatever the encoding of the terminal; a file that holds text has none.
    encode = getattr(sys.stdout, "reconfigure", None)
    if encode is not None:
        encode(encoding="utf-8")
    _put([text], sys.stdout)
    return data


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON in which text stays readable and nothing controls a terminal.

    Numbers that JSON does not have (NaN, the infinite) are null; control characters and halves of characters
    are escaped as JSON does it, so the text can always be encoded.
    """
    text = json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text).replace(
        "\x7f", "\\u007f"
    )


def _finite(value: Any) -> Any:
    """The value with null for every number that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value
