"""benchmarks.fidelity.kinds: accuracies by kind of problem, from planted values and a finished study."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.fidelity.evidence import gathered
from benchmarks.fidelity.kinds import ALL, by_kind, markdown, rows_of
from rlv.errors import StoreError, StudyError
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.store import Store


def test_means_are_of_each_kind_and_of_all():
    found = by_kind(np.array([1.0, 0.0, 0.5, 0.25]), ["b", "a", "b", "a"])
    assert found == {"b": 75.0, "a": 12.5, ALL: 43.75} and list(found) == ["b", "a", ALL]


def test_several_seeds_are_a_mean_and_one_solution_stands_seed_by_seed():
    one = [{"a": 10.0, ALL: 20.0}, {"a": 30.0, ALL: 41.0}]
    text = markdown([("r, one solution", one), ("r, majority of 4", one)], {"a": 100.0, ALL: 100.0})
    assert text.splitlines()[2:] == [
        "| share of the problems | 100 | 100 |",
        "| r, one solution | 20.0 | 30.5 |",
        "| … seed by seed | 10, 30 | 20, 41 |",
        "| r, majority of 4 | 20.0 | 30.5 |",
    ]


def test_a_finished_study_by_kind(finished_tiny, monkeypatch, tmp_path):
    monkeypatch.chdir(finished_tiny)
    plan = build_plan(load("tiny"))
    rows = dict(rows_of(plan, Store(finished_tiny / "store"), "grpo", "test"))
    assert {name.split(",")[0] for name in rows} == {"base", "grpo", "grpo_v"}
    for seeds in rows.values():
        assert len(seeds) == 1 and all(0 <= value <= 100 for value in seeds[0].values())
    right, one = rows["grpo, one of 2 is right"][0], rows["grpo, one solution"][0]
    assert all(right[kind] >= one[kind] for kind in one)
    with pytest.raises(StoreError, match="base on test: not published"):
        list(rows_of(plan, Store(tmp_path), "grpo", "test"))


def test_a_seed_that_a_study_does_not_have(finished_tiny, monkeypatch):
    monkeypatch.chdir(finished_tiny)
    plan, store = build_plan(load("tiny")), Store(finished_tiny / "store")
    with pytest.raises(StudyError, match="--seed 7; its training seeds: it has one"):
        gathered(plan, store, "grpo", "test", 7)
