"""Methods in plans: our own by name, and the packages of the others, which their keys follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlv.registry import Registry


def brought(methods: Mapping[str, Any], name: str, key: str) -> dict[str, str]:
    """{key: "package==version"} of a method that a package brings, for an artifact's parameters.

    Empty for our own methods, so that their keys need no version.
    """
    package = methods.package(name) if isinstance(methods, Registry) else None
    return {} if package is None else {key: package}


def ours(methods: Mapping[str, Any]) -> list[str]:
    """The names of the methods that no package brings."""
    return list(methods.own if isinstance(methods, Registry) else methods)
