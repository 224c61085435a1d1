"""A tiny study with a cold start and a chosen confidence, from problems to an evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from rlv import tables
from rlv.job.choice import CHOICE, read_choice
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.provenance.history import ordered
from rlv.scoring.kept import confidence
from tests.finished import ROOT, finished_store

pytestmark = pytest.mark.workflow
STUDY = f"""
name: choices
datasets:
  tune: {{source: mini, reach: 9, split: train, size: 4}}
  test: {{source: mini, reach: 9, split: test, size: 3}}
models: {{base: {{source: local, path: {ROOT}/rlv/mini/base}}}}
tuning: {{dataset: tune, n: 8}}
reasoners:
  cold: {{model: base, temperature: {{best_of: [0.4, 1.0]}}, verifiers: [free], evaluate_on: [test]}}
verifiers:
  free: {{score: confidence, best_of: [mean_logprob, self_certainty], sharpness: [1, 10]}}
sampling: {{n: 8, max_tokens: 48, samples_per_shard: 8}}
evaluation: {{ns: [1, 4], draws: 100}}
"""
# Votes and panels that learn from training problems, of a reasoner at one temperature.
LEARNT = f"""
name: learnt
datasets:
  tune: {{source: mini, reach: 9, split: train, size: 4}}
  test: {{source: mini, reach: 9, split: test, size: 3}}
models: {{base: {{source: local, path: {ROOT}/rlv/mini/base}}}}
tuning: {{dataset: tune, n: 8}}
reasoners: {{base: {{model: base, verifiers: [sure, team, model], evaluate_on: [test]}}}}
verifiers:
  sure: {{score: mean_logprob}}
  short: {{score: brevity}}
  certain: {{score: self_certainty}}
  team: {{score: panel, panel: stacked, of: [sure, short]}}
  model: {{score: panel, panel: label_model, of: [sure, short, certain]}}
sampling: {{n: 8, max_tokens: 48, samples_per_shard: 4, problems_per_shard: 2}}
evaluation: {{ns: [1, 4], draws: 100, votes: ['softmax:fit', 'rank:fit']}}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The plan and the store of the study, finished."""
    folder = tmp_path_factory.mktemp("choices")
    study = folder / "choices.yaml"
    study.write_text(STUDY)
    return build_plan(load(str(study))), finished_store(study, folder / "store")


def of_stage(plan, stage):
    return [a for a in plan.artifacts.values() if a.stage == stage]


def test_the_choices_are_those_of_the_tuning_problems(made):
    plan, store = made
    by_kind = {a.params["kind"]: read_choice(store.open(a, CHOICE)) for a in of_stage(plan, "choose")}
    tried = {}
    for graded in of_stage(plan, "grade"):
        solutions = tables.read(store.open(graded, "solutions.parquet"), "solutions")
        tried[graded.name] = float(solutions["correct"].mean())
    temperature = by_kind["temperature"]
    assert [c["accuracy"] for c in temperature.candidates] == pytest.approx(
        [tried["cold-tune-t0.4"], tried["cold-tune-t1"]]
    )
    best = max(temperature.candidates, key=lambda c: c["accuracy"])
    assert temperature.chosen == {"temperature": best["temperature"]}
    assert (temperature.problems, temperature.solutions) == (4, 8)
    assert len(by_kind["confidence"].candidates) == 4


def test_solutions_and_scores_of_the_evaluation_are_made_by_the_choices(made):
    plan, store = made
    facts = [store.manifest(a)["facts"] for a in of_stage(plan, "choose")]
    chosen = {name: value for fact in facts for name, value in fact["chosen"].items()}
    (scored,) = of_stage(plan, "score")
    samples = tables.read(store.open(scored.inputs["samples"], "samples.parquet"), "samples")
    scores = tables.read(store.open(scored, "scores.parquet"), "scores")
    columns = ("token_ids", "token_logprobs", "self_certainty")
    kept = [confidence(chosen["confidence"], *row) for row in samples.select(columns).iter_rows()]
    np.testing.assert_allclose(scores["score"], np.array(kept) ** chosen["sharpness"])
    assert store.manifest(scored.inputs["samples"])["facts"]["temperature"] == chosen["temperature"]


def test_a_history_has_choices_before_what_waits_for_them(made):
    plan, _ = made
    seen: set[str] = set()
    for artifact in ordered(of_stage(plan, "evaluate")[0]):
        assert all(parent.path in seen for parent in artifact.inputs.values()), artifact.path
        seen.add(artifact.path)


def test_votes_and_panels_learn_from_training_problems_alone(tmp_path):
    study = tmp_path / "learnt.yaml"
    study.write_text(LEARNT)
    plan, store = build_plan(load(str(study))), finished_store(study, tmp_path / "store")
    for evaluated in of_stage(plan, "evaluate"):
        found = tables.read(store.open(evaluated, "fitted.parquet"), "fitted")
        assert found["verifier"].unique().to_list() == [evaluated.params["verifier"]]
        curves = tables.read(store.open(evaluated, "curves.parquet"), "curves")
        for strategy, vote in found.select("strategy", "vote").iter_rows():
            choice = read_choice(store.open(evaluated.inputs[f"vote:{strategy}"], CHOICE))
            assert choice.chosen == {"vote": vote} and (choice.problems, choice.solutions) == (4, 8)
            assert curves.filter(strategy=strategy)["n"].to_list() == [1, 4]
        assert store.manifest(evaluated)["facts"]["fitted"] == dict(
            found.select("strategy", "vote").iter_rows()
        )
    for panel in of_stage(plan, "panel"):
        scores = tables.read(store.open(panel, "scores.parquet"), "scores")
        assert len(scores) == (32 if "-tuned-" in panel.name else 24)
