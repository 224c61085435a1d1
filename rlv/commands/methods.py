"""`rlv methods`: every method that a study can name, ours and those of installed packages."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from functools import partial
from importlib import import_module
from inspect import getdoc, isroutine
from typing import Any

from rlv.commands.printing import say
from rlv.errors import StudyError
from rlv.registry import KINDS, Registry, imported


def add_methods(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_methods)


def _methods(options: Namespace) -> None:
    say(methods_lines(KINDS))


def methods_lines(kinds: Mapping[str, tuple[str, str]]) -> list[str]:
    """A section for each kind: the names, where each is from, and what it is or why it cannot be used."""
    lines = []
    for group, (module, name) in kinds.items():
        rows = list(_rows(getattr(import_module(module), name)))
        width, from_width = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
        lines.append(group)
        lines += [f"  {method:{width}s}  {origin:{from_width}s}  {what}" for method, origin, what in rows]
        lines.append("")
    return lines[:-1]


def _rows(methods: Registry[Any]) -> Iterator[tuple[str, str, str]]:
    """(Name, package or "rlv", description or error) of every method of a kind."""
    for name in methods:
        origin = ""  # two packages bring it
        try:
            origin = methods.package(name) or "rlv"
            yield name, origin, description(methods[name])
        except StudyError as error:
            yield name, origin, str(error)


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
