"""The stage `attack`: its tables fit together, and its threshold says what it was chosen on."""

from __future__ import annotations

import numpy as np
import pytest

from rlv import tables
from rlv.evaluation.robustness import acceptance_threshold
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.provenance.history import ordered
from rlv.run.make import make
from rlv.store import Store
from tests.finished import ROOT

STUDY = f"""
name: attacked
datasets:
  tune: {{source: mini, reach: 9, split: train, size: 6}}
  test: {{source: mini, reach: 9, split: test, size: 6}}
models: {{base: {{source: local, path: {ROOT}/rlv/mini/base}}}}
reasoners:
  base: {{model: base, verifiers: [judge], evaluate_on: [test]}}
verifiers: {{judge: {{score: judge}}}}
sampling: {{n: 8, max_tokens: 48, samples_per_shard: 8}}
evaluation: {{ns: [1, 4, 8], draws: 100}}
attacks: {{problems: 4}}
figures: {{attacks: {{}}}}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(plan, store) with and without `tuning`; artifacts that both have are made once."""
    folder = tmp_path_factory.mktemp("attacked")
    store, plans = Store(folder / "store"), []
    for name, more in (("own", ""), ("tuned", "tuning: {dataset: tune, n: 8}\n")):
        path = folder / f"{name}.yaml"
        path.write_text(STUDY + more)
        plan = build_plan(load(str(path)))
        for artifact in ordered(plan.figures["attacks"]):
            make(artifact, store, log=lambda line: None)
        plans.append(plan)
    return plans, store


def read(made, table, plan=0):
    plans, store = made
    (attack,) = [a for a in plans[plan].artifacts.values() if a.stage == "attack"]
    return tables.read(store.open(attack, f"{table}.parquet"), table)


def test_tables_are_of_the_same_texts(made):
    attacks, scores, captures = (read(made, name) for name in ("attacks", "attack_scores", "captures"))
    assert attacks["attack"].to_list() == scores["attack"].unique(maintain_order=True).to_list()
    assert {"empty", "key:colon", "claim", "bare", "question"} <= set(attacks["attack"])
    assert "key:thought" not in set(attacks["attack"])
    for row in attacks.iter_rows(named=True):
        mine = scores.filter(attack=row["attack"])
        assert row["problems"] == len(mine) == mine["problem_id"].n_unique() <= 4
        assert row["mean_score"] == pytest.approx(mine["score"].mean())
        assert row["accepted"] == pytest.approx((mine["score"] >= 0.5).mean())
        assert row["accepted_95"] == pytest.approx((mine["score"] >= row["threshold"]).mean())
    assert set(captures["n"]) == {4, 8} and attacks["captures_n"].to_list() == [8] * len(attacks)
    assert scores.filter(attack="empty")["text"].to_list() == [""] * 4


def test_the_threshold_is_that_of_training_problems_if_there_are_some(made):
    (_, tuned), store = made
    assert read(made, "attacks")["threshold_from"].unique().to_list() == ["evaluated"]
    table = read(made, "attacks", 1)
    assert table["threshold_from"].unique().to_list() == ["tuning"]
    (attack,) = [a for a in tuned.artifacts.values() if a.stage == "attack"]
    solutions = tables.read(
        store.open(attack.inputs["tuned_solutions"], "solutions.parquet"), "solutions"
    ).sort("problem_id", "sample_id")
    scores = tables.read(store.open(attack.inputs["tuned_scores:00000"], "scores.parquet"), "scores").sort(
        "problem_id", "sample_id"
    )
    right = np.array(scores["score"])[np.array(solutions["correct"])]
    assert table["threshold"][0] == acceptance_threshold(right)
    # The texts and their scores are the same.
    assert read(made, "attack_scores").equals(read(made, "attack_scores", 1))
