"""Tables are read whole or in part, and a file that breaks the contract is refused either way."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError, StoreError
from rlv.job import Job
from rlv.problems.files import file_rows
from rlv.store import Artifact, Store

ROWS = {
    "step": [1, 1, 2],
    "problem_id": ["a", "b", "a"],
    "sample_id": [0, 0, 0],
    "token_ids": [[1, 2], [], [3]],
    "reward": [1.0, 0.0, 0.5],
    "finished": [True, False, True],
}


@pytest.fixture
def path(tmp_path):
    tables.write(tables.frame("rollouts", ROWS), tmp_path / "rollouts.parquet", "rollouts")
    return tmp_path / "rollouts.parquet"


def test_some_columns_are_those_of_the_whole(path):
    whole = tables.read(path, "rollouts")
    assert whole.to_dict(as_series=False) == ROWS
    for columns in (["reward"], ["finished", "step"], list(reversed(ROWS))):
        part = tables.read(path, "rollouts", columns)
        assert part.columns == columns and part.equals(whole.select(columns))
    with pytest.raises(ValueError, match=r"no columns \['text'\]"):
        tables.read(path, "rollouts", ["step", "text"])


@pytest.mark.parametrize("columns", [None, ["step"]])
def test_a_file_that_breaks_the_contract_is_refused_whatever_is_read(path, columns):
    def refused(data, message):
        data.write_parquet(path)
        with pytest.raises(DataError, match=message):
            tables.read(path, "rollouts", columns)

    data = tables.frame("rollouts", ROWS)
    refused(data.drop("token_ids"), r"lacks columns \['token_ids'\]")
    refused(data.with_columns(new=1), r"unknown columns \['new'\]")
    refused(
        data.with_columns(pl.col("reward").cast(pl.Float32)), "'reward' .* is Float32, it should be Float64"
    )
    path.write_bytes(b"no Parquet")
    with pytest.raises(DataError, match="not a readable rollouts table"):
        tables.read(path, "rollouts", columns)


def test_young_columns_may_be_left_out_of_a_frame_and_no_others():
    columns = {"problem_id": ["p"], "sample_id": [0], "budget": [9], "text": ["5"], "token_ids": [[1]]}
    columns |= {"n_prompt_tokens": [1], "n_tokens": [1], "flops": [1.0], "finish_reason": ["stop"]}
    found = tables.check(tables.frame("samples", columns), "samples", "here")
    assert found.select(tables.YOUNG["samples"]).null_count().row(0) == (1, 1)
    with pytest.raises(KeyError):
        tables.frame("samples", {name: columns[name] for name in columns if name != "flops"})


def test_a_table_from_before_its_young_columns_is_read_with_nulls(tmp_path):
    young = tables.YOUNG["steps"]
    whole = tables.frame("steps", [{"step": 1, "reward": 0.5}, {"step": 2, "policy_grad_norm": 0.25}])
    path = tmp_path / "steps.parquet"
    tables.write(whole, path, "steps")
    assert tables.read(path, "steps").equals(whole)
    whole.drop(young).write_parquet(path)
    read = tables.read(path, "steps")
    assert read.schema == whole.schema and read["reward"].to_list() == whole["reward"].to_list()
    assert all(read[column].null_count() == 2 for column in young)
    assert tables.read(path, "steps", ["step", young[0]]).to_dict(as_series=False) == {
        "step": [1, 2],
        young[0]: [None, None],
    }
    assert tables.read(path, "steps", [young[0]]).height == 2
    # What is written has all of them, and no other column may be missing.
    with pytest.raises(DataError, match="lacks columns"):
        tables.write(whole.drop(young), path, "steps")
    whole.drop([*young, "kl"]).write_parquet(path)
    with pytest.raises(DataError, match=r"lacks columns \['kl'\]"):
        tables.read(path, "steps")


def test_a_full_disk_is_the_systems_error(tmp_path):
    with pytest.raises(OSError, match="No space left on device: '/dev/full'") as raised:
        tables.write(tables.frame("rollouts", ROWS), Path("/dev/full"), "rollouts")
    assert raised.value.errno == errno.ENOSPC
    # So that who publishes can say what is full.
    store, made = Store(tmp_path), Artifact("train", "a", 1, {})
    with pytest.raises(StoreError, match="no space left while writing train/a"), store.publishing(made):
        tables.write(tables.frame("rollouts", ROWS), Path("/dev/full"), "rollouts")


def test_parts_of_an_input_are_read_in_order(tmp_path):
    store = Store(tmp_path / "store")
    shards = {}
    for k in (1, 0):
        shards[f"rollouts:{k:05d}"] = artifact = Artifact("sample", f"s{k}", 1, {"k": k})
        with store.publishing(artifact) as publication:
            rows = tables.frame("rollouts", ROWS).with_columns(pl.lit(k, pl.Int32).alias("sample_id"))
            tables.write(rows, publication.path / "rollouts.parquet", "rollouts")
    of_all = Artifact("grade", "all", 1, {}, shards)
    job = Job(of_all, store, tmp_path, tmp_path, 1, lambda _: None)
    columns = ["sample_id", "problem_id"]
    found = job.parts("rollouts", "rollouts", columns)
    assert found.columns == columns and found["sample_id"].to_list() == [0, 0, 0, 1, 1, 1]
    assert found.equals(job.parts("rollouts", "rollouts").select(columns))
    one = job.table("rollouts:00001", "rollouts", columns)
    assert one["sample_id"].to_list() == [1, 1, 1]


@pytest.mark.parametrize(("name", "beside"), [("st*", "stX"), ("st?", "stX"), ("st[X]", "stX"), ("~", "x")])
def test_a_path_is_one_file_whatever_its_name(tmp_path, name, beside):
    data = tables.frame("rollouts", ROWS)
    for folder in (tmp_path / name, tmp_path / beside):
        folder.mkdir()
        tables.write(data, folder / "rollouts.parquet", "rollouts")
        data.drop("token_ids").write_csv(folder / "rollouts.csv")
    assert tables.read(tmp_path / name / "rollouts.parquet", "rollouts").height == data.height
    assert tables.read(tmp_path / name / "rollouts.parquet", "rollouts", ["step"]).height == data.height
    assert len(list(file_rows(tmp_path / name / "rollouts.parquet"))) == data.height
    assert tables.read_csv(tmp_path / name / "rollouts.csv").height == data.height


def test_polars_reads_files_in_one_place_alone():
    """There it is told that a path has no patterns."""
    package = Path(tables.__file__).parents[1]
    reading = re.compile(r"\bpl\.(?:read|scan)_\w+\(.*")
    found = {
        (path.relative_to(package).as_posix(), call)
        for path in package.rglob("*.py")
        for call in reading.findall(path.read_text())
    }
    assert {where for where, _ in found} == {"tables/__init__.py"}
    for _, call in found - {("tables/__init__.py", "pl.read_parquet_schema(file)")}:
        assert "glob=False" in call
