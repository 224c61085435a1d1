"""Free confidences in a finished study: what its samples kept is the reasoner's own, and costs no more."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rlv import tables
from rlv.evaluation.votes import VOTES
from rlv.models import load_model
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.prompts import solver_ids
from rlv.scoring.kept import confidence
from rlv.store import Store

pytestmark = pytest.mark.workflow


@pytest.fixture
def made(finished_tiny):
    """(Artifacts of a stage whose names begin with the words, and one's table) of the study `tiny`."""
    store = Store(finished_tiny / "store")
    artifacts = build_plan(load(str(finished_tiny / "config/studies/tiny.yaml"))).artifacts.values()

    def found(stage: str, name: str):
        return [a for a in artifacts if a.stage == stage and a.name.startswith(name)]

    def table(artifact, name: str):
        return tables.read(store.open(artifact, f"{name}.parquet"), name)

    return found, table, store


def test_samples_keep_what_a_plain_pass_of_their_reasoner_says(made) -> None:
    found, table, store = made
    (shard,) = found("sample", "grpo-test-")
    model, tokenizer = load_model(store.open_all(shard.inputs["model"]))
    problems = table(shard.inputs["problems"], "problems")
    questions = dict(problems.select("problem_id", "question").iter_rows())
    samples = table(shard, "samples")
    assert len(samples) == 16
    for row in samples.iter_rows(named=True):
        prompt = solver_ids(tokenizer, questions[row["problem_id"]], shard.params["prompt_style"])
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[*prompt, *row["token_ids"]]])).logits[0].double()
        logprobs_TV = logits.log_softmax(-1)[len(prompt) - 1 : -1].numpy()
        own = logprobs_TV[np.arange(len(logprobs_TV)), row["token_ids"]]
        np.testing.assert_allclose(row["token_logprobs"], own, atol=1e-5)
        certainty = -(logprobs_TV.mean(-1) + np.log(logprobs_TV.shape[1])).mean()
        assert row["self_certainty"] == pytest.approx(certainty, abs=1e-4)


@pytest.mark.parametrize(("verifier", "name"), [("tail", "tail_logprob"), ("certain", "self_certainty")])
def test_scores_are_made_of_what_was_kept_and_votes_by_them_cost_no_more(made, verifier, name) -> None:
    found, table, _ = made
    (scored,) = found("score", f"grpo-test-{verifier}-")
    samples = table(scored.inputs["samples"], "samples")
    kept = samples.select("token_ids", "token_logprobs", "self_certainty").iter_rows()
    scores = table(scored, "scores")
    np.testing.assert_allclose(scores["score"], [confidence(name, *row) for row in kept])
    assert scores["n_tokens_read"].sum() == scores["flops"].sum() == 0
    (evaluated,) = found("evaluate", f"test-grpo-{verifier}")
    curves = table(evaluated, "curves")
    assert set(curves["strategy"]) >= set(VOTES.own)
    assert curves.filter(n=2)["tokens"].n_unique() == curves.filter(n=2)["flops"].n_unique() == 1
