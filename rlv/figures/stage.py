"""The stage `figures`: gathers a figure's tables, and leaves picture, numbers and caption beside each other.

    <name>.csv   what is drawn          <name>.pdf, <name>.png   the picture
    <name>.rst   the caption, reStructuredText, for the report

The same tables give the same bytes. Left out on purpose: what a figure shows (its own module).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import polars as pl

from rlv.errors import DataError
from rlv.figures import FIGURES
from rlv.job import Job, Stage

# Which inputs have a table, by the beginning of their role.
SOURCES = {"curves": "evaluate", "per_problem": "evaluate", "steps": "train"}


def _run(job: Job) -> dict[str, Any]:
    from rlv.figures import style

    name = job.params["figure"]
    drawing = FIGURES[name]
    figure = import_module(drawing.module)
    data = figure.data({table: gather(job, table) for table in drawing.tables}, job.params)
    data.write_csv(job.out / f"{name}.csv")
    style.save(figure.draw(data), job.out / name)
    (job.out / f"{name}.rst").write_text(figure.caption(data), encoding="utf-8")
    job.log(f"{name}: {data.height} points drawn")
    return {"points": data.height}


def gather(job: Job, table: str) -> pl.DataFrame:
    """One table of all inputs that have it; steps get the column `reasoner` from the input's role.

    Raises DataError where no input has it or a reasoner was not trained, StoreError as the store does.
    """
    source = SOURCES[table]
    roles = [role for role in job.artifact.inputs if role.startswith(f"{source}:")]
    if not roles:
        raise DataError(
            f"{job.artifact.path}: no input {source}:… to read a {table} table from; name comparisons"
        )
    parts = []
    for role in roles:
        reasoner = role.removeprefix(f"{source}:")
        if source == "train" and job.artifact.inputs[role].stage != "train":
            raise DataError(
                f"{job.artifact.path}: reasoner {reasoner!r} is not trained and has no steps; choose "
                "comparisons of trained reasoners for this figure"
            )
        part = job.table(role, table)
        parts.append(part.with_columns(reasoner=pl.lit(reasoner)) if source == "train" else part)
    return pl.concat(parts)


FIGURE = Stage(recipe=1, run=_run)
