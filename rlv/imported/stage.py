"""The stage `imported`: solutions that others sampled enter the store, with all that their files state.

It leaves problems, samples (equally many of every problem), given (answers and verdicts as stated) and
given_scores.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rlv.errors import DataError
from rlv.job import Job, Stage
from rlv.outside.names import below
from rlv.store.digests import content_digest

TABLES = ("problems", "samples", "given", "given_scores")


def _run(job: Job) -> dict[str, Any]:
    from rlv.imported.given import given_tables
    from rlv.imported.read import read_samples
    from rlv.imported.tokens import with_tokens

    p, how = job.params, job.how
    files = [Path(path) for path in how["files"]]
    for path, known in zip(files, p["files"], strict=True):
        _require(path, known["sha256"])
    references: Path | None = None
    if "problems" in job.artifact.inputs:
        references = job.file("problems", "problems.parquet")
    elif how["problems"] is not None:
        references = Path(how["problems"])
        _require(references, p["problems"])
    imported = read_samples(
        files,
        problems=references,
        problem_mapping=p.get("problem_map"),
        mapping=p["map"],
        correct=p["correct"],
        dialect=p["dialect"],
        scale=p["scale"],
    )
    if "tokenizer" in p:
        folder = Path(how["tokenizer"])
        for name, digest in p["tokenizer"].items():
            _require(below(folder, name, error=DataError), digest)
        imported = replace(imported, solutions=with_tokens(imported.solutions, folder))
    found = given_tables(imported, p["n"])
    notes = [*imported.notes, *found.notes]
    for line in (f"format {imported.dialect}: {_words(imported.mapping)}", *notes):
        job.log(line)
    for name in TABLES:
        job.write(getattr(found, name), name)
    job.log(f"{len(found.problems)} problems, {p['n']} solutions of each")
    return {
        "problems": len(found.problems),
        "solutions": len(found.samples),
        "dialect": imported.dialect,
        "mapping": imported.mapping,
        "notes": notes,
    }


def _require(path: Path, digest: str) -> None:
    if content_digest(path) != digest:
        raise DataError(f"{path}: changed while the study was running; run again")


def _words(mapping: dict[str, str]) -> str:
    return " ".join(f"{name}={column}" for name, column in mapping.items())


IMPORTED = Stage(
    recipe=1,
    run=_run,
    leaves=lambda artifact: TABLES,
    doing="reading",
    memory_mb=4000,
    minutes=30,
)
