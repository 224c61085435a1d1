"""`rlv methods`: every method that a study can name, ours and those of installed packages."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import partial
from importlib import import_module
from inspect import getdoc, isroutine
from itertools import groupby
from typing import Any

from rlv.columns import Column, table
from rlv.commands.printing import add_json, answer
from rlv.errors import StudyError
from rlv.registry import KINDS, Registry, imported

_ROW = (Column(), Column(whole=True), Column(whole=True), Column())


def add_methods(parser: ArgumentParser) -> None:
    add_json(parser)
    parser.set_defaults(run=_methods)


def _methods(options: Namespace) -> None:
    answer(options, lambda: {"methods": list(methods_of(KINDS))}, lambda found: _lines(found["methods"]))


def methods_of(kinds: Mapping[str, tuple[str, str]]) -> Iterator[dict[str, str | None]]:
    """Every method: its kind, its name, its package, and what it is (`about`) or why it cannot be used."""
    for group, (module, name) in kinds.items():
        methods = getattr(import_module(module), name)
        yield from _rows(group, methods)
        yield from families_of(group, methods)


def methods_lines(kinds: Mapping[str, tuple[str, str]]) -> list[str]:
    """A section for each kind: the names, where each is from, and what it is or why it cannot be used."""
    return _lines(list(methods_of(kinds)))


def _lines(found: Iterable[Mapping[str, str | None]]) -> list[str]:
    lines: list[str] = []
    for kind, group in groupby(found, lambda row: row["kind"]):
        rows = [("", row["name"], row["package"] or "", row["about"] or row["error"] or "") for row in group]
        lines += [f"{kind}", *table(_ROW, [tuple(map(str, row)) for row in rows]), ""]
    return lines[:-1]


def _rows(kind: str, methods: Registry[Any]) -> Iterator[dict[str, str | None]]:
    for name in methods:
        row: dict[str, str | None] = {
            "kind": kind,
            "name": name,
            "package": None,
            "about": None,
            "error": None,
        }
        try:
            row["package"] = methods.package(name) or "rlv"
            row["about"] = description(methods[name])
        except StudyError as error:  # two packages bring it, or it cannot be imported
            row["error"] = str(error)
        yield row


def families_of(kind: str, methods: Registry[Any]) -> Iterator[dict[str, str | None]]:
    """Methods with a number in their name, as rows of `methods_of`."""
    for name, family in methods.families.items():
        said = name if family.default is not None else f"{name}:NUMBER"
        row: dict[str, str | None] = {"kind": kind, "name": said, "package": "rlv"}
        yield row | {"about": family.about, "error": None}


def description(method: object) -> str:
    """The first line that documents a method: its `about`, or that of its module, its function or its type.

    Raises StudyError if the module cannot be imported.
    """
    if about := getattr(method, "about", ""):
        return about
    module = getattr(method, "module", None)
    if isinstance(module, str):
        text = imported(module, partial(import_module, module)).__doc__
    else:
        parts = (method, *(vars(method).values() if is_dataclass(method) else ()))
        functions = (part.func if isinstance(part, partial) else part for part in parts)
        texts = (getdoc(function) for function in functions if isroutine(function))
        text = next(filter(None, texts), None) or getdoc(type(method))
    return (text or "").partition("\n")[0]
