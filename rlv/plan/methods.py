"""Methods in plans: the packages that bring them, which the keys of what they compute follow."""

from __future__ import annotations

from typing import Any

from rlv.registry import Registry


def brought(methods: Registry[Any], name: str, key: str) -> dict[str, str]:
    """{key: "package==version"} of a method that a package brings, for an artifact's parameters.

    Empty for our own methods, so that their keys need no version.
    """
    package = methods.package(name)
    return {} if package is None else {key: package}
