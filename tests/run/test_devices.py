"""GPUs of a machine without a scheduler: jobs that run side by side never share one."""

from __future__ import annotations

import os
import threading

import pytest

from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.run import devices
from rlv.run.devices import VISIBLE, Device, gpus_of, leased, local_gpus
from rlv.run.stages import STAGES
from rlv.store import Artifact


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with three GPUs, and jobs that look often."""
    gpus = tuple(Device(f"GPU-{i}", "Pretend") for i in range(3))
    monkeypatch.setattr(devices, "local_gpus", lambda: gpus)
    monkeypatch.setattr(devices, "_POLL_SECONDS", 0.01)
    monkeypatch.delenv(VISIBLE, raising=False)


def test_leases_are_disjoint_and_given_back(tmp_path):
    with leased(2, print, tmp_path):
        first = os.environ.pop(VISIBLE).split(",")
        with leased(1, print, tmp_path):
            second = os.environ[VISIBLE].split(",")
        os.environ[VISIBLE] = ",".join(first)
    assert len(first) == 2 and not set(first) & set(second)
    assert VISIBLE not in os.environ
    with leased(3, print, tmp_path):
        assert len(os.environ[VISIBLE].split(",")) == 3


def test_a_job_waits_for_all_that_it_needs_and_holds_nothing_meanwhile(tmp_path):
    said, got = [], threading.Event()

    def large():
        with leased(3, said.append, tmp_path):
            got.set()

    with leased(1, print, tmp_path):
        del os.environ[VISIBLE]  # as in another process
        waiting = threading.Thread(target=large)
        waiting.start()
        while not said:
            got.wait(0.01)
        # Two are free still, for a job that needs no more.
        with leased(2, print, tmp_path):
            assert not got.is_set()
        os.environ[VISIBLE] = ""
    assert got.wait(10)
    waiting.join()
    assert said == ["waiting for 3 of 3 GPUs"]


@pytest.mark.parametrize("wanted", [0, 1])
def test_a_scheduler_has_the_word(tmp_path, monkeypatch, wanted):
    monkeypatch.setenv(VISIBLE, "7")
    with leased(wanted, print, tmp_path):
        assert os.environ[VISIBLE] == "7"
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_a_driver_has_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    local_gpus.cache_clear()
    assert local_gpus() == ()
    local_gpus.cache_clear()


def test_gpus_are_those_that_the_driver_lists(monkeypatch, tmp_path):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU-1, NVIDIA L4, 23040'\necho 'GPU-2, NVIDIA L4, [N/A]'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    local_gpus.cache_clear()
    assert local_gpus() == (Device("GPU-1", "NVIDIA L4", 22.5), Device("GPU-2", "NVIDIA L4"))
    local_gpus.cache_clear()


def test_jobs_ask_for_what_they_compute_on():
    wanted = {(a.stage, gpus_of(a)) for a in build_plan(load("paper")).artifacts.values()}
    assert {("train", 4), ("train", 8), ("sample", 1), ("score", 1), ("grade", 0), ("figures", 0)} <= wanted


@pytest.mark.parametrize(("engine", "wanted"), [("transformers", 1), ("vllm", 2)])
@pytest.mark.parametrize("stage", ["sample", "force", "score"])
def test_only_vllm_divides_a_model_over_gpus(stage, engine, wanted):
    """A study with a verifier on vLLM may set `tensor_parallel` for a model that transformers samples."""
    params = {"engine": engine, "score": "judge"}
    assert gpus_of(Artifact(stage, "a", 1, params, how={"tensor_parallel": 2})) == wanted


@pytest.mark.parametrize(("ranks", "nodes"), [(1, 1), (4, 1), (4, 2)])
def test_a_training_has_a_gpu_a_rank(ranks, nodes):
    made = Artifact("train", "a", 1, {}, how={"ranks": ranks, "nodes": nodes})
    assert gpus_of(made) * nodes == STAGES["train"].gpus(made) == ranks
