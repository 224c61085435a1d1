"""A job that would fail in the same way again is submitted once; any other failure has its retries."""

from __future__ import annotations

import pytest
from polars.exceptions import ComputeError

from rlv import tables
from rlv.cluster.retries import why_in_vain
from rlv.errors import (
    DamagedArtifactError,
    DataError,
    LostRankError,
    ModelError,
    SiteError,
    StoppedError,
    StoreError,
    StuckError,
    StudyError,
    in_vain,
)
from rlv.problems.files import file_rows
from rlv.store import Artifact, Store

MADE = Artifact("grade", "a", 1, {})


class NotBrought(FileNotFoundError, ValueError):
    """As some libraries have it: what a network did not bring is a wrong value, too."""


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "vain"),
    [
        *((kind("x"), True) for kind in (StudyError, DataError, ModelError, SiteError, StuckError)),
        *((kind("x"), False) for kind in (StoppedError, LostRankError, StoreError, DamagedArtifactError)),
        (raised(DataError("not JSON"), ValueError("line 3")), True),
        (raised(DataError("no network"), ConnectionError("refused")), False),
        (raised(ModelError("not in the cache"), NotBrought()), False),
        (raised(ModelError("vllm did not start"), RuntimeError("device busy")), False),
        (raised(DataError("no table"), ComputeError("parquet: no footer")), True),
        (raised(DataError("no table"), ComputeError("Input/output error (os error 5)")), False),
        (raised(ModelError("no rows"), DataError("line 3")), True),
        (raised(ModelError("no rows"), raised(DataError("no disk"), OSError("gone"))), False),
        (raised(ModelError("no folder"), StoreError("cannot be read")), False),
        (MemoryError(), False),
        (ValueError("a bug"), False),
        (KeyboardInterrupt(), False),
        (None, False),
    ],
)
def test_what_another_try_would_only_meet_again(error, vain):
    assert in_vain(error) is vain


def test_a_damaged_data_file_is_read_in_vain(tmp_path):
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1garbage")
    for read in (lambda: list(file_rows(path)), lambda: tables.read(path, "problems")):
        with pytest.raises(DataError, match="not a readable") as error:
            read()
        assert in_vain(error.value)


def fail(store: Store, error: Exception) -> None:
    with pytest.raises(type(error)), store.leasing(MADE, lambda line: None):
        raise error


def test_only_the_lease_of_the_same_job_says_why_it_failed(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    store = Store(tmp_path)
    work = store.root / ".work" / MADE.path
    assert why_in_vain(work, "7") is None
    fail(store, DataError("row 3 has no answer"))
    assert why_in_vain(work, "7") == "row 3 has no answer"
    assert why_in_vain(work, "8") is None and why_in_vain(work, None) is None
