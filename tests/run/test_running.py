"""Jobs that run, from their leases and logs, as one line each."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rlv.job.progress import Progress
from rlv.run.running import Running, bar, running
from rlv.store import Artifact, Store

MADE, OTHER = Artifact("train", "a", 1, {}), Artifact("train", "b", 1, {})


def logged(store: Store, log: object) -> None:
    """Write the path of a log into the lease of MADE."""
    (file,) = (store.root / ".work" / "train").glob(f"{MADE.directory}.lease-*")
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "log": log, "started": "2026-01-01T00:00:00+00:00"}))


def test_a_job_has_the_progress_of_its_log(tmp_path):
    store, log = Store(tmp_path / "store"), tmp_path / "log"
    log.write_text("going on after step 30\n" + "x" * 200_000 + "\nbar\rstep 45/60 reward\n")
    with store.leasing(MADE, print), store.leasing(OTHER, print):
        logged(store, str(log))
        (job,) = running(store, {MADE.path})
        assert job.progress == Progress(45, 60, "steps", 30) and job.seconds > 0
        # Fifteen of thirty steps since January, and fifteen to come; the log was written just now.
        assert job.written == pytest.approx(job.seconds, rel=0.01)
        assert job.seconds_left == pytest.approx(job.seconds, rel=0.01)
        assert {job.path for job in running(store, {MADE.path, OTHER.path})} == {MADE.path, OTHER.path}
    assert running(store, {MADE.path}) == []


@pytest.mark.parametrize("log", [None, 7, "/no/such", "\x00", "/dev/zero", "FIFO"])
def test_a_log_that_is_not_there_is_no_progress(tmp_path, log):
    store = Store(tmp_path / "store")
    if log == "FIFO":
        os.mkfifo(tmp_path / "fifo")
        log = str(tmp_path / "fifo")
    with store.leasing(MADE, print):
        logged(store, log)
        (job,) = running(store, {MADE.path})
        assert job.progress is None and "so far" in bar(job, 80)


def test_a_time_that_is_none_is_now(tmp_path):
    store = Store(tmp_path)
    with store.leasing(MADE, print):
        (file,) = Path(tmp_path / ".work" / "train").glob("*.lease-*")
        file.write_text(json.dumps({**json.loads(file.read_text()), "started": "soon"}))
        assert running(store, {MADE.path})[0].seconds == 0


@pytest.mark.parametrize("width", [30, 60, 120])
def test_a_bar_fits_and_says_steps_speed_and_time_left(width):
    slow = Running("train/grpo-0123456789ab", 110.0, Progress(20, 60, "steps", 10), 100.0)
    line = bar(slow, width, ascii=True)
    assert len(line) <= width and line.startswith("train/g")
    if width == 120:
        # Ten steps in 100 s, so 400 s for those to come, of which ten have passed.
        assert line.startswith("train/grpo: ") and line.endswith("| 20/60 steps, 10.0 s a step, 06:30 left")
    fast = Running("sample/" + "x" * 99, 10.0, Progress(500, 1000, "solutions", 0, 20000), 10.0)
    assert bar(fast, width).endswith("left") or width == 30
    assert "500/1000 solutions, 50.0/s, 00:10 left" in bar(fast, 120)


def test_a_job_that_has_said_nothing_yet_has_no_speed():
    assert Running("a/b", 10.0).seconds_left is None
    assert "? left" in bar(Running("a/b", 10.0, Progress(30, 60, "steps", 30), 5.0), 100)
