"""Studies of solutions that others sampled, as small as they can be, and what their artifacts hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from rlv import tables
from rlv.plan import Plan, build_plan
from rlv.plan.reading import load
from rlv.run.make import make
from rlv.store import Artifact, Store


def study_of(folder: Path, *files: Path, n: int = 2, **sections: Any) -> dict[str, Any]:
    """A study of one reasoner, `mine`, on the data set `given`; `sections` replace its own.

    The keys of `samples` that are not of a section go to its only entry.
    """
    entry = {"files": list(map(str, files)), "n": n, **sections.pop("entry", {})}
    return {
        "name": "outside",
        "datasets": {"given": {"source": "samples"}},
        "samples": {"mine": entry},
        "reasoners": {"mine": {"samples": "mine", "evaluate_on": ["given"]}},
        "evaluation": {"ns": [1, n] if n > 1 else [1], "draws": 100},
        **sections,
    }


def planned(folder: Path, study: Mapping[str, Any]) -> Plan:
    """The plan of a study, by way of a file."""
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(dict(study), sort_keys=False))
    return build_plan(load(str(file)))


def only(plan: Plan, stage: str) -> Artifact:
    """The plan's only artifact of a stage."""
    (found,) = [artifact for artifact in plan.artifacts.values() if artifact.stage == stage]
    return found


def made(plan: Plan, store: Store, upto: Artifact | None = None) -> list[str]:
    """Make what a plan has, in its order, up to one artifact; returns the lines of all stages."""
    lines: list[str] = []
    for artifact in plan.artifacts.values():
        make(artifact, store, log=lines.append)
        if artifact == upto:
            break
    return lines


def table(store: Store, artifact: Artifact, name: str) -> pl.DataFrame:
    """A table of a made artifact."""
    return tables.read(store.open(artifact, f"{name}.parquet"), name)
