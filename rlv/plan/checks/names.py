"""Names that a study uses and nothing has: each refused with the nearest name that exists."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rlv.errors import StudyError


def nearest(found: str, valid: Iterable[str]) -> str:
    """The end of a message that proposes the nearest valid name; empty if none is near."""
    close = difflib.get_close_matches(found, sorted(valid), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""


def unknown(key: str, name: str | None, known: Iterable[str], what: str) -> Iterator[tuple[str, str]]:
    """The complaint about a name that is not known, with the nearest one that is; nothing about None."""
    known = sorted(known)
    if name is not None and name not in known:
        yield key, f"no {what} named {name!r}{nearest(name, known)} (there are: {', '.join(known) or 'none'})"


def broken_method(
    key: str, name: str | None, methods: Mapping[str, Any], what: str
) -> Iterator[tuple[str, str]]:
    """The complaint about a method that is unknown or cannot be used; nothing about None."""
    if name is None:
        return
    if name not in methods:
        families = getattr(methods, "families", {})
        yield from unknown(key, name, [*methods, *(f"{family}:NUMBER" for family in families)], what)
        return
    try:
        methods[name]
    except StudyError as error:
        yield key, str(error)
