"""Where the solutions of a training run come from, and what learns from them; as files, and without them.

Imports no torch, so that estimates and the process that starts ranks can use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlv.store import Artifact


@dataclass(frozen=True)
class Origin:
    """Where the solutions of a training run come from, and what learns from them.

    `sampled`: they are sampled as the run learns, and it records them; otherwise another run recorded them.
    `policy_learns`: the policy learns from them; otherwise only the verifier does.
    """

    sampled: bool
    policy_learns: bool

    @staticmethod
    def of(artifact: Artifact) -> Origin:
        """That of an artifact of the stages `train` and `overhead`."""
        return RECORDED if "rollouts" in artifact.inputs else SAMPLED


SAMPLED = Origin(sampled=True, policy_learns=True)
# Learning from another policy's solutions would be off policy.
RECORDED = Origin(sampled=False, policy_learns=False)


@dataclass(frozen=True)
class SourceFiles:
    """A source of batches as files, as the stage passes it to ranks. `rollouts`: if they are recorded."""

    origin: Origin
    problems: Path
    rollouts: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """The record in JSON's types, with absolute paths."""
        rollouts = None if self.rollouts is None else str(self.rollouts.absolute())
        return {"origin": vars(self.origin), "problems": str(self.problems.absolute()), "rollouts": rollouts}

    @staticmethod
    def of_json(found: dict[str, Any]) -> SourceFiles:
        """The record that `as_json` wrote."""
        rollouts = None if found["rollouts"] is None else Path(found["rollouts"])
        return SourceFiles(Origin(**found["origin"]), Path(found["problems"]), rollouts)
