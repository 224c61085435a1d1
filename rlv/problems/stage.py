"""The stage `problems`: a data set enters the store as a table, with what was left out of it counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from rlv.errors import DataError
from rlv.hub import Asked
from rlv.job import Job, Stage
from rlv.problems import hub
from rlv.problems.files import file_rows
from rlv.problems.rows import Columns, Row, Selection, by_fields, choose, table_of
from rlv.problems.sources import SOURCES, Source
from rlv.problems.text import normalised
from rlv.store import Artifact, file_digest

# Why a row is no problem of the data set, in words.
_REASONS = {
    "source": "not of this data set",
    "levels": "of another level",
    "without": "named in `without`",
    "exclude": "in another data set of the study",
}


def columns_of(source: Source, fields: dict[str, str]) -> Columns:
    """How a row of a published data set becomes the columns of the problems table."""
    return source.columns or partial(by_fields, fields=fields)


def id_prefix(source: str, repo: str | None) -> str | None:
    """What ids begin with that are made of a problem's text; None if rows must bring their own."""
    if source == "local":
        return None
    return str(repo).split("/")[-1] if source == "hub" else source


def _run(job: Job) -> dict[str, Any]:
    arguments = job.params
    name = arguments.pop("source")
    source = SOURCES[name]
    if source.load is not None:
        table = source.load(**{key: arguments[key] for key in source.keys if key in arguments})
        job.write(table, "problems")
        job.log(f"{len(table)} problems")
        return {"problems": len(table)}
    selection = Selection(
        levels=tuple(arguments["levels"]),
        without=tuple(arguments.get("without", ())),
        excluded=_texts_elsewhere(job),
        size=arguments["size"],
    )
    fields = arguments.get("fields", {})
    prefix = id_prefix(name, arguments.get("repo"))
    left_out: Counter[str] = Counter()
    rows, place = _rows(job)
    chosen = choose(
        rows,
        columns_of(source, fields),
        selection,
        id_prefix=prefix,
        fields=fields,
        left_out=left_out,
    )
    table = table_of(chosen, place, selection.size)
    job.write(table, "problems")
    job.log(f"{len(table)} problems of {place}")
    for reason, count in left_out.items():
        job.log(f"left out: {count} {_REASONS[reason]}")
    return {"problems": len(table), "left_out": dict(left_out)} if left_out else {"problems": len(table)}


def _rows(job: Job) -> tuple[Iterable[tuple[str, Row]], str]:
    """The rows of the data set, and what they are called."""
    p = job.params
    if "sha256" in p:
        path = Path(str(job.how["path"]))
        if file_digest(path) != p["sha256"]:
            raise DataError(f"{path}: changed while the study was running; run again")
        return file_rows(path), str(path)
    key, study = f"datasets.{job.artifact.name}", str(job.how.get("study", "STUDY"))
    folder = hub.snapshot(p["repo"], p["revision"], key=key, study=study)
    splits = str(p["split"]).split("+")
    return hub.hub_rows(folder, p["repo"], p["subsets"], splits, key=key), f"{p['repo']} at {p['revision']}"


def _texts_elsewhere(job: Job) -> frozenset[str]:
    """The normalised texts of the data sets that this one excludes."""
    if not any(role.startswith("exclude:") for role in job.artifact.inputs):
        return frozenset()
    return frozenset(map(normalised, job.parts("exclude", "problems", ["question"])["question"]))


def _asks(artifact: Artifact) -> Asked | None:
    p, how = artifact.params, artifact.how
    if "repo" not in p or hub.cached(p["repo"], p["revision"]) is not None:
        return None
    return hub.asked(p["repo"], p["revision"], key=f"datasets.{artifact.name}", study=how["study"])


PROBLEMS = Stage(
    recipe=1,
    run=_run,
    leaves=lambda artifact: ("problems",),
    doing="problems",
    memory_mb=1000,
    minutes=10,
    asks=_asks,
)
