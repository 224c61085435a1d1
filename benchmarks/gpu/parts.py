"""The parts by letter: their modules, the packages and the memory that they need, and which are missing.

Imports no torch, so that the command starts at once. worker.py runs a part.
"""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Part:
    """`module` in this package; `packages` as they are imported; `gib` of free GPU memory, or 0."""

    module: str
    packages: tuple[str, ...]
    gib: float
    large_model: bool = False


_ALL = ("torch", "transformers", "jaxtyping", "pydantic", "polars", "math_verify")
_TRAINING = (*_ALL, "deepspeed")
PARTS = {
    "a": Part("correctness", _TRAINING, 2),
    "b": Part("resume", _TRAINING, 2),
    "c": Part("step", _TRAINING, 40, large_model=True),
    "d": Part("peer", (*_TRAINING, "accelerate", "datasets", "trl"), 40, large_model=True),
    "e": Part("engines", _ALL, 24, large_model=True),
    "f": Part("cores", _ALL, 0),
}


def missing(packages: Sequence[str]) -> str | None:
    """The packages that are not installed, and the command that installs them; None if all are there."""
    absent = [package for package in packages if importlib.util.find_spec(package) is None]
    if not absent:
        return None
    return f"not installed: {', '.join(absent)}; `bash envs/offline.sh DIR` makes the wheels"


def versions() -> dict[str, str]:
    """The installed versions of the packages that pyproject.toml pins, and the pinned one if it differs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["train"], *extras["test"]]
    found = {}
    for name in ("torch", "transformers", "deepspeed", "polars", "math-verify", "datasets", "trl"):
        pinned = next(line for line in asked if re.match(rf"{name}\b", line))
        pinned = re.sub(r"^[a-z-]+(\[[^]]*\])?(==)?", "", pinned)
        try:
            here = version(name)
        except PackageNotFoundError:
            continue
        found[name] = here if here.split("+")[0] == pinned else f"{here} (pyproject.toml: {pinned})"
    return found
