"""`rlv status` and `rlv time` on a store that others use, too."""

from __future__ import annotations

import os
import socket

import pytest

from rlv.commands.find import find
from rlv.commands.status import progress_lines, state, status_lines
from rlv.commands.time import computed_lines
from rlv.commands.why import why_lines
from rlv.plan import Plan, build_plan
from rlv.plan.reading import load
from rlv.store import Artifact, Store


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build_plan(load("mini"))


def quiet(line: str) -> None:
    """No log."""


def of_stage(plan: Plan, stage: str) -> Artifact:
    return next(a for a in plan.artifacts.values() if a.stage == stage)


def test_what_is_in_progress_is_said_with_who_and_where(plan, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    store = Store(tmp_path)
    assert progress_lines(plan, store) == []
    made, other = of_stage(plan, "train"), Artifact("train", "other", 1, {})
    with store.leasing(made, quiet), store.leasing(other, quiet):
        lines = {line.split()[2].rstrip(":"): line for line in progress_lines(plan, store)[1:]}
        assert lines.keys() == {made.path, other.path}
        for part in ("in progress", socket.gethostname(), "SLURM job 4711", f"process {os.getpid()}"):
            assert part in lines[made.path]
        assert "another study's" in lines[other.path] and "another study's" not in lines[made.path]
        assert all(line in status_lines(plan, store) for line in lines.values())
    assert progress_lines(plan, store) == []


def test_what_failed_last_is_said_until_it_is_done(plan, tmp_path):
    store, made = Store(tmp_path), of_stage(plan, "train")
    with pytest.raises(ValueError), store.leasing(made, quiet):
        raise ValueError("too warm\nin here")
    (line,) = progress_lines(plan, store)[1:]
    assert line.startswith("failed") and made.path in line and line.endswith(": too warm")
    with store.leasing(made, quiet), store.publishing(made):
        pass
    assert progress_lines(plan, store) == []


def test_what_an_upstream_has_is_done(plan, tmp_path):
    made = of_stage(plan, "problems")
    lab = Store(tmp_path / "lab")
    with lab.publishing(made) as publication:
        publication.facts.update(made={"at": "now", "code": "c", "device": "d"}, seconds=1)
    store = Store(tmp_path / "mine", [lab.root])
    assert state(made, store) == "done" and state(made, Store(tmp_path / "mine")) == "missing"
    assert f"upstream {lab.root}" in status_lines(plan, store)[0]
    assert "state: done" in why_lines(plan, store, made.path)


def test_what_is_found_in_upstreams_by_name(plan, tmp_path):
    lab, foreign = Store(tmp_path / "lab"), Artifact("train", "foreign", 1, {})
    with lab.publishing(foreign):
        pass
    store = Store(tmp_path / "mine", [lab.root])
    assert find(plan, store, "train/foreign")[0] == foreign.path


def test_who_computed_what_how_often(plan, tmp_path):
    store = Store(tmp_path)
    assert computed_lines(plan, store) == []
    train, problems = of_stage(plan, "train"), of_stage(plan, "problems")
    for made in (train, problems, train, Artifact("train", "other", 1, {})):
        store.log_computed(made, 1.0)
    with open(tmp_path / ".log" / "computed.jsonl", "a") as handle:
        handle.write('{"cut off')
    lines = computed_lines(plan, store)
    assert lines[1] == "computed here: 2 artifacts, 1 of them again after a loss"
    assert lines[2].split()[0] == "3" and socket.gethostname() in lines[2]
