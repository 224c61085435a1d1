"""Which attacks a study asks for, what they are made from, and what is refused."""

from __future__ import annotations

import pytest

from rlv.attacks import applying
from rlv.errors import StudyError
from rlv.estimate.jobs import estimates
from rlv.plan import build_plan
from rlv.plan.attacks import attacked
from rlv.plan.reading import load
from tests.finished import ROOT


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)

    def reading(text, base="mini"):
        for name in ("mini", "mini-methods", "mini-paper", "smoke"):
            (tmp_path / f"{name}.yaml").write_text((ROOT / f"config/studies/{name}.yaml").read_text())
        (tmp_path / "mine.yaml").write_text(f"extends: {base}\nname: mine\n{text}\n")
        return load(str(tmp_path / "mine.yaml"))

    return reading


def attacks_of(study):
    return {a.name: a for a in build_plan(study).artifacts.values() if a.stage == "attack"}


def test_without_the_section_there_are_none_and_with_it_all_other_keys_stay(read):
    before = build_plan(read(""))
    assert not [a for a in before.artifacts.values() if a.stage == "attack"]
    after = build_plan(read("attacks: {}\nclaims: null\nfigures: {attacks: {}}"))
    gone = {p for p in before.artifacts if not p.startswith(("claims/", "figures/", "overhead/"))}
    assert gone <= set(after.artifacts)


def test_by_default_all_that_read_with_a_model_are_attacked_where_they_are_evaluated(read):
    study = read("attacks: {}\nseeds: [0, 1]")
    found = set(attacked(study))
    readers = {"grpo": ("judge", "chain"), "grpo_v": ("unified",)}
    assert found == {
        (reasoner, verifier, dataset)
        for reasoner, verifiers in readers.items()
        for verifier in verifiers
        for dataset in ("test", "hard", "ood")
    }
    one = attacks_of(study)["grpo_v-test-unified"]
    assert one.params["attacks"] == applying("habits") and one.params["problems"] == 100
    assert {"model", "problems", "solutions", "tuned_solutions", "tuned_scores:00000"} <= set(one.inputs)
    assert one.inputs["model"].name == "grpo_v"


def test_what_is_named_counts(read):
    text = (
        "attacks: {readers: {grpo: [separate_grpo]}, datasets: [test], attacks: [claim, empty], problems: 7}"
    )
    found = attacks_of(read(text, "mini-paper"))
    assert list(found) == ["grpo-test-separate_grpo"]
    one = found["grpo-test-separate_grpo"]
    assert one.params["attacks"] == ["claim", "empty"] and one.inputs["model"].name == "grpo_verifier"
    assert one.inputs["solutions"].name == "grpo-test"


def test_a_chosen_temperature_has_no_tuned_threshold(read):
    text = "attacks: {readers: {base_cold: [judge]}}\nreasoners: {base_cold: {verifiers: [judge]}}"
    assert not any(role.startswith("tuned") for a in attacks_of(read(text)).values() for role in a.inputs)


def test_claims_and_the_figure_are_made_from_them(read):
    plan = build_plan(read("attacks: {datasets: [test]}\nfigures: {attacks: {datasets: [test]}}"))
    roles = {"attack:grpo-test-judge", "attack:grpo-test-chain", "attack:grpo_v-test-unified"}
    assert set(plan.figures["attacks"].inputs) == roles
    assert plan.claims is not None and roles <= set(plan.claims.inputs)


def test_an_estimate_knows_what_is_read(read):
    plan = build_plan(read("attacks: {datasets: [test]}"))
    by_name = {e.artifact.name: e for e in estimates(plan, None, None) if e.artifact.stage == "attack"}
    unified, chain = by_name["grpo_v-test-unified"], by_name["grpo-test-chain"]
    assert unified.read > 100 * len(applying("habits")) and not unified.written and unified.disk > 0
    assert chain.written > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("attacks: {readers: {grpo: [free]}}", r"attacks\.readers\.grpo: 'free' has score 'confidence'"),
        ("attacks: {readers: {grpo: [brevity]}}", r"attacks\.readers\.grpo: 'brevity'.*nobody sampled"),
        ("attacks: {readers: {grpo: [unified]}}", r"attacks\.readers\.grpo: no verifier of 'grpo'"),
        (
            "attacks: {readers: {grop: [judge]}}",
            r"attacks\.readers\.grop: no reasoner named 'grop'; did you mean",
        ),
        ("attacks: {datasets: [tset]}", r"attacks\.datasets: no data set named 'tset'; did you mean 'test'"),
        ("attacks: {attacks: [flatery]}", r"attacks\.attacks: no attack named 'flatery'; did you mean"),
        ("attacks: {datasets: [tune]}", r"attacks\.readers: nothing is attacked"),
        ("attacks: {problems: 0}", r"attacks\.problems"),
        ("attacks: {problem: 3}", r"attacks\.problem: unknown key"),
        ("figures: {attacks: {}}", r"figures\.attacks: this figure needs the section `attacks`"),
        (
            "attacks: {datasets: [test]}\nfigures: {attacks: {datasets: [hard]}}",
            r"figures\.attacks\.datasets: no attacked data set named 'hard'",
        ),
        (
            "attacks: {attacks: [claim], datasets: [words]}\n"
            "datasets: {words: {source: local, path: config/data/word_problems_test.jsonl}}\n"
            "reasoners: {grpo: {evaluate_on: [words]}, grpo_v: {evaluate_on: [words]}}\nclaims: null\n"
            "figures: null\ncomparisons: null\noverhead: null",
            r"attacks\.attacks: 'claim' is for problems of mini, habits, and 'words' has source 'local'",
        ),
    ],
)
def test_what_cannot_be_attacked_is_refused_with_its_key(read, text, message):
    with pytest.raises(StudyError, match=message):
        read(text)
