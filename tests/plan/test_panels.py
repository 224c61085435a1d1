"""Panels in the plan: what they are made from, what they learn from, and what is refused."""

from __future__ import annotations

import pytest

from rlv.errors import StudyError
from rlv.plan import build_plan
from rlv.plan.reading import load
from tests.plan.overlays import overlay
from tests.plan.test_choices import TUNE, named
from tests.plan.test_plan import ROOT

TEAM = (
    "verifiers:\n"
    "  short: {{score: brevity}}\n  sure: {{score: mean_logprob}}\n"
    "  team: {{score: panel, panel: {}, of: [unified, short, sure]}}\n"
    "reasoners: {{grpo_v: {{verifiers: [unified, team]}}}}\n"
)


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def study(folder, text):
    return load(overlay(folder, "name: mine\n" + text, "plain"))


def test_a_panel_is_made_of_its_members_scores_of_all_shards_and_plans_those_that_nobody_lists(tmp_path):
    plan = build_plan(study(tmp_path, TEAM.format("mean_rank")))
    (panel,) = named(plan, "panel/grpo_v-test-team-")
    shards = [a.name for a in named(plan, "score/grpo_v-test-unified-")]
    assert len(shards) == 2
    assert sorted(panel.inputs) == [
        f"member:{member}:0000{k}" for member in ("short", "sure", "unified") for k in (0, 1)
    ]
    assert panel.params == {"panel": "mean_rank", "of": ["unified", "short", "sure"]}
    (evaluated,) = named(plan, "evaluate/test-grpo_v-team-")
    assert evaluated.inputs["scores:00000"] is panel
    # Members that no reasoner lists are scored, and not evaluated.
    assert named(plan, "score/grpo_v-hard-sure-") and not named(plan, "evaluate/test-grpo_v-sure-")


def test_a_panel_changes_no_key_of_what_was_there(tmp_path):
    before = build_plan(study(tmp_path, "")).artifacts
    after = build_plan(study(tmp_path, TEAM.format("mean"))).artifacts
    made = [path for path in before if not path.startswith(("figures/", "claims/"))]
    assert set(made) <= set(after)


def test_only_what_a_panel_learns_from_of_training_problems_is_an_input(tmp_path):
    def roles(panel, tuning=TUNE):
        (made,) = named(build_plan(study(tmp_path, tuning + TEAM.format(panel))), "panel/grpo_v-hard-team-")
        return {role.rpartition(":")[0] or role for role in made.inputs if role.startswith("tuned")}

    assert roles("mean") == set()
    assert roles("label_model") == {"tuned_solutions"}
    assert roles("label_model", "") == set()
    scored = {"tuned_scores:unified", "tuned_scores:short", "tuned_scores:sure"}
    assert roles("stacked") == {"tuned_solutions", *scored}


GIVEN = "verifiers: {score: {score: given}}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TEAM.format("stacked"), ["reasoners.grpo_v.verifiers", "'team'", "stacked", "section `tuning`"]),
        (
            TUNE
            + TEAM.format("stacked").replace(
                "{verifiers: [", "{temperature: {best_of: [0.5, 1]}, verifiers: ["
            ),
            ["reasoners.grpo_v.verifiers", "one temperature"],
        ),
        (TEAM.format("medan"), ["verifiers.team.panel", "no panel named 'medan'", "'median'"]),
        (TEAM.format("null"), ["verifiers.team.panel", "which? One of mean, "]),
        (TEAM.format("mean").replace(", short, sure", ""), ["verifiers.team.of", "expected 2", "unified"]),
        (TEAM.format("label_model").replace(", sure]", "]"), ["verifiers.team.of", "expected 3"]),
        (TEAM.format("mean").replace("short, sure]", "shrt]"), ["verifiers.team.of", "'shrt'", "'short'"]),
        (TEAM.format("mean").replace("short, sure]", "sure, sure]"), ["verifiers.team.of", "named twice"]),
        (TEAM.format("mean").replace("short, sure]", "sure, team]"), ["'team' is a panel itself"]),
        (TEAM.format("mean").replace("panel: mean,", "panel: mean, reasoner: grpo,"), ["leave it out"]),
        (
            TEAM.format("mean").replace("panel: mean,", "panel: mean, engine: vllm,"),
            ["verifiers.team.engine"],
        ),
        (TEAM.format("mean").replace("{score: brevity}", "{score: brevity, panel: mean}"), ["never reads"]),
        (
            TEAM.format("mean").replace("{score: brevity}", "{score: bce}"),
            ["reasoners.grpo_v.verifiers", "bce"],
        ),
        (
            TEAM.format("mean").replace("{score: brevity}", "{score: confidence, best_of: [brevity]}"),
            ["reasoners.grpo_v.verifiers", "'short' is chosen", "`tuning`"],
        ),
        (
            TEAM.format("mean").replace("{score: brevity}", "{score: given}"),
            ["reasoners.grpo_v.verifiers", "'short'", "samples its own"],
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_key(tmp_path, text, words):
    with pytest.raises(StudyError) as refused:
        study(tmp_path, text)
    assert all(word in str(refused.value) for word in words), str(refused.value)


def test_panels_of_solutions_at_budgets_are_refused(tmp_path):
    text = TEAM.format("mean") + (
        "comparisons: {grpo: {verifier: team}}\n"
        "lengths: {datasets: [hard], comparisons: [grpo], budgets: [7, 14], answer_tokens: 2}\n"
    )
    with pytest.raises(StudyError, match=r"lengths.comparisons: 'grpo' has verifier 'team', a panel"):
        study(tmp_path, text)


def test_a_panels_evaluation_has_its_members_scores_for_their_agreement(tmp_path):
    (evaluated,) = named(build_plan(study(tmp_path, TEAM.format("mean"))), "evaluate/hard-grpo_v-team-")
    assert evaluated.params["members"] == ["unified", "short", "sure"]
    (panel,) = [a for role, a in evaluated.inputs.items() if role == "scores:00000"]
    assert all(evaluated.inputs[role] is a for role, a in panel.inputs.items())
