"""Own samples, from files to pages: their study is written, made in this process, and left for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rlv import tables
from rlv.errors import DataError, StudyError
from rlv.front.describe import Options, describe
from rlv.front.leaving import leave_tables
from rlv.front.summary import summary
from rlv.outside.files import parse_json
from rlv.pages.explorer import write_explorer
from rlv.pages.notes import silent_notes
from rlv.pages.results import write_results
from rlv.plan import Plan, build_plan
from rlv.plan.reading import EVALUATED, load
from rlv.run.make import make
from rlv.snakemake.copies import copies, publish
from rlv.store import Store
from rlv.study.configuration import results_folder

STUDY, TABLES = EVALUATED, "tables"
# The first line of a study that is written here: such a file may be written again.
_MARK = "# Written by `rlv evaluate`. In a clone of rlv: snakemake --config study=THIS store=STORE -- all"


def evaluate(
    groups: Mapping[str, Sequence[str]],
    options: Options,
    *,
    name: str,
    folder: Path,
    store: Store,
    log: Callable[[str], None],
    threads: int = 1,
) -> list[str]:
    """Evaluate files of samples and leave everything in a folder; returns a summary, line by line.

    `groups`: reasoner's name -> its files. `log` gets the lines of stages. Raises DataError and StudyError
    for files and flags that do not fit, and if the folder has a study that somebody else has written.
    """
    described = describe(groups, options, name)
    file = folder / STUDY
    _write(file, described.study)
    plan = build_plan(load(str(file)))
    for artifact in plan.artifacts.values():
        make(artifact, store, threads=threads, log=log)
    for target in copies(plan, folder).values():
        publish(target.artifact, store, target.folder)
    leave_tables(plan, store, folder / TABLES, log)
    solutions = write_explorer(plan, store, folder, log)
    write_results(plan, store, folder, solutions=solutions, note=log)
    notes = [*described.files, *silent_notes(plan, store), *described.notes]
    return [*summary(_curves(folder), _claims(plan, store), notes), "", *_left(folder, solutions)]


def _write(file: Path, study: dict[str, Any]) -> None:
    if file.exists() and not file.read_text(encoding="utf-8").startswith(_MARK):
        raise StudyError(f"{file}: not written by `rlv evaluate`; use --out with another folder, or move it")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"{file.parent}: {error.strerror}; use --out with a folder to write into") from error
    text = yaml.safe_dump(study, sort_keys=False, allow_unicode=True, width=100)
    file.write_text(f"{_MARK}\n{text}", encoding="utf-8")


def _curves(folder: Path) -> Any:
    return tables.read_parquet(folder / TABLES / "curves.parquet")


def _claims(plan: Plan, store: Store) -> list[dict[str, Any]]:
    assert plan.claims is not None
    found = parse_json(store.open(plan.claims, "claims.json").read_bytes())
    if not isinstance(found, list):
        raise DataError(f"{plan.claims.path}: claims.json is no scoreboard")
    return found


def _left(folder: Path, solutions: int) -> list[str]:
    named = folder.name if folder == results_folder() / folder.name else str(folder / STUDY)
    return [
        f"{folder / 'index.html'}: claims, figures, accuracies; solutions.html: {solutions:,} solutions",
        f"{folder / TABLES}: the same numbers as Parquet and CSV; {folder / STUDY}: the study",
        f"rlv show PROBLEM --study {named}: one problem and its solutions in the terminal",
    ]
