"""What the parts of a plan share: names and roles of artifacts, and methods that remember what they made."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from rlv.sampling.shards import Shard
from rlv.store import Artifact

# Marks the names of artifacts that were made from solutions at length budgets.
CUT = "-cut"


class Remembering(Protocol):
    """A builder with a place for the results of its methods."""

    remembered: dict[Any, Any]


B = TypeVar("B", bound=Remembering)
P = ParamSpec("P")
R = TypeVar("R")


def once(method: Callable[Concatenate[B, P], R]) -> Callable[Concatenate[B, P], R]:
    """A builder's method that remembers its results: evaluations share shards, figures share evaluations."""

    @wraps(method)
    def remembered(self: B, *args: P.args, **kwargs: P.kwargs) -> R:
        call = (method.__name__, args, tuple(sorted(kwargs.items())))
        if call not in self.remembered:
            self.remembered[call] = method(self, *args, **kwargs)
        return self.remembered[call]

    return remembered


def numbered(role: str, artifacts: list[Artifact]) -> dict[str, Artifact]:
    """Roles of a sharded input; zero-padded so that their order is the shards' order."""
    return {f"{role}:{i:05d}": artifact for i, artifact in enumerate(artifacts)}


def tag(shard: Shard) -> str:
    """The end of a shard's name: its problems and samples."""
    return f"p{shard.problem_start}-{shard.problem_stop}-s{shard.sample_start}-{shard.sample_stop}"
