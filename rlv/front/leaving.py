"""The tables of a study in one folder, each as Parquet and CSV: what people go on working with.

curves, per_problem, verification, reliability   of all evaluations, one below the other
solutions                                        every solution, graded, with a column a verifier
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import polars.selectors as cs

from rlv import tables
from rlv.errors import DataError
from rlv.outside.names import below
from rlv.pages.solutions import Note, read_solutions, scored, sources, steps_of
from rlv.plan import Plan
from rlv.run.stages import leaves
from rlv.store import Store

OF_EVALUATIONS = ("curves", "per_problem", "verification", "reliability")


def leave_tables(plan: Plan, store: Store, folder: Path, note: Note) -> list[Path]:
    """Write the tables of all published evaluations into a folder; returns the Parquet files.

    `note` gets a line for every table of solutions that is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in OF_EVALUATIONS:
        parts = [
            tables.read(store.open(artifact, f"{name}.parquet"), name)
            for artifact in plan.artifacts.values()
            if leaves(artifact, "curves") and leaves(artifact, name) and store.exists(artifact)
        ]
        if parts:
            # Votes without scores come with every verifier.
            found[name] = pl.concat(parts).unique(maintain_order=True)
    solutions = [
        run.rows.rename(_columns(run.verifiers), strict=False)
        .with_columns(dataset=pl.lit(run.dataset), reasoner=pl.lit(run.reasoner))
        .select("dataset", "reasoner", pl.exclude("dataset", "reasoner"))
        for source in sources(plan)
        for run in read_solutions(source, store, note)
    ]
    if solutions:
        found["solutions"] = pl.concat(solutions, how="diagonal")
    written = []
    for name, table in found.items():
        file = below(folder, f"{name}.parquet", error=DataError)
        table.write_parquet(file)
        table.select(~cs.by_name("text", require_all=False) & ~cs.list()).write_csv(file.with_suffix(".csv"))
        written.append(file)
    return written


def _columns(verifiers: Sequence[str]) -> dict[str, str]:
    """The names of columns of scores, and of scores of steps, in the table of solutions."""
    scores = {scored(verifier): f"score_{verifier}" for verifier in verifiers}
    return scores | {steps_of(verifier): f"steps_{verifier}" for verifier in verifiers}
