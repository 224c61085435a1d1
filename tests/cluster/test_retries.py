"""A job that would fail in the same way again is submitted once; any other failure has its retries."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest
from polars.exceptions import ComputeError

from rlv import tables
from rlv.cluster import retries
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
from tests.cluster.fake_slurm import running

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


class Job(SimpleNamespace):
    def __hash__(self) -> int:
        return id(self)


def run(store: Store, error: Exception | None, *, numbers=("7",), attempt=1) -> tuple[Job, list[str]]:
    """A job that SLURM knows by the last of some numbers has failed; it, and what was said."""
    said: list[str] = []
    executor = SimpleNamespace(
        report_job_submission=lambda info, *arguments, **more: None,
        handle_job_error=lambda job: None,
        logger=SimpleNamespace(error=said.append),
    )
    retries.install(executor, lambda job: store.root / ".work" / job.path)
    job = Job(path=MADE.path, attempt=attempt, restart_times=2)
    for number in numbers:
        executor.report_job_submission(SimpleNamespace(job=job, external_jobid=number))
    if error is not None:
        fail(store, error)
    executor.handle_job_error(job)
    return job, said


def test_the_tries_that_are_left_are_taken_away(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    job, (line,) = run(Store(tmp_path), DataError("row 3 has no answer"))
    assert job.restart_times <= job.attempt - 1  # what Snakemake's scheduler asks
    assert MADE.path in line and "row 3 has no answer" in line


@pytest.mark.parametrize("error", [None, StoreError("no space left"), StoppedError("by SIGTERM")])
def test_other_failures_keep_them(tmp_path, monkeypatch, error):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    job, said = run(Store(tmp_path), error)
    assert job.attempt == 1 and not said


def test_a_lease_of_another_job_says_nothing_of_this_one(tmp_path, monkeypatch):
    """An earlier run failed in vain, has been mended, and this job's node is lost before it has a lease."""
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    store = Store(tmp_path)
    fail(store, DataError("row 3 has no answer"))
    assert run(store, None, numbers=("7", "8"))[0].attempt == 1
    assert retries.why_in_vain(store.root / ".work" / MADE.path, None) is None
    assert retries.why_in_vain(store.root / ".work" / MADE.path, "7") == "row 3 has no answer"


SNAKEFILE = """
from pathlib import Path
from rlv.cluster import retries
from rlv.snakemake import status

WORK = Path("store/.work/grade").absolute()

onstart:
    status.install(workflow, 1)
    retries.install(workflow.scheduler._executor, lambda job: WORK / job.wildcards.name)

rule all:
    input: "DataError.made", "OSError.made"

rule grade:
    output: "{name}.made"
    resources: mem_mb=100, runtime=5, slurm_partition="cpu"
    shell: "python fail.py {wildcards.name}"
"""
FAIL = """
import builtins, sys
from pathlib import Path
from rlv import errors
from rlv.store.leasing import Timing, leasing
name = sys.argv[1]
kind = getattr(errors, name, None) or getattr(builtins, name)
root = Path("store").absolute()
rest = dict(published=lambda: False, about={}, timing=Timing(), log=print)
with leasing(root / ".work" / "grade" / name, root, **rest):
    raise kind("as told")
"""


def test_snakemake_submits_once_what_is_in_vain_and_the_rest_again(tmp_path, monkeypatch):
    """Through the executor itself, on a SLURM that runs its jobs on this machine."""
    pytest.importorskip("snakemake_executor_plugin_slurm")
    jobs = running(tmp_path / "slurm", monkeypatch)
    (tmp_path / "Snakefile").write_text(SNAKEFILE.replace("python fail", f"{sys.executable} fail"))
    (tmp_path / "fail.py").write_text(FAIL)
    options = ["--executor", "slurm", "--jobs", "4", "--retries", "2", "--keep-going", "--latency-wait", "1"]
    quick = ["--slurm-init-seconds-before-status-checks", "1", "--scheduler", "greedy", "--nolock"]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *options, *quick],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    said = done.stdout + done.stderr
    assert done.returncode != 0
    submitted = Counter(
        name for file in jobs.glob("*.said") for name in ("DataError", "OSError") if name in file.read_text()
    )
    assert submitted == {"DataError": 1, "OSError": 3}, said
    assert "grade/DataError: not tried again, which would be in vain: as told" in said
