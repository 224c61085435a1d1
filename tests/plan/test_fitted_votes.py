"""Votes whose number is chosen, in the plan: from which scores, for whom, and where they are refused."""

from __future__ import annotations

import pytest

from rlv.errors import DataError, StudyError
from rlv.evaluation.picking import vote_named
from rlv.evaluation.votes import VOTES
from rlv.evaluation.weights import FAMILIES
from rlv.plan import build_plan
from rlv.plan.reading import load
from tests.imported.studies import planned, study_of
from tests.imported.writing import LONG, lines
from tests.plan.overlays import overlay
from tests.plan.test_choices import TUNE, behind, named
from tests.plan.test_plan import ROOT

FIT = "evaluation: {votes: ['softmax:fit', 'rank:0.5']}\n"


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def study(folder, text):
    return load(overlay(folder, "name: mine\n" + text, "plain"))


def test_the_number_is_chosen_from_the_same_verifiers_scores_of_the_tuning_problems(tmp_path):
    plan = build_plan(study(tmp_path, TUNE + FIT))
    (evaluated,) = named(plan, "evaluate/hard-grpo_v-unified-")
    choice = evaluated.inputs["vote:softmax:fit"]
    assert evaluated.params["fitted"] == ["softmax:fit"] and evaluated.params["votes"][-1] == "rank:0.5"
    assert choice.params["votes"][:2] == ["softmax:3", "softmax:1"] and choice.params["n"] == 8
    assert choice.name == "vote-grpo_v-unified-softmax"
    assert choice.inputs["tuned_scores:00000"].name.startswith("grpo_v-tune-unified-")
    data = {a.name for a in plan.artifacts.values() if a.stage == "problems" and a.path in behind(choice)}
    assert data == {"tune", "train"}
    # The other data sets have the same choice; another verifier has its own.
    assert named(plan, "evaluate/test-grpo_v-unified-")[0].inputs["vote:softmax:fit"] is choice
    assert len(named(plan, "choose/vote-")) == 4


def test_votes_without_scores_wait_for_no_choice(tmp_path):
    (plain,) = named(build_plan(study(tmp_path, TUNE + FIT)), "evaluate/test-base-votes-")
    assert set(plain.inputs) == {"solutions"} and "fitted" not in plain.params


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FIT, ["evaluation.votes", "'softmax:fit'", "section `tuning`"]),
        (TUNE.replace("n: 16", "n: 4") + FIT, ["tuning.n", "8 votes a problem", "n = 4"]),
        (
            TUNE + FIT + "reasoners: {grpo: {temperature: {best_of: [0.5, 1]}}}",
            ["evaluation.votes", "'grpo'", "one temperature"],
        ),
        (TUNE + FIT.replace("softmax:fit", "softmax:fitted"), ["evaluation.votes", "found 'fitted'"]),
    ],
)
def test_without_solutions_of_training_problems_it_is_refused(tmp_path, text, words):
    with pytest.raises(StudyError) as refused:
        study(tmp_path, text)
    assert all(word in str(refused.value) for word in words), str(refused.value)


def test_of_solutions_of_others_it_is_refused(tmp_path):
    mine = study_of(
        tmp_path,
        lines(tmp_path / "s.jsonl", LONG),
        n=1,
        verifiers={"score": {"score": "given"}},
        reasoners={"mine": {"samples": "mine", "evaluate_on": ["given"], "verifiers": ["score"]}},
        evaluation={"ns": [1], "draws": 100, "votes": ["softmax:fit"]},
    )
    with pytest.raises(StudyError, match=r"evaluation.votes: the number of 'softmax:fit' .* others sampled"):
        planned(tmp_path, mine)


def test_no_vote_is_counted_before_its_number_is_chosen():
    with pytest.raises(ValueError, match="count the vote that was chosen"):
        VOTES["softmax:fit"].count(*[None] * 3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError, match="name a number here"):
        vote_named("softmax:fit")


@pytest.mark.parametrize("family", FAMILIES)
def test_every_number_of_a_grid_can_be(family):
    assert all(VOTES[name].reads_scores for name in FAMILIES[family].candidates(family))
    assert VOTES[f"{family}:fit"].reads_scores
