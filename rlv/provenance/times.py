"""The time that published artifacts took, by stage, from their manifests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rlv.errors import StoreError
from rlv.run.stages import STAGES
from rlv.store import Artifact, Store, origin_fault

# An artifact and its manifest, which states how the artifact was made.
Making = tuple[Artifact, dict[str, Any]]


@dataclass(frozen=True)
class StageTime:
    """What all artifacts of a stage took together; the peak is that of the largest job."""

    stage: str
    artifacts: int
    seconds: float
    cpu_seconds: float
    peak_memory_mib: int
    tokens: int


def makings(artifacts: Iterable[Artifact], store: Store) -> list[Making]:
    """Those that are published, without those whose manifests are not readable or state too little."""
    found = []
    for artifact in artifacts:
        if store.exists(artifact):
            with suppress(StoreError):  # `rlv fsck` names those
                manifest = store.manifest(artifact)
                if origin_fault(manifest) is None:
                    found.append((artifact, manifest))
    return found


def stage_times(made: Sequence[Making]) -> list[StageTime]:
    """Seconds, tokens and peak memory by stage, in the order of the stages."""
    found = []
    for stage in STAGES:
        of = [manifest for artifact, manifest in made if artifact.stage == stage]
        if of:
            seconds, cpu = (sum(spent(m, what) for m in of) for what in ("seconds", "cpu_seconds"))
            peak = max(m["peak_memory_mib"] for m in of)
            found.append(StageTime(stage, len(of), seconds, cpu, peak, sum(map(_tokens, of))))
    return found


def slowest(made: Sequence[Making], count: int = 10) -> list[tuple[float, Artifact]]:
    """The artifacts that took longest, with their seconds."""
    ordered = sorted(made, key=lambda item: -spent(item[1], "seconds"))
    return [(spent(manifest, "seconds"), artifact) for artifact, manifest in ordered[:count]]


def spent(manifest: Mapping[str, Any], what: str) -> float:
    """The amount of the job that published an artifact, and of those before it that a training took."""
    return manifest[what] + sum(part[what] for part in manifest["facts"].get("earlier", ()))


def _tokens(manifest: Mapping[str, Any]) -> int:
    """How many tokens a stage has counted; 0 for stages that count none."""
    tokens = manifest["facts"].get("tokens", 0)
    return tokens if isinstance(tokens, int) else 0
