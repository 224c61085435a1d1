"""Ranks that are started, stopped and killed: the job says what happened, and the next try goes on."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from rlv import tables
from rlv.errors import DataError, LostRankError, ModelError, StoppedError, StudyError, in_vain
from rlv.training import launch, stage
from rlv.training.loop import train
from rlv.training.run import Run
from rlv.training.sources import Sampled
from tests.training.rank_runs import BASE

CONFIG = {**BASE, "steps": 6, "ranks": 2, "zero_stage": 2, "save_every": 1}


class Ranks:
    """The stage `train` on files; what it logs is seen by `seen(line)` as it comes."""

    def __init__(self, folder: Path, model_dir: Path, problems) -> None:
        self.work, self.out, self.lines = folder / "work", folder / "out", []
        self.model_dir, self.problems = model_dir, folder / "problems.parquet"
        folder.mkdir(parents=True, exist_ok=True)
        problems.write_parquet(self.problems)

    def run(self, seen=lambda line: None, **changes):
        def log(line: str) -> None:
            self.lines.append(line)
            seen(line)

        config = Run.of(**{**CONFIG, **changes}).settings()
        del config["threads"]
        job = SimpleNamespace(
            params=config,
            how={},
            threads=2 // config["nodes"],  # a node's; here all nodes are this machine
            artifact=SimpleNamespace(inputs={}),
            folder=lambda role: self.model_dir,
            file=lambda role, name: self.problems,
            work=self.work,
            out=self.out,
            log=log,
        )
        return stage._train(job)  # type: ignore[arg-type]

    def pid(self, rank: int) -> int:
        return json.loads((self.work / "ranks" / f"rank-{rank}.json").read_text())["pid"]

    def weights(self):
        return load_file(self.out / "model.safetensors")


@pytest.fixture
def ranks(tmp_path, model_dir, problems):
    return Ranks(tmp_path / "run", model_dir, problems)


@pytest.fixture(scope="module")
def alone(tmp_path_factory, model_dir, problems):
    """The same run in this process."""
    folder = tmp_path_factory.mktemp("alone")
    config = Run.of(**{**CONFIG, "ranks": 1, "zero_stage": 0})
    train(
        config,
        Sampled(problems),
        model_dir=model_dir,
        work_dir=folder / "work",
        out_dir=folder / "out",
        log=lambda _: None,
    )
    return load_file(folder / "out" / "model.safetensors")


def assert_close(found, expected) -> None:
    assert found.keys() == expected.keys()
    for name in found:
        torch.testing.assert_close(found[name], expected[name], atol=2e-5, rtol=0, msg=name)


def is_gone(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_rank_dies_a_signal_stops_and_the_third_try_ends(ranks, alone):
    other: list[int] = []

    def kill_one(line: str) -> None:
        if line.startswith("step 2"):
            other.append(ranks.pid(0))
            os.kill(ranks.pid(1), signal.SIGKILL)

    started = time.monotonic()
    with pytest.raises(LostRankError, match="rank 1 of 2 was ended by signal 9") as died:
        ranks.run(kill_one, steps=6)
    assert time.monotonic() - started < 90  # the start included; the others stop within seconds
    assert "rank-1.log" in str(died.value) and is_gone(other[0]) and not ranks.out.exists()
    saved = int((ranks.work / "checkpoints" / "latest").read_text().removeprefix("step-"))
    assert saved >= 1

    def stop(line: str) -> None:
        if line.startswith(f"step {saved + 1}"):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(StoppedError, match="a rerun goes on after step") as stopped:
        ranks.run(stop)
    assert f"going on after step {saved} of 6" in ranks.lines
    on = int(str(stopped.value).rpartition("after step ")[2].split()[0])
    assert saved < on < 6 and (ranks.work / "checkpoints" / "latest").read_text() == f"step-{on:06d}"

    # And now at another stage.
    summary = ranks.run(zero_stage=3)
    assert summary["resumed_from"] == on and summary["steps"] == 6
    assert_close(ranks.weights(), alone)
    steps = tables.read(ranks.out / "steps.parquet", "steps")
    assert steps["step"].to_list() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("behind", "vain"), [("", True), ("RuntimeError('device busy')", False)])
def test_what_stood_behind_a_ranks_error_still_decides_whether_to_try_again(tmp_path, behind, vain):
    report = {"error": "ModelError", "message": "vllm did not start", "behind": behind}
    (tmp_path / "rank-0.json").write_text(json.dumps(report))
    with pytest.raises(ModelError, match="vllm did not start") as raised:
        launch._outcome(1, tmp_path, 1)
    assert in_vain(raised.value) is vain


def test_srun_starts_ranks_on_several_nodes(ranks, alone, tmp_path, monkeypatch):
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(f"#!{sys.executable}\n" + Path(__file__).with_name("fake_srun.py").read_text())
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", str(srun.parent), prepend=os.pathsep)
    monkeypatch.setenv("SLURM_JOB_ID", "1")

    def stop(line: str) -> None:
        if line.startswith("step 2"):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(StoppedError, match="a rerun goes on after step"):
        ranks.run(stop, nodes=2)
    summary = ranks.run(nodes=2)
    assert summary["steps"] == 6 and summary["resumed_from"] >= 2
    assert "starting 2 ranks on 2 nodes" in ranks.lines
    assert_close(ranks.weights(), alone)


def test_several_nodes_need_slurm(ranks, monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(StudyError, match=r"nodes: 2 .* training\.nodes to 1"):
        ranks.run(nodes=2)


@pytest.mark.parametrize("n_ranks", [1, 2])
def test_another_launcher_around_it_is_refused(ranks, monkeypatch, n_ranks):
    monkeypatch.setenv("WORLD_SIZE", "4")
    job = {"ranks": n_ranks, "zero_stage": 0}
    with pytest.raises(ModelError, match=r"set training\.ranks to 4"):
        if n_ranks > 1:
            ranks.run(**job)
        else:
            train(
                Run.of(**{**CONFIG, **job}),
                Sampled(tables.read(ranks.problems, "problems")),
                model_dir=ranks.model_dir,
                work_dir=ranks.work,
                out_dir=ranks.out,
                log=print,
            )


TORCHRUN = """\
E0101 00:00:01.0 10 multiprocessing/api.py:1002] failed (exitcode: 1) local_rank: 2 (pid: 12) of binary: x
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
rlv.training.worker FAILED
------------------------------------------------------------
Failures:
[1]:
  time      : 2026-01-01_00:00:01
  host      : here
  rank      : 0 (local_rank: 0)
  exitcode  : {} (pid: 11)
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2026-01-01_00:00:00
  host      : here
  rank      : 3 (local_rank: 3)
  exitcode  : {} (pid: 12)
"""


@pytest.mark.parametrize(
    ("said", "rank", "how"),
    [
        (TORCHRUN.format(1, -9), 3, "was ended by signal 9"),
        (TORCHRUN.format(1, 1), 3, "failed with exit status 1"),
        # The launcher saw first who lost a peer; -15 is its own doing.
        (TORCHRUN.format(-9, 1), 0, "was ended by signal 9"),
        (TORCHRUN.format(-15, 1), 3, "failed with exit status 1"),
        ("srun: error: n2: task 5: Killed\nsrun: error: n1: task 0: Exited with exit code 1\n", 5, "Killed"),
        ("srun: error: Unable to create step\n", None, "could not be run"),
    ],
)
def test_the_first_failure_is_named(tmp_path, said, rank, how):
    (tmp_path / "launcher.log").write_text(said)
    found, ended = launch._first_failure(tmp_path, 1)
    assert found == rank and how in ended


def test_what_a_rank_raised_is_raised_again(tmp_path):
    (tmp_path / "rank-0.json").write_text(json.dumps({"pid": 1, "host": "here"}))
    (tmp_path / "rank-1.json").write_text(json.dumps({"error": "DataError", "message": "rows: none"}))
    with pytest.raises(DataError, match=r"^rows: none$"):
        launch._outcome(1, tmp_path, 2)
    (tmp_path / "rank-1.json").write_text(json.dumps({"error": "ValueError", "message": "x"}))
    (tmp_path / "launcher.log").write_text("")
    (tmp_path / "rank-0.json").write_text(json.dumps({"facts": {"steps": 3}}))
    assert launch._outcome(0, tmp_path, 1) == {"steps": 3}
