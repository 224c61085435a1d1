"""What is measured changes no lasting digest; everything else does."""

from __future__ import annotations

import json

import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.provenance.measured import MEASURED_COLUMNS, lasting
from rlv.store import Store

TABLES = [("train", "steps"), ("overhead", "overhead")]


def original(finished, stage: str, name: str):
    artifact = next(a for a in finished.plan.artifacts.values() if a.stage == stage)
    return finished.store.location(artifact) / name


def other(value):
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else f"{value}x" if isinstance(value, str) else 1.0


@pytest.mark.parametrize(
    ("stage", "table", "column"),
    [(stage, table, c) for stage, table in TABLES for c in tables.SCHEMAS[table]],
)
def test_a_column_counts_unless_it_is_measured(finished, tmp_path, stage, table, column):
    path = original(finished, stage, f"{table}.parquet")
    frame = pl.read_parquet(path)
    changed = [other(frame[column][0]), *frame[column].to_list()[1:]]
    copy = tmp_path / f"{table}.parquet"
    frame.with_columns(pl.Series(column, changed, dtype=frame.schema[column])).write_parquet(copy)
    same = lasting(stage, path.name, path) == lasting(stage, path.name, copy)
    assert same == (column in MEASURED_COLUMNS[table])


@pytest.mark.parametrize(("stage", "table"), TABLES)
def test_how_a_table_is_written_does_not_count(finished, tmp_path, stage, table):
    path = original(finished, stage, f"{table}.parquet")
    copy = tmp_path / path.name
    pl.read_parquet(path).write_parquet(copy, compression="uncompressed")
    assert copy.read_bytes() != path.read_bytes()
    assert lasting(stage, path.name, path) == lasting(stage, path.name, copy)


def write_claims(board: pl.DataFrame, folder) -> None:
    from rlv.evaluation.claims.page import page

    folder.mkdir()
    board.write_parquet(folder / "claims.parquet")
    board.write_csv(folder / "claims.csv")
    (folder / "claims.json").write_text(json.dumps(board.to_dicts()))
    (folder / "claims.html").write_text(page(board))


@pytest.mark.parametrize("ending", ["parquet", "csv", "json", "html"])
def test_every_claim_counts_but_that_of_seconds(finished, tmp_path, ending):
    board = pl.read_parquet(original(finished, "claims", "claims.parquet"))
    write_claims(board, tmp_path / "before")
    name = f"claims.{ending}"
    before = lasting("claims", name, tmp_path / "before" / name)
    measured = 0
    for i, row in enumerate(board.iter_rows(named=True)):
        rows = board.to_dicts()
        rows[i]["ours"] = other(row["ours"])
        rows[i]["detail"] += ", again"
        write_claims(tables.frame("claims", rows), tmp_path / str(i))
        same = lasting("claims", name, tmp_path / str(i) / name) == before
        assert same == row["statement"].startswith("Seconds of a training step")
        measured += same
    assert measured == 1


def test_other_files_hold_no_measurements(finished):
    with_measurements = {
        (artifact.stage, name)
        for artifact in finished.plan.artifacts.values()
        for name in finished.store.manifest(artifact)["files"]
        if lasting(artifact.stage, name, finished.store.location(artifact) / name) is not None
    }
    claims = {("claims", f"claims.{ending}") for ending in ("parquet", "csv", "json", "html")}
    assert with_measurements == {("train", "steps.parquet"), ("overhead", "overhead.parquet")} | claims


def test_two_runs_differ_in_nothing_but_measurements(finished, second: Store):
    """Bit for bit, for everything that a study leaves: one process, one thread, no GPU."""
    for artifact in finished.plan.artifacts.values():
        one, two = finished.store.manifest(artifact)["files"], second.manifest(artifact)["files"]
        for name in one:
            paths = [store.location(artifact) / name for store in (finished.store, second)]
            digests = [lasting(artifact.stage, name, path) for path in paths]
            if digests[0] is None:
                digests = [files[name]["sha256"] for files in (one, two)]
            assert digests[0] == digests[1], f"{artifact.path}/{name}"


def test_a_file_that_is_no_such_table_is_refused(tmp_path):
    path = tmp_path / "steps.parquet"
    path.write_text("nothing")
    with pytest.raises(DataError, match=r"steps\.parquet: not the steps\.parquet of the stage train"):
        lasting("train", "steps.parquet", path)
