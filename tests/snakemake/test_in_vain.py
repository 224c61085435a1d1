"""The executor submits once what would fail in the same way again; any other failure has its retries."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest

from rlv.errors import DataError, StoppedError, StoreError
from rlv.store import Artifact, Store
from tests.cluster.fake_slurm import running
from tests.snakemake.bare import Bare, Job

MADE = Artifact("grade", "a", 1, {})


def fail(store: Store, error: Exception) -> None:
    with pytest.raises(type(error)), store.leasing(MADE, lambda line: None):
        raise error


def run(store: Store, error: Exception | None, *, numbers=("7",), attempt=1) -> tuple[Job, list[str]]:
    """A job that SLURM knows by the last of some numbers has failed; it, and what was said."""
    executor = Bare(store.root)
    executor.work_of = lambda job: store.root / ".work" / job.path
    job = Job(path=MADE.path, attempt=attempt, restart_times=2)
    for number in numbers:
        executor.report_job_submission(SimpleNamespace(job=job, external_jobid=number))
    if error is not None:
        fail(store, error)
    executor.handle_job_error(job)
    return job, executor.errors


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
    """An earlier run failed in vain, has been mended, and the node of this job is lost before it claims."""
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    fail(Store(tmp_path), DataError("row 3 has no answer"))
    assert run(Store(tmp_path), None, numbers=("7", "8"))[0].attempt == 1


SNAKEFILE = """
from pathlib import Path
from rlv.snakemake import executor, status

WORK = Path("store/.work/grade").absolute()
executor.put_in_place(lambda job: WORK / job.wildcards.name)

onstart:
    executor.Executor.question = status.question(1)

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
