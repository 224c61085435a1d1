"""Why jobs failed is the last thing on the terminal, each cause once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.snakemake.causes import Causes, cause_in
from rlv.snakemake.copies import copies
from rlv.snakemake.receipts import Receipts
from rlv.store import Store

ROOT = Path(__file__).parents[2]
PLAN = build_plan(load("mini"))
FIRST, SECOND, THIRD, *_ = PLAN.artifacts


@pytest.fixture
def causes(tmp_path, monkeypatch) -> Causes:
    monkeypatch.chdir(tmp_path)
    results = Path("results/mini")
    return Causes(PLAN, Receipts(Path("results"), Store("store")), copies(PLAN, results), results)


def write(path: str, text: str = "x") -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


TRACE = "Traceback (most recent call last):\n  File x, line 1\n    f()\n"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("started\nrlv: study: expected A, found B; use C\n", "study: expected A, found B; use C"),
        ("rlv: first\nstep 1\nrlv: last\n  and more\n", "last\n  and more"),
        (f"started\n{TRACE}torch.OutOfMemoryError: CUDA: 2 GiB\n", "torch.OutOfMemoryError: CUDA: 2 GiB"),
        (f"{TRACE}ValueError\nsome library says goodbye\n", "ValueError"),
        ("1 of 9 steps\nslurmstepd: error: Detected 1 oom_kill event in step 3\n", None),
        ("1 of 9 steps\nslurmstepd: error: *** JOB 3 CANCELLED AT now DUE TO TIME LIMIT ***", None),
        ("1 of 9 steps\n", ""),
        ("", ""),
    ],
)
def test_the_cause_in_a_log(text, cause):
    if cause is None:
        assert cause_in(text) == text.splitlines()[-1]
    else:
        assert (cause_in(text) or "") == cause


def test_a_long_message_is_cut():
    found = cause_in("rlv: " + "\n".join(map(str, range(100))))
    assert found is not None and found.endswith("\n11\n… 88 more lines")


def test_jobs_of_one_cause_stand_together_and_others_do_not(causes):
    write(f"logs/{FIRST}.log", "rlv: of an earlier run\n")
    causes.start()
    assert causes.lines() == []
    for path in (SECOND, THIRD):
        write(f"logs/{path}.log", "rlv: no space left\nuse another disk\n")
    write("logs/publish/mini-claims.log", "rlv: claims: damaged\n")
    lines = causes.lines()
    at = lines.index(f"failed: {SECOND}, {THIRD}")
    assert lines[at + 1 : at + 4] == ["  no space left", "  use another disk", f"  log: logs/{SECOND}.log"]
    assert "failed: publishing claims" in lines and "the same command" in lines[-1]
    assert not any("earlier" in line for line in lines)


def test_what_failed_again_and_what_was_finished(causes):
    log = write(f"logs/{FIRST}.log", "rlv: as ever\n")
    causes.start()
    os.utime(log, ns=(log.stat().st_atime_ns, log.stat().st_mtime_ns + 1))
    assert f"failed: {FIRST}" in causes.lines()
    receipts = Receipts(Path("results"), Store("store"))
    write(str(receipts.path(PLAN.artifacts[FIRST])))
    assert causes.lines() == []


def test_a_job_that_slurm_ended_has_slurms_words(causes):
    causes.start()
    stage, directory = FIRST.split("/")
    write(f"logs/{FIRST}.log", "1 of 9 steps\n")
    for number, words in ((9, "x DUE TO TIME LIMIT"), (10, "slurmstepd: error: Detected 1 oom_kill event")):
        write(f"logs/slurm/rule_{stage}/{directory}/{number}.log", words)
    lines = causes.lines()
    assert lines[2].strip() == "slurmstepd: error: Detected 1 oom_kill event" and lines[3].endswith("/10.log")


def test_a_log_without_a_cause_and_one_that_is_no_file(causes):
    causes.start()
    write(f"logs/{FIRST}.log", "\x00\xff")
    assert "does not state why" in "\n".join(causes.lines())
    Path(f"logs/{FIRST}.log").unlink()
    os.mkfifo(f"logs/{FIRST}.log")
    assert causes.lines() == []
