"""config/README.md, generated from the study's types: `python -m rlv.study.docs > config/README.md`."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, get_args, get_origin

from pydantic import StringConstraints
from pydantic_core import PydanticUndefined

from rlv.study.types import Name, Role, Section, Study

# Roles that the page shows.
_MARKED = (Role.HOW, Role.SAMPLED, Role.VALUES)
# What types call a bound, in words.
_BOUNDS = {
    "ge": "at least {}",
    "gt": "above {}",
    "le": "at most {}",
    "lt": "below {}",
    "min_length": "at least {} long",
    "max_length": "at most {} long",
    "pattern": "matches `{}`",
}
HEADER = """# Studies

`config.yaml` names the study to run and the store; `studies/*.yaml` are the studies. A study specifies what
is computed; `profiles/` specify where and how fast.

- `extends: other` starts from another study: mappings merge key by key, `null` removes an entry, everything
  else replaces.
- A value that is not known from the paper is written `{assumed: VALUE}`, or with where it comes from,
  `{assumed: VALUE, source: TEXT}`. `rlv study show` lists them, and the study's `conventions`.
- `rlv study check NAME` validates a file: unknown keys, values out of range and names that do not exist are
  refused with the file, the key path and the nearest valid name.
- Settings marked (how) do not change results and are no part of an artifact's key. A training setting marked
  (sampled) is not read by verifiers of recorded solutions; (values), only by advantages that compare values
  of steps, as VinePPO does. A setting that is not read is no part of the key.

This page is generated: `python -m rlv.study.docs > config/README.md`.
"""


def markdown() -> str:
    """Every section and key with its type, default and meaning."""
    pages = [HEADER]
    seen: list[type[Section]] = []
    queue: list[tuple[str, type[Section]]] = [("the study itself", Study)]
    while queue:
        where, section = queue.pop(0)
        if section in seen:
            continue
        seen.append(section)
        doc = (section.__doc__ or "").strip()
        pages.append(
            f"## {section.__name__}: {where}\n\n{doc}\n\n"
            "| key | type | default | meaning |\n|---|---|---|---|"
        )
        for name, field in section.model_fields.items():
            if section is Study and name == "assumed":
                continue
            default = "required" if field.default is PydanticUndefined else _default(field.default)
            limits = ", ".join(_limits(field.metadata))
            roles = ", ".join(role.value for role in _MARKED if role in field.metadata)
            marks = f"({roles}) " if roles else ""
            kind = _type(field.annotation) + (f"; {limits}" if limits else "")
            pages.append(f"| `{name}` | {kind} | {default} | {marks}{field.description} |")
            queue += [(f"`{name}`", s) for s in _sections(field.annotation)]
        pages.append("")
    return "\n".join(pages)


def _limits(metadata: Iterable[Any]) -> Iterator[str]:
    """The bounds of a value in words."""
    for one in metadata:
        for name, words in _BOUNDS.items():
            bound = getattr(one, name, None)
            if bound is not None and not isinstance(one, StringConstraints | Role):
                yield words.format(bound)


def _default(value: Any) -> str:
    if isinstance(value, Section):
        return "its defaults"
    if value == "":
        return "empty"
    return f"`{list(value)}`" if isinstance(value, tuple) else f"`{value}`"


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation == Name:
        return "name"
    if origin is dict:
        return f"{_type(arguments[1])} by name" if arguments[1] is not Any else "mapping"
    if origin is Annotated:
        return _type(arguments[0])
    if origin is tuple:
        return f"{'list' if arguments[-1] is Ellipsis else 'pair'} of {_type(arguments[0])}"
    if origin is types.UnionType or str(origin) == "typing.Union":
        return " or ".join(_type(a) for a in arguments if a is not type(None))
    if arguments:
        return " or ".join(f"`{a}`" for a in arguments)
    return getattr(annotation, "__name__", str(annotation))


def _sections(annotation: Any) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [s for a in get_args(annotation) for s in _sections(a)]


if __name__ == "__main__":
    print(markdown(), end="")
