"""The stage `choose` on planted tables: what it takes, and what a stage that reads the choice does."""

from __future__ import annotations

import numpy as np
import pytest

from rlv import tables
from rlv.choosing.stage import CHOOSE
from rlv.job import Job
from rlv.job.choice import CHOICE, Choice, read_choice, write_choice
from rlv.scoring.stage import SCORE
from rlv.store import Artifact, Store
from tests.evaluation.tables_for_tests import make_tables


@pytest.fixture
def plant(tmp_path):
    """A store, and what publishes a choice, or (table, its name), for a role."""
    store = Store(tmp_path / "store")

    def planted(role, found):
        number = len(list(store.root.glob("*/*")))
        artifact = Artifact("planted", f"n{number}", 1, {"role": role, "number": number})
        with store.publishing(artifact) as draft:
            if isinstance(found, Choice):
                write_choice(found, draft.path)
            else:
                table, name = found
                tables.write(table, draft.path / f"{name}.parquet", name)
        return artifact

    return store, planted


@pytest.fixture
def run(plant, tmp_path):
    """Runs the stage on what is planted by role; returns the choice and the log."""
    store, planted = plant

    def make(params, by_role):
        inputs = {role: planted(role, found) for role, found in by_role.items()}
        artifact = Artifact("choose", "x", CHOOSE.recipe, params, inputs)
        lines: list[str] = []
        with store.publishing(artifact) as draft:
            facts = CHOOSE.run(Job(artifact, store, draft.path, tmp_path, 1, lines.append))
        choice = read_choice(store.open(artifact, CHOICE))
        assert facts["chosen"] == choice.chosen
        return choice, "\n".join(lines)

    return make


def solutions(correct_PS):
    return make_tables([[0 if ok else 1 for ok in row] for row in correct_PS], correct_PS)[0], "solutions"


def test_the_temperature_with_the_most_right_solutions_is_chosen(run):
    params = {"kind": "temperature", "temperatures": [0.2, 0.6, 1.0]}
    choice, said = run(
        params,
        {
            # A problem that is always solved is worth no more than two that are solved half of the time.
            "solutions:00000": solutions([[True, True], [False, False]]),
            "solutions:00001": solutions([[True, False], [True, True]]),
            "solutions:00002": solutions([[True, False], [True, False]]),
        },
    )
    assert [c["accuracy"] for c in choice.candidates] == [0.5, 0.75, 0.5]
    assert choice.chosen == {"temperature": 0.6} and choice.by == "pass@1"
    assert (choice.problems, choice.solutions) == (2, 2)
    assert "temperature 0.6: pass@1 0.750" in said and "chosen: temperature 0.6" in said


def sampled(logprobs_PS, shard=slice(None)):
    """Samples whose mean log-probability is planted, of one token each; all are as long."""
    rows = [
        {"problem_id": f"p{p}", "sample_id": s, "budget": 64, "text": "", "token_ids": [1]}
        | {"n_prompt_tokens": 5, "n_tokens": 10, "flops": 20.0, "finish_reason": "stop"}
        | {"token_logprobs": [logprob], "self_certainty": None}
        for p, logprobs_S in enumerate(logprobs_PS)
        for s, logprob in list(enumerate(logprobs_S))[shard]
    ]
    return tables.frame("samples", rows), "samples"


# Two problems, three solutions each. A right solution, sure of itself (u = 0.9), against two wrong ones that
# agree (u = 0.5 each): it loses with u (0.9 < 1) and wins with u ** 3 (0.729 > 0.25).
CLASSES_PS, CORRECT_PS = [[0, 1, 1], [1, 1, 0]], [[True, False, False], [False, False, True]]
SURE_PS = np.log([[0.9, 0.5, 0.5], [0.5, 0.5, 0.9]]).tolist()
CONFIDENCE = {"kind": "confidence", "n": 3, "confidences": ["brevity", "mean_logprob"]}


def graded():
    return make_tables(CLASSES_PS, CORRECT_PS)[0], "solutions"


def test_the_confidence_and_the_sharpness_that_vote_best_are_chosen(run):
    planted = {
        "solutions:00000": graded(),
        # In shards of samples.
        "samples:00000:00000": sampled(SURE_PS, slice(0, 2)),
        "samples:00000:00001": sampled(SURE_PS, slice(2, 3)),
    }
    choice, said = run(CONFIDENCE | {"sharpness": [1.0, 3.0, 10.0]}, planted)
    assert [c["accuracy"] for c in choice.candidates] == [0, 0, 0, 0, 1, 1]
    # Of equals the less sharpened one.
    assert choice.chosen == {"confidence": "mean_logprob", "sharpness": 3.0}
    assert (choice.by, choice.problems, choice.solutions) == ("weighted voting at N = 3", 2, 3)
    assert "chosen: confidence mean_logprob, sharpness 3.0" in said
    choice, _ = run(CONFIDENCE | {"sharpness": [1.0]}, planted)
    assert choice.chosen == {"confidence": "brevity", "sharpness": 1.0}


def test_solutions_at_the_chosen_temperature_decide(run):
    unsure = np.log([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]).tolist()
    for chosen, accuracy in ((0.6, 1.0), (1.0, 0.0)):
        candidates = [{"temperature": t, "accuracy": 0.5, "low": 0, "high": 1} for t in (0.6, 1.0)]
        planted = {
            "choice": Choice("temperature", "pass@1", 2, 3, candidates, {"temperature": chosen}),
            "solutions:00000": graded(),
            "samples:00000:00000": sampled(SURE_PS),
            "solutions:00001": graded(),
            "samples:00001:00000": sampled(unsure),
        }
        choice, _ = run(CONFIDENCE | {"confidences": ["mean_logprob"], "sharpness": [3.0]}, planted)
        assert choice.candidates[0]["accuracy"] == accuracy


def test_scores_are_the_chosen_confidence_to_the_power_that_was_chosen(plant, tmp_path):
    store, planted = plant
    candidates = [{"confidence": "mean_logprob", "sharpness": 3.0, "accuracy": 1.0, "low": 1, "high": 1}]
    chosen = {"confidence": "mean_logprob", "sharpness": 3.0}
    choice = Choice("confidence", "votes", 2, 3, candidates, chosen)
    inputs = {"samples": planted("samples", sampled(SURE_PS)), "choice": planted("choice", choice)}
    artifact = Artifact("score", "x", SCORE.recipe, {"score": "confidence"}, inputs)
    with store.publishing(artifact) as draft:
        facts = SCORE.run(Job(artifact, store, draft.path, tmp_path, 1, lambda line: None))
    scores = tables.read(store.open(artifact, "scores.parquet"), "scores")
    np.testing.assert_allclose(scores["score"], [0.729, 0.125, 0.125, 0.125, 0.125, 0.729], atol=1e-6)
    assert facts == {"tokens": 0} and scores["flops"].sum() == scores["n_tokens_read"].sum() == 0
    assert SCORE.gpus(artifact) == 0


def test_a_votes_number_is_chosen_with_the_verifiers_scores_and_of_equals_the_first(run):
    # Two wrong solutions of 0.5 outvote a right one of 0.9 unless the temperature is low.
    scores_PS = [[0.9, 0.5, 0.5], [0.5, 0.5, 0.9]]
    planted, scores = make_tables(CLASSES_PS, CORRECT_PS, scores_PS)
    params = {"kind": "vote", "votes": ["softmax:3", "softmax:0.1", "softmax:0.01"], "n": 3}
    inputs = {"tuned_solutions": (planted, "solutions"), "tuned_scores:00000": (scores, "scores")}
    choice, said = run(params, inputs)
    assert [c["accuracy"] for c in choice.candidates] == [0, 1, 1]
    assert choice.chosen == {"vote": "softmax:0.1"} and choice.by == "accuracy at N = 3"
    assert "chosen: vote softmax:0.1" in said
