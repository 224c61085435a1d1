"""Scores that files bring, and imported texts as verifiers read them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.models import load_model
from rlv.models.flops import shape_of
from rlv.problems.sources import habits
from rlv.sampling.engine import SamplingParams
from rlv.sampling.shards import sample_shard
from rlv.sampling.transformers_engine import TransformersEngine
from rlv.scoring import SCORES
from rlv.scoring.chains import Drawing, chain_scores_table
from rlv.scoring.given import given_scores
from rlv.scoring.readers import transformers_chains, transformers_verifier
from rlv.scoring.texts import with_token_ids
from rlv.scoring.verifier import scores_table
from rlv.store import Store
from tests.imported.studies import made, planned, study_of, table

BASE = Path(__file__).parents[2] / "rlv" / "mini" / "base_habits"
KEY = ["problem_id", "sample_id"]
N = 3


def samples(rows):
    """A samples table of solutions of others: what a row leaves out nobody knows."""
    absent = dict.fromkeys(tables.SCHEMAS["samples"]) | {"budget": 0}
    return tables.frame("samples", [absent | row for row in rows])


def said(rows):
    return tables.frame(
        "given_scores", [dict(zip((*KEY, "verifier", "score"), row, strict=True)) for row in rows]
    )


MINE = samples(
    [
        {"problem_id": "b", "sample_id": 0, "n_tokens": 5, "n_prompt_tokens": 2},
        {"problem_id": "a", "sample_id": 1, "n_tokens": 7},
        {"problem_id": "a", "sample_id": 0, "n_prompt_tokens": 2},
    ]
)
SAID = said(
    [("a", i, v, s) for v, s in (("rm", 0.25), ("x", 0.5)) for i in range(2)]
    + [("b", 0, "rm", 1.0), ("c", 0, "rm", 0.0)]
)


def test_given_scores_stand_beside_their_solutions_row_for_row():
    found = tables.check(given_scores(MINE, SAID.reverse(), "rm"), "scores", "here")
    assert found.select(*KEY, "budget", "score").rows() == [
        ("b", 0, 0, 1.0),
        ("a", 1, 0, 0.25),
        ("a", 0, 0, 0.25),
    ]


def test_what_reading_costs_is_known_only_with_the_solution_s_tokens():
    found = given_scores(MINE, SAID, "rm")
    assert found["n_tokens_read"].to_list() == [7, 7, None]  # 5 + 2, 7 without a known prompt, unknown
    assert found["flops"].to_list() == found["flops_new"].to_list() == [None] * 3
    assert found["n_tokens_new"].to_list() == [7, 7, None]  # nobody knows of anything that was kept
    free = given_scores(MINE, SAID, "rm", free=True)
    for column in ("n_tokens_read", "flops", "n_tokens_new", "flops_new"):
        assert free[column].to_list() == [0] * 3


def test_a_verifier_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(DataError, match="none of 'prm'; columns of scores: rm, x"):
        given_scores(MINE, SAID, "prm")
    with pytest.raises(DataError, match="columns of scores: there are none"):
        given_scores(MINE, SAID.clear(), "rm")


def test_a_solution_without_a_score_is_named_and_gets_none_made_up():
    with pytest.raises(
        DataError, match=r"'x' has none for 1 of 3 solutions \(first: problem 'b', sample 0\)"
    ):
        given_scores(MINE, SAID, "x")


@pytest.fixture(scope="module")
def ours():
    """Solutions of our engine by the mini base, some of which run into their end, with their problems."""
    model, tokenizer = load_model(BASE)
    problems = habits(form="horner", reach=8, split="test", size=4, kinds={"clean": 1.0})
    engine, params = TransformersEngine(model, tokenizer), SamplingParams(max_tokens=16)
    found = sample_shard(engine, tokenizer, shape_of(model), problems, range(N), params, "plain", 0)
    assert set(found["finish_reason"]) == {"stop", "length"}
    return problems, found, model, tokenizer


@pytest.fixture
def exported(ours, tmp_path):
    """The same as a file of others: no tokens, only what people write down."""
    problems, found, *_ = ours
    rows = found.join(problems, "problem_id").select(
        "problem_id", "question", "answer", "text", "finish_reason"
    )
    file = tmp_path / "s.jsonl"
    rows.write_ndjson(file)
    return file


def test_texts_become_the_tokens_that_were_sampled(ours):
    _, found, _, tokenizer = ours
    bare = found.with_columns(token_ids=pl.lit(None, pl.List(pl.Int32)))
    assert with_token_ids(bare, tokenizer, "plain").equals(found)
    # If nobody says how a solution ended, it has an end.
    silent = with_token_ids(bare.with_columns(finish_reason=pl.lit(None, pl.String)), tokenizer, "plain")
    for ids, own, reason in zip(silent["token_ids"], found["token_ids"], found["finish_reason"], strict=True):
        assert ids.to_list() == own.to_list() + [tokenizer.eos_token_id] * (reason == "length")


def test_tokens_that_are_there_are_read_and_not_the_text(ours):
    _, found, _, tokenizer = ours
    assert with_token_ids(found, tokenizer, "plain") is found
    odd = found.with_columns(text=pl.lit("other"))
    odd = odd.with_columns(pl.when(pl.col("sample_id") > 0).then("token_ids").alias("token_ids"))
    mixed = with_token_ids(odd, tokenizer, "plain").filter(pl.col("sample_id") > 0)
    assert mixed["token_ids"].to_list() == found.filter(pl.col("sample_id") > 0)["token_ids"].to_list()


def test_a_solution_without_tokens_and_text_is_named(ours):
    tokenizer = ours[-1]
    lacking = samples([{"problem_id": "a", "sample_id": 0, "text": "x"}, {"problem_id": "a", "sample_id": 1}])
    with pytest.raises(DataError, match=r"problem 'a', sample 1 has no text.*1 such solutions"):
        with_token_ids(lacking, tokenizer, "plain")


@pytest.mark.parametrize("score", ["judge", "judge_chain"])
def test_a_judge_reads_imported_texts_as_those_of_our_engine(ours, exported, tmp_path, score):
    problems, found, model, tokenizer = ours
    reader = {"model": "base", "evaluate_on": []}
    mine = {"samples": "mine", "evaluate_on": ["given"], "verifiers": ["reads"]}
    study = study_of(
        tmp_path,
        exported,
        n=N,
        models={"base": {"source": "local", "path": str(BASE)}},
        reasoners={"reader": reader, "mine": mine},
        verifiers={"reads": {"score": score, "reasoner": "reader"}},
        datasets={"given": {"source": "samples", "prompt_style": "plain"}},
    )
    plan, store = planned(tmp_path, study), Store(tmp_path / "store")
    (scored,) = [a for a in plan.artifacts.values() if a.stage == "score"]
    made(plan, store, upto=scored)
    theirs = table(store, scored, "scores").drop("budget").sort(KEY)
    # A problem's id, by which chains are drawn, is here that of its text.
    read = table(store, scored.inputs["samples"], "problems")
    ids = problems.join(read.select("question", id="problem_id"), "question").select("problem_id", "id")
    alike = found.with_columns(pl.col("problem_id").replace_strict(dict(ids.iter_rows())))
    if score == "judge":
        usual = transformers_verifier(SCORES[score], model, tokenizer)
        expected = scores_table(usual, read, alike, "plain")
    else:
        drawing = Drawing(1, 64, 1.0, 0)
        judge = transformers_chains(SCORES[score], model, tokenizer)
        expected = chain_scores_table(judge, read, alike, "plain", drawing).scores
    expected = expected.drop("budget").sort(KEY)
    np.testing.assert_allclose(theirs["score"], expected["score"], atol=1e-6)
    assert theirs.drop("score").equals(expected.drop("score"))
    assert theirs["score"].is_between(0, 1).all() and theirs.height == found.height
    facts = json.loads((store.location(scored) / "manifest.json").read_text())["facts"]
    assert facts["tokens"] == theirs["n_tokens_read"].sum() > 0


def test_a_judge_does_not_read_a_problem_without_a_question(ours):
    problems, found, model, tokenizer = ours
    silent = problems.with_columns(pl.when(pl.col("problem_id") != found["problem_id"][0]).then("question"))
    usual = transformers_verifier(SCORES["judge"], model, tokenizer)
    with pytest.raises(DataError, match=r"has no question, and a verifier reads it; 1 such problems"):
        scores_table(usual, silent, found, "plain")
