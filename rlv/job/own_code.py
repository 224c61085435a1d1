"""Digests of this project's own source, for changes that no recipe follows: a figure's look, a stage's code.

Nothing is imported or parsed, which would take longer than all other planning: modules are found as files,
and their comments, docstrings and imports by patterns. The tests compare that with Python's own parser, for
every file of this package. The templates that a module fills count as its code. Left out on purpose: other
packages (manifests name their versions), and a
stage's meaning, for which it has its recipe.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGE = __name__.partition(".")[0]
# Digits of a digest, which is only compared with another, never looked up.
_DIGITS = 16
# A text or a comment, whichever begins first.
_TEXTS = (
    *(r'"""(?:\\.|[^\\])*?"""', r"'''(?:\\.|[^\\])*?'''"),
    *(r'"(?:\\.|[^"\\\n])*"', r"'(?:\\.|[^'\\\n])*'"),
)
_TEXT_OR_COMMENT = re.compile(rf"[a-zA-Z]{{0,2}}(?:{'|'.join(_TEXTS)})|#[^\n]*", re.DOTALL)
_OURS = rf"({PACKAGE}\b[\w.]*)"
_IMPORT = re.compile(
    rf"^[ \t]*(?:from[ \t]+{_OURS}[ \t]+import[ \t]+(\([^)]*\)|[^\n]+)|import[ \t]+{_OURS})", re.MULTILINE
)
# Modules that carry artifacts and messages, and settings: none of them computes a result.
_PLUMBING = tuple(f"{PACKAGE}.{name}" for name in ("errors", "hub", "job", "study", "store"))
# Modules of a stage's folder for plans and estimates (rlv/job/work.py): they compute no result either.
_ASKED_BEFORE = ("work", "memory")


def drawing_code(*modules: str, without: str = "") -> str:
    """Digest of the modules that draw something, and of all that they import of figures and evaluation.

    `without`: a module to leave out, such as the list of what can be drawn: a new entry changes no picture.
    """
    drawing = (*modules, f"{PACKAGE}.figures", f"{PACKAGE}.evaluation")
    return _digest(m for m in _imported(modules) if m != without and _is_part(m, drawing))


@cache
def stage_code(module: str) -> str:
    """Digest of a stage's own source: its module, those beside it in their folder, and all that they import.

    Those beside it count even if none imports them: a stage starts some in a process of their own.
    """
    folder = module.rpartition(".")[0]
    beside = [] if folder == PACKAGE else [f"{folder}.{f.stem}" for f in _place(folder).glob("[!_]*.py")]
    computing = (m for m in _imported([module, *beside]) if m.rpartition(".")[2] not in _ASKED_BEFORE)
    return _digest(m for m in computing if not _is_part(m, _PLUMBING))


def _is_part(module: str, packages: Iterable[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _digest(modules: Iterable[str]) -> str:
    texts = {module: _running(_file(module)) + _templates(_file(module)) for module in modules}
    read = {module: hashlib.sha256(text.encode()).hexdigest() for module, text in texts.items()}
    text = "\n".join(f"{module} {digest}" for module, digest in sorted(read.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _place(module: str) -> Path:
    return Path(__file__).parents[2].joinpath(*module.split("."))


def _file(module: str) -> Path | None:
    """A module's source, or None if this project has no such file."""
    place = _place(module)
    found = (file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file())
    return next(found, None)


def _imported(modules: Iterable[str]) -> list[str]:
    """The modules and all of this project that they import, directly or not, inside functions too."""
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
    named: set[str] = set()
    for package, names, module in _IMPORT.findall(_running(file)):
        if module:
            named.add(module)
        for name in names.strip("() \n").split(","):
            # `from package import name`: of a module called so, or of what the package itself holds.
            if name.split():
                inside = f"{package}.{name.split()[0]}"
                named.add(inside if _file(inside) else package)
    return tuple(sorted(named))


def _templates(file: Path | None) -> str:
    """The templates that a module fills: those beside it that have its name (rlv/evaluation/templates.py)."""
    beside = [] if file is None else sorted(file.parent.glob(f"{file.stem}.*.jinja"))
    return "".join(template.read_text(encoding="utf-8") for template in beside)


@cache
def _running(file: Path | None) -> str:
    """A file's lines without comments, docstrings and blank lines; "" of a module that is no file."""
    if file is None:
        return ""
    source = file.read_text(encoding="utf-8")
    texts: list[str] = []
    code, at = "", 0
    for found in _TEXT_OR_COMMENT.finditer(source):
        code += source[at : found.start()]
        at = found.end()
        if not found[0].startswith("#") and not _is_docstring(found[0], code, source[at : at + 1]):
            code += "\0"  # in its place: a text may have blank lines, too
            texts.append(found[0])
    lines = (line.rstrip() for line in (code + source[at:]).split("\n"))
    kept = iter(texts)
    return re.sub("\0", lambda place: next(kept), "\n".join(line for line in lines if line))


def _is_docstring(text: str, before: str, after: str) -> bool:
    """Whether a text is a statement of its own, the first of a module, class or function."""
    alone = before.rstrip(" \t")[-1:] in ("\n", "") and after in ("\n", "")
    return alone and text.endswith('"""') and before.rstrip()[-1:] in (":", "")
