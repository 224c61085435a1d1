"""First errors in the plan: what they are made from, what is shared, and what is refused."""

from __future__ import annotations

import pytest

from rlv.errors import StudyError
from rlv.plan import build_plan
from rlv.plan.reading import load
from tests.plan.overlays import overlay
from tests.plan.test_plan import ROOT

SECTION = """
first_errors: {datasets: [hard], readers: {grpo_v: [unified], grpo: [judge]}}
verifiers:
  worst: {score: generative, aggregate: min}
  total: {score: generative, aggregate: sum}
reasoners: {grpo_v: {verifiers: [unified, free, worst, total]}}
figures: {first_errors: {}}
"""

HARD = "first_errors: {datasets: [hard], readers: {grpo: [judge]}}\n"


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def mine(folder, text: str, parent: str = "mini"):
    return load(overlay(folder, "name: mine\n" + text, parent))


def test_one_reading_serves_first_errors_and_scores(tmp_path):
    plan = build_plan(mine(tmp_path, SECTION))
    located = {a.name: a for a in plan.artifacts.values() if a.stage == "locate"}
    assert set(located) == {"grpo_v-hard", "grpo-hard"}
    ours = located["grpo_v-hard"]
    assert {role.partition(":")[0] for role in ours.inputs} == {
        *("problems", "solutions", "traces"),
        *("tuned_problems", "tuned_solutions", "tuned_traces"),
    }
    scored = next(a for a in plan.artifacts.values() if a.name.startswith("grpo_v-hard-worst-"))
    assert scored.inputs["trace"].key == ours.inputs["traces:unified:00000"].key
    assert "tune" in ours.inputs["tuned_traces:unified:00000"].name
    figure, claims = plan.figures["first_errors"], plan.claims
    assert claims is not None
    assert {f"locate:{name}" for name in located} == set(figure.inputs)
    assert {f"locate:{name}" for name in located} <= set(claims.inputs)
    assert claims.params["aggregates"] == [{"worst": "min", "total": "sum"}]
    assert any(role.startswith("evaluate:hard-grpo_v-worst") for role in claims.inputs)
    before = build_plan(load("mini")).artifacts
    untouched = {path for path in before if not path.startswith(("claims/", "figures/"))}
    assert untouched <= plan.artifacts.keys()


def test_without_tuning_the_threshold_is_a_half(tmp_path):
    section = "first_errors: {datasets: [hard], readers: {grpo_v: [unified]}}\n"
    plan = build_plan(mine(tmp_path, section, "plain"))
    (located,) = [a for a in plan.artifacts.values() if a.stage == "locate"]
    assert not any(role.startswith("tuned") for role in located.inputs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "first_errors: {datasets: [harder], readers: {grpo: [judge]}}",
            "datasets: no data set named 'harder'",
        ),
        (
            "first_errors: {datasets: [hard], readers: {grpo_x: [judge]}}",
            "grpo_x: no reasoner named 'grpo_x'",
        ),
        (
            "first_errors: {datasets: [hard], readers: {grpo: [unified]}}",
            "no verifier of 'grpo' named 'unified'",
        ),
        ("first_errors: {datasets: [hard], readers: {grpo: [brevity]}}", "'brevity' reads no steps"),
        ("first_errors: {datasets: [hard], readers: {grpo: []}}", "which verifiers read the steps of 'grpo'"),
        ("first_errors: {datasets: [hard], readers: {base: []}}", "'base' is evaluated on none of hard"),
        ("figures: {first_errors: {}}", "figures.first_errors: this figure needs the section `first_errors`"),
        (
            HARD + "figures: {first_errors: {datasets: [test]}}",
            "figures.first_errors.datasets: no data set of `first_errors` named 'test'",
        ),
        (
            f"datasets: {{real: {{source: gsm8k, split: test, revision: {'a' * 40}, size: 3}}}}\n"
            "reasoners: {grpo: {evaluate_on: [test, real]}}\n" + HARD.replace("hard", "real"),
            r"nobody has labelled steps of 'real' .*mini, habits have exact labels",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(text, message, tmp_path):
    with pytest.raises(StudyError, match=message):
        mine(tmp_path, text + "\n")
