"""The order of artifacts, inputs first: stage by stage, and once more for all that waits for a choice."""

from __future__ import annotations

from collections.abc import Iterable

from rlv.run.stages import STAGES
from rlv.store import Artifact


def places(artifacts: Iterable[Artifact]) -> dict[str, tuple[int, int]]:
    """Path -> (round, number of its stage): those of inputs are no higher, and equal only in one stage.

    Data flows from stage to stage. Where it flows back, as a choice on training problems flows to what is
    sampled by it, a new round begins. `artifacts` and all that they are made from are in what is returned.
    """
    order = {stage: number for number, stage in enumerate(STAGES)}
    found: dict[str, tuple[int, int]] = {}

    def place(artifact: Artifact) -> tuple[int, int]:
        if artifact.path not in found:
            stage = order[artifact.stage]
            inputs = [place(parent) for parent in artifact.inputs.values()]
            rounds = [number + (before > stage) for number, before in inputs]
            found[artifact.path] = (max(rounds, default=0), stage)
        return found[artifact.path]

    for artifact in artifacts:
        place(artifact)
    return found
