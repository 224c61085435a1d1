"""The stage `figures`: gathers a figure's tables, and leaves picture, numbers and caption beside each other.

    <name>.csv   what is drawn          <name>.pdf, <name>.png   the picture
    <name>.rst   the caption, reStructuredText, for the report
    <name>.<…>   texts of the figure's own, if its module has `files`

The same tables give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from types import ModuleType
from typing import Any

import polars as pl

from rlv import tables
from rlv.errors import DataError
from rlv.figures import FIGURES
from rlv.job import Job, Stage
from rlv.job.own_code import drawing_code
from rlv.outside.names import below
from rlv.registry import imported

# Where tables come from, as roles of inputs begin; all others come from evaluations.
SOURCES = {
    **{"steps": "train:", "frontier": "allocate:", "winners": "allocate:", "surface": "allocate:"},
    **{"adaptive": "stop:", "first_errors": "locate:", "attacks": "attack:"},
    **{"confusion": "cross_grade:", "grader_attacks": "cross_grade:"},
}
# How a message calls the parameters without which an evaluation lacks a table.
NEEDED = {
    "verifier": "a verifier",
    "thresholds": "thresholds",
    "fitted": "a vote such as softmax:fit",
    "members": "a panel",
    "chains": "several chains a solution",
}


def _run(job: Job) -> dict[str, Any]:
    from rlv.figures import style

    name = job.params["figure"]
    drawn = job.params.get("drawing", name)
    drawing, figure = FIGURES[drawn], module_of(drawn)
    found = {table: gather(job, table, optional=drawing.needs == "everything") for table in drawing.tables}
    data = figure.data(found, job.params)
    # A crate may bring a name that no study could have.
    data.write_csv(below(job.out, f"{name}.csv", error=DataError))
    style.save(figure.draw(data), below(job.out, name, error=DataError))
    texts = {".rst": figure.caption(data)}
    if hasattr(figure, "files"):
        texts |= figure.files(data)
    for suffix, text in texts.items():
        below(job.out, f"{name}{suffix}", error=DataError).write_text(text, encoding="utf-8")
    job.log(f"{name}: {data.height} points drawn")
    return {"points": data.height}


def module_of(name: str) -> ModuleType:
    """The module that draws a figure. Raises StudyError, naming the package, if it cannot be imported."""
    module = FIGURES[name].module
    named = f"{FIGURES.group} {name!r}: module {module} of {FIGURES.package(name) or 'rlv'}"
    return imported(named, partial(import_module, module))


def gather(job: Job, table: str, *, optional: bool = False) -> pl.DataFrame:
    """One table of all inputs that have it; steps get the column `reasoner` from the input's role.

    `optional`: a table that none of the inputs has is empty. Raises DataError if there are no inputs, or none
    has a table that is not optional; StoreError as the store does.
    """
    # Roles that the plan gives; it refuses reasoners without steps (rlv/plan/checks/products.py).
    source = SOURCES.get(table, "evaluate:")
    inputs = {role: a for role, a in job.artifact.inputs.items() if role.startswith(source)}
    having = [role for role, artifact in inputs.items() if tables.leaves(artifact.params, table)]
    if inputs and not having and optional:
        return tables.frame(table, [])
    if not having:
        needed = " and ".join(NEEDED[name] for name in tables.LEFT_WITH.get(table, ()))
        lacks = f"{len(inputs)} evaluations, none with {needed}" if inputs else f"no input {source}…"
        raise DataError(f"{job.artifact.path}: {lacks}, to read a {table} table from; add one to the study")
    parts = []
    for role in having:
        part = job.table(role, table)
        parts.append(
            part.with_columns(reasoner=pl.lit(role.removeprefix(source))) if table == "steps" else part
        )
    return pl.concat(parts)


def _code(params: Mapping[str, Any]) -> str:
    """Of the module that draws a figure, of what it draws with, and of this one. Raises DataError."""
    name = str(params.get("drawing") or params.get("figure"))
    if name not in FIGURES:
        raise DataError(f"drawing: no figure {name!r}; there are {', '.join(FIGURES)}")
    return drawing_code(FIGURES[name].module, __name__, without="rlv.figures")


FIGURE = Stage(recipe=4, run=_run, code=_code, doing="drawing", memory_mb=1000, minutes=10)
