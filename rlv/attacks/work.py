"""What the stage `attack` has a model do, before it runs. Imports no torch."""

from __future__ import annotations

from dataclasses import replace

from rlv.job.assumptions import Assumptions
from rlv.job.work import Memory, Pass, Positions, Size, Work
from rlv.sampling import work as sampling
from rlv.scoring.work import SCORE
from rlv.store import Artifact

_ROW_BYTES = 64


def gpus(artifact: Artifact) -> int:
    """GPUs of one job: those that share the model."""
    return sampling.gpus(artifact)


def _scoring(artifact: Artifact) -> Artifact:
    """The job as one that scores as many solutions of the policy as there are attacks, at most as long."""
    return replace(artifact, inputs={**artifact.inputs, "samples": _shard(artifact)})


def _shard(artifact: Artifact) -> Artifact:
    """A shard of the policy's solutions, with as many problems and samples as there are attacks."""
    first = artifact.inputs["solutions"].inputs["samples:00000"]
    if "max_tokens" not in first.params:  # others sampled them
        return first
    size = {"problems": [0, artifact.params["problems"]], "samples": [0, len(artifact.params["attacks"])]}
    return replace(first, params={**first.params, **size})


def _passes(artifact: Artifact, assumed: Assumptions) -> list[Pass]:
    return SCORE.passes(_scoring(artifact), assumed)


def _memory(artifact: Artifact, size: Size, assumed: Assumptions, device: float | None) -> list[Memory]:
    return SCORE.memory(_scoring(artifact), size, assumed, device)


def _stored(artifact: Artifact, passes: list[Pass], size: Size, assumed: Assumptions) -> float:
    texts = sum(p.tokens for p in passes if p.kind == "read") * assumed.text_bytes_per_token
    return texts + sum(p.together for p in passes) * _ROW_BYTES


def _positions(artifact: Artifact) -> Positions | None:
    return SCORE.positions(_scoring(artifact))


def _keys(artifact: Artifact, setting: str) -> tuple[str, ...]:
    return SCORE.keys(_scoring(artifact), setting)


ATTACK = Work(_passes, _memory, _stored, positions=_positions, keys=_keys)
