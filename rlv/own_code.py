"""Digests of this project's own source, for what no recipe follows: how a figure looks, what a stage runs.

Nothing is imported: modules are found as files, and what they import is read from their syntax trees. What
Python does not run (comments, docstrings, blank lines) counts as little as the version of Python that reads
it. Left out on purpose: other packages (manifests name their versions), and a stage's meaning, for which it
has its recipe.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent.name
# Digits of a digest: codes are compared with each other only, never looked up.
_DIGITS = 16
# What carries artifacts and messages around, and what people write: none of it computes a result.
_PLUMBING = tuple(
    f"{PACKAGE}.{name}" for name in ("errors", "job", "machine", "progress", "sections", "store")
)


def drawing_code(*modules: str, without: str = "") -> str:
    """Digest of the modules that draw something, and of all that they import of figures and evaluation.

    `without`: a module to leave out, such as the list of what can be drawn: a new entry changes no picture.
    """
    drawing = (*modules, f"{PACKAGE}.figures", f"{PACKAGE}.evaluation")
    return _digest(m for m in _imported(modules) if m != without and _is_part(m, drawing))


@cache
def stage_code(module: str) -> str:
    """Digest of a stage's own source: its module, those beside it in their folder, and all that they import.

    Those beside it are read even if none imports them: a stage starts some in a process of their own.
    """
    folder = module.rpartition(".")[0]
    beside = [] if folder == PACKAGE else [f"{folder}.{f.stem}" for f in _place(folder).glob("[!_]*.py")]
    return _digest(m for m in _imported([module, *beside]) if not _is_part(m, _PLUMBING))


def _is_part(module: str, packages: Iterable[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _digest(modules: Iterable[str]) -> str:
    read = {module: hashlib.sha256(_running(_file(module)).encode()).hexdigest() for module in modules}
    text = "\n".join(f"{module} {digest}" for module, digest in sorted(read.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _place(module: str) -> Path:
    return Path(__file__).parent.parent.joinpath(*module.split("."))


def _file(module: str) -> Path | None:
    """A module's source; None: it is no file of this project."""
    place = _place(module)
    found = (file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file())
    return next(found, None)


def _imported(modules: Iterable[str]) -> list[str]:
    """The modules and all of this project that they import, directly or not, also inside functions."""
    found: set[str] = set()
    ahead = list(modules)
    while ahead:
        module = ahead.pop()
        if module not in found:
            found.add(module)
            ahead += _imports(_file(module))
    return sorted(found)


@cache
def _imports(file: Path | None) -> tuple[str, ...]:
    if file is None:
        return ()
    named: list[str] = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            named += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            # `from package import name`: of a module called so, or of what the package itself holds.
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            named += [name if _file(name) else node.module for name in inside if _is_part(name, [PACKAGE])]
    return tuple(sorted({name for name in named if _is_part(name, [PACKAGE])}))


@cache
def _running(file: Path | None) -> str:
    """A file's lines without comments, docstrings and blank lines; "" of a module that is no file.

    By positions in the text, not by tokens or syntax trees, which differ between versions of Python.
    """
    if file is None:
        return ""
    text = file.read_text(encoding="utf-8")
    lines = text.split("\n")  # as Python counts them
    dropped: set[int] = set()
    for token, alone in _tokens(text):
        first, last = token.start[0] - 1, token.end[0] - 1
        if token.type == tokenize.COMMENT:
            lines[first] = lines[first][: -len(token.string)].rstrip()
        elif token.type == tokenize.NL and not lines[first].strip():
            dropped.add(first)  # a blank line in a string has no token of its own
        elif token.type == tokenize.STRING and alone:
            dropped.update(range(first, last + 1))
    return "\n".join(line for number, line in enumerate(lines) if number not in dropped)


def _tokens(text: str) -> Iterator[tuple[tokenize.TokenInfo, bool]]:
    """All tokens of a text, each with whether it is a whole statement, as a docstring is."""
    passed_over = (tokenize.COMMENT, tokenize.NL)
    begins = True
    found = list(tokenize.generate_tokens(io.StringIO(text).readline))
    for token, after in zip(found, [*found[1:], None], strict=True):
        ends = after is None or after.type in (tokenize.NEWLINE, tokenize.COMMENT)
        yield token, begins and ends
        if token.type not in passed_over:
            begins = token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
