"""Artifacts and their keys: all that decides an artifact's content, as one SHA-256.

plan/ makes the artifacts of a study, store.py has their places.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from rlv.errors import StoreError
from rlv.outside.names import fault_of

KEY_DIGITS = 12
_STAGE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KEY = re.compile(r"[0-9a-f]{64}")
_DIRECTORY = re.compile(rf"[^.].*-[0-9a-f]{{{KEY_DIGITS}}}", re.DOTALL)


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; floats as Python's shortest repr; NaN and infinity refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def key_of(spec: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical spec, as hex."""
    return hashlib.sha256(canonical(spec).encode()).hexdigest()


def is_path_of(path: str, key: object) -> bool:
    """Whether something read from elsewhere is an artifact's path, `<stage>/<name>-<12 hex>`, and its key."""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        return False
    stage, _, directory = path.partition("/")
    name = directory.removesuffix(f"-{key[:KEY_DIGITS]}")
    return name != directory and _fault_of_place(stage, directory) is None


def is_directory_of(name: str) -> bool:
    """Whether a folder of a stage is named like an artifact's, `<name>-<12 hex>`; drafts begin with a dot."""
    return _DIRECTORY.fullmatch(name) is not None


def _fault_of_place(stage: str, directory: str) -> str | None:
    """Why `<stage>/<directory>` is no place in a store, whose own folders begin with a dot."""
    if not _STAGE.fullmatch(stage):
        return f"{stage!r} is no name of a stage"
    if directory.startswith((".", "-")):
        return f"{directory!r} begins with {directory[0]!r}"
    fault = fault_of(directory)
    return None if fault is None else f"{directory[:100]!r} {fault}"


@dataclass(frozen=True, eq=False)
class Artifact:
    """One node of the DAG: what decides its content, and the artifacts it is made from.

    `params` hold what decides content; `how` only what decides how it is computed (micro-batch, threads,
    labels) and stays out of the key. `inputs` are named by role; a role with many parts numbers them.
    Raises StoreError if stage and name cannot be folders of a store: the name is no part of the key, and may
    come from outside.
    """

    stage: str
    name: str
    recipe: int
    params: Mapping[str, Any]
    inputs: Mapping[str, Artifact] = field(default_factory=dict)
    how: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        fault = _fault_of_place(self.stage, f"{self.name}-{'0' * KEY_DIGITS}")
        if fault is not None:
            raise StoreError(f"{self.stage}/{self.name}: no place of an artifact: {fault}")

    @cached_property
    def spec(self) -> dict[str, Any]:
        """All that decides the content: the key is its hash."""
        return {
            "stage": self.stage,
            "recipe": self.recipe,
            "params": dict(self.params),
            "inputs": {role: parent.key for role, parent in self.inputs.items()},
        }

    @cached_property
    def key(self) -> str:
        """SHA-256 over the canonical spec, as hex. The readable name is no part of it."""
        return key_of(self.spec)

    @cached_property
    def directory(self) -> str:
        """`<name>-<12 hex>`; the stage's folder comes before it."""
        return f"{self.name}-{self.key[:KEY_DIGITS]}"

    @property
    def path(self) -> str:
        """`<stage>/<name>-<12 hex>`, how an artifact is named everywhere."""
        return f"{self.stage}/{self.directory}"
