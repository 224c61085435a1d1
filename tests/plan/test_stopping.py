"""The section `stopping`: what is replayed from what, and what is refused."""

from __future__ import annotations

import pytest

from rlv.errors import StudyError
from rlv.plan import build_plan
from rlv.plan.reading import load
from tests.plan.overlays import overlay
from tests.plan.test_choices import TUNE
from tests.plan.test_plan import ROOT

READ = "stopping: {datasets: [test, hard], readers: {grpo_v: [unified], grpo: []}}\nfigures: {adaptive: {}}\n"


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def mine(folder, text):
    return load(overlay(folder, "name: mine\n" + text, "plain"))


def stops(plan):
    return {a.name: a for path, a in plan.artifacts.items() if path.startswith("stop/")}


def test_each_reasoner_is_replayed_without_and_with_its_readers(tmp_path):
    plan = build_plan(mine(tmp_path, READ))
    found = stops(plan)
    readers = ("grpo_v-votes", "grpo_v-unified", "grpo-votes")
    assert set(found) == {f"{dataset}-{reader}" for dataset in ("test", "hard") for reader in readers}
    one = found["test-grpo_v-unified"]
    assert one.params["n_max"] == 32 and one.params["orders"] == 256
    assert "window:8" in one.params["rules"] and not any(r.startswith("fixed") for r in one.params["rules"])
    assert {role.partition(":")[0] for role in one.inputs} == {"solutions", "scores"}
    assert set(found["test-grpo-votes"].inputs) == {"solutions"}
    assert set(plan.figures["adaptive"].inputs) == {f"stop:{name}" for name in found}
    assert plan.claims is not None and {f"stop:{name}" for name in found} <= set(plan.claims.inputs)


def test_what_is_fitted_is_fitted_on_tuning_problems_if_there_are_any(tmp_path):
    found = stops(build_plan(mine(tmp_path, TUNE + READ)))
    tuned = {role for role in found["test-grpo_v-unified"].inputs if role.startswith("tuned")}
    assert "tuned_solutions" in tuned and any(role.startswith("tuned_scores:") for role in tuned)
    assert not any(role.startswith("tuned") for role in found["test-grpo-votes"].inputs)
    plain = TUNE + READ.replace("grpo: []}", "grpo: []}, rules: ['lead:2']")
    found = stops(build_plan(mine(tmp_path, plain)))
    assert not any(role.startswith("tuned") for role in found["test-grpo_v-unified"].inputs)


def test_prunes_read_the_solutions_as_they_were_sampled(tmp_path):
    said = "grpo: []}, prunes: ['group_below:10'], window: 7, warm_up: 8"
    found = stops(build_plan(mine(tmp_path, READ.replace("grpo: []}", said))))
    votes = found["test-grpo_v-votes"]
    assert votes.params["prunes"] == ["group_below:10"] and votes.params["warm_up"] == 8
    assert {role.partition(":")[0] for role in votes.inputs} == {"solutions", "samples"}
    assert "prunes" not in found["test-grpo_v-unified"].params


def test_rules_that_a_small_pool_is_too_small_for_are_left_out(tmp_path):
    found = stops(build_plan(mine(tmp_path, READ.replace("grpo: []}", "grpo: []}, n_max: 4"))))
    rules = found["test-grpo_v-votes"].params["rules"]
    assert "window:3" in rules and "window:5" not in rules and "window:8" not in rules


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("n_max: 33", r"stopping\.n_max: 33 of the 64 solutions of 'grpo_v'.*use 32 at most"),
        (
            "n_max: 4, rules: ['window:5']",
            r"stopping\.rules: 'window:5' draws 5 .* 4 at the latest",
        ),
        ("rules: ['bta:0.9']", r"stopping\.rules: no stopping rule named 'bta:0.9'"),
        ("rules: ['beta:1.5']", r"stopping\.rules: stop 'beta:1.5': expected beta:PARAMETER"),
        ("n_max: 4, batch: 5", r"stopping\.batch: 5 at once"),
        ("orders: 0", r"stopping\.orders"),
        ("prunes: ['group_below:10'], window: 7, warm_up: 32", r"stopping\.warm_up: 32 of 32 solutions"),
        ("prunes: ['group_below:10']", r"stopping\.window: 2048 tokens, and the solutions of 'grpo"),
        ("prunes: ['group:10']", r"stopping\.prunes: no prune named 'group:10'"),
        ("window: 7", r"stopping\.window: nothing reads this without `prunes`"),
        ("n_max: .nan", r"stopping\.n_max"),
    ],
)
def test_rules_that_cannot_be_replayed_are_refused(tmp_path, said, message):
    with pytest.raises(StudyError, match=message):
        mine(tmp_path, READ.replace("grpo: []}", f"grpo: []}}, {said}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "stopping: {datasets: [tset], readers: {grpo: []}}",
            r"stopping\.datasets: no data set named 'tset'",
        ),
        (
            "stopping: {datasets: [test], readers: {gpro: []}}",
            r"stopping\.readers\.gpro: no reasoner named 'gpro'",
        ),
        (
            "stopping: {datasets: [train], readers: {grpo: []}}",
            r"stopping\.readers\.grpo: .* not evaluated on",
        ),
        (
            "stopping: {datasets: [test], readers: {grpo: [unified]}}",
            r"readers\.grpo: no verifier of 'grpo' named 'unified'",
        ),
        ("stopping: {datasets: [test], readers: {}}", r"stopping\.readers"),
        (
            "stopping: {datasets: [test], readers: {grpo: []}, rules: ['posterior:0.9']}",
            r"stopping\.rules: 'posterior:0.9' reads scores, and `stopping.readers` names no verifier",
        ),
        ("figures: {adaptive: {}}", r"figures\.adaptive: this figure needs the section `stopping`"),
        (
            READ.replace("adaptive: {}", "adaptive: {datasets: [ood]}"),
            r"no data set with stopping rules named 'ood'",
        ),
    ],
)
def test_sections_that_do_not_fit_the_study_are_refused(tmp_path, text, message):
    with pytest.raises(StudyError, match=message):
        mine(tmp_path, text)
