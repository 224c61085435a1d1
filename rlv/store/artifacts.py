"""Artifacts and their keys: what decides a content, as one SHA-256.

Left out on purpose: which artifacts a study has (plan/) and where they lie (store.py).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

KEY_DIGITS = 12
# `<stage>/<name>-`: no dot in front, and nothing that would make it another place of a file system.
_PLACE = re.compile(r"[a-z][a-z0-9_]*/[^./\\\x00-\x1f][^/\\\x00-\x1f]*-")
_KEY = re.compile(r"[0-9a-f]{64}")


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
    place = path.removesuffix(key[:KEY_DIGITS])
    return place != path and _PLACE.fullmatch(place) is not None


@dataclass(frozen=True, eq=False)
class Artifact:
    """One node of the DAG: what decides its content, and the artifacts it is made from.

    `params` hold what decides content; `how` only what decides how it is computed (micro-batch, threads,
    labels) and stays out of the key. `inputs` are named by role; a role with many parts numbers them.
    """

    stage: str
    name: str
    recipe: int
    params: Mapping[str, Any]
    inputs: Mapping[str, Artifact] = field(default_factory=dict)
    how: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def spec(self) -> dict[str, Any]:
        """What the key is the hash of."""
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
