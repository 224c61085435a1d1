"""Traces: the end of one is the score to the bit, one reading serves all aggregations, hostile numbers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from rlv import tables
from rlv.errors import DataError, ModelError, StudyError
from rlv.job.assumptions import Assumptions
from rlv.models import heads, load_model
from rlv.models.flops import shape_of
from rlv.plan import Plan, build_plan
from rlv.plan.reading import load
from rlv.problems.sources import habits
from rlv.prompts import solver_ids, verification_ids
from rlv.run.stages import STAGES
from rlv.sampling.engine import SamplingParams
from rlv.sampling.shards import sample_shard
from rlv.sampling.transformers_engine import TransformersEngine
from rlv.scoring import SCORES, step_ends
from rlv.scoring.aggregations import AGGREGATIONS
from rlv.scoring.along import aggregated
from rlv.scoring.given_steps import given_traces
from rlv.scoring.readers import transformers_verifier
from rlv.scoring.traces import trace_solutions, traces_table
from rlv.scoring.verifier import score_solutions, scores_table
from tests.plan.overlays import overlay
from tests.scoring.test_given import said
from tests.scoring.test_given import samples as theirs
from tests.scoring.test_verifier import pairs

BASE = Path(__file__).parents[2] / "rlv" / "mini" / "base_habits"
ROOT = Path(__file__).parents[2]
KINDS = {"clean": 1.0}


@pytest.fixture(scope="module")
def recorded():
    """The mini base, problems, and solutions that it sampled to them."""
    model, tokenizer = load_model(BASE)
    problems = habits(form="horner", reach=8, split="test", size=4, kinds=KINDS)
    sampled = sample_shard(
        TransformersEngine(model, tokenizer),
        tokenizer,
        shape_of(model),
        problems,
        range(6),
        SamplingParams(max_tokens=60, temperature=0.7),
        style="plain",
        seed=0,
    )
    return model, tokenizer, problems, sampled


def test_the_last_value_of_a_trace_is_the_score_to_the_bit(recorded) -> None:
    model, tokenizer, problems, samples = recorded
    verifier = transformers_verifier(SCORES["generative"], model, tokenizer)
    scores = scores_table(verifier, problems, samples, "plain")
    for places in ("end", "steps", "tokens"):
        traces = traces_table(verifier, problems, samples, "plain", places, step_rule="try")
        tables.check(traces, "traces", "test")
        last = aggregated(traces, AGGREGATIONS["last"], "test")
        assert last["score"].to_list() == scores["score"].to_list()
        assert last.select("problem_id", "sample_id").equals(samples.select("problem_id", "sample_id"))
        cost = ["n_tokens_read", "flops"]
        assert last.select(cost).equals(scores.select(cost)) == (places == "end")


def test_a_value_is_the_score_of_the_solution_until_there(recorded) -> None:
    model, tokenizer, problems, samples = recorded
    verifier = transformers_verifier(SCORES["generative"], model, tokenizer)
    traces = traces_table(verifier, problems, samples, "plain", "steps", step_rule="try")
    row, ids = traces.row(3, named=True), samples["token_ids"][3].to_list()
    assert row["places"] == list(step_ends(ids, tokenizer, "try")) and row["places"][-1] == len(ids)
    question = dict(problems.select("problem_id", "question").iter_rows())[row["problem_id"]]
    x = solver_ids(tokenizer, question, "plain")
    prefixes = [ids[:k] for k in row["places"]]
    alone = score_solutions(verifier, [x] * len(prefixes), prefixes, "plain")[0]
    np.testing.assert_allclose(row["values"], alone, atol=1e-6)
    words = len(verification_ids(tokenizer, "plain"))
    lengths = [len(x) + k + words for k in row["places"]]
    assert row["n_tokens_read"] == sum(lengths) == row["n_tokens_new"]
    own = traces_table(verifier, problems, samples, "plain", "steps", step_rule="try", own=True)
    assert own["n_tokens_new"][3] == words * len(lengths)
    assert 0 < own["flops_new"][3] < own["flops"][3] == row["flops"]


def test_equal_beginnings_are_read_once(tiny_model, tiny_tokenizer) -> None:
    usual = transformers_verifier(SCORES["judge"], tiny_model, tiny_tokenizer)
    read: list[tuple[int, ...]] = []

    def watched(passages):
        read.extend(tuple(passage.ids) for passage in passages)
        return usual.read(passages)

    x, y = [5, 6], [7, 8, 9]
    spying = dataclasses.replace(usual, read=watched)
    found = trace_solutions(spying, [x, x], [[*y, 10], [*y, 11, 12]], "plain", "tokens")
    assert [list(trace.places_K) for trace in found] == [[1, 2, 3, 4], [1, 2, 3, 4, 5]]
    assert found[0].values_K[:3].tolist() == found[1].values_K[:3].tolist()
    assert len(read) == len(set(read)) == 3 + 1 + 2


@pytest.mark.parametrize("objective", ["bce", "regression"])
def test_a_head_reads_every_place_in_one_pass(objective, tiny_model, tiny_tokenizer, tmp_path) -> None:
    head = heads.VerificationHead(objective, 32)
    with torch.no_grad():
        head.weight.copy_(torch.randn(32, generator=torch.Generator().manual_seed(2)) / 12)
    heads.save(head, tmp_path)
    verifier = transformers_verifier(SCORES[objective], tiny_model, tiny_tokenizer, tmp_path)
    prompts, solutions = pairs(5)
    for x, y, trace in zip(
        prompts, solutions, trace_solutions(verifier, prompts, solutions, "plain", "tokens"), strict=True
    ):
        alone = score_solutions(verifier, [x] * len(y), [y[:k] for k in trace.places_K], "plain")[0]
        np.testing.assert_allclose(trace.values_K, alone, atol=1e-5)
        assert (trace.tokens, trace.tokens_new, trace.flops_new) == (len(x) + len(y), 0, 0.0)


def test_nothing_and_what_has_no_values(tiny_model, tiny_tokenizer) -> None:
    verifier = transformers_verifier(SCORES["judge"], tiny_model, tiny_tokenizer)
    assert trace_solutions(verifier, [], [], "plain", "steps") == []
    (empty,) = trace_solutions(verifier, [[5]], [[]], "plain", "tokens")
    assert list(empty.places_K) == [0] and len(empty.values_K) == 1
    chains = dataclasses.replace(verifier, score=SCORES["judge_chain"])
    with pytest.raises(ModelError, match="reads 'chain' has no values along a solution"):
        trace_solutions(chains, [[5]], [[6]], "plain", "end")


def traces_of(values: list[list[float] | None]) -> pl.DataFrame:
    rows = [{"problem_id": "a", "sample_id": i, "budget": 1, "values": row} for i, row in enumerate(values)]
    absent = dict.fromkeys(tables.SCHEMAS["traces"])
    return tables.frame("traces", [absent | row for row in rows])


def test_scores_of_many_rows_are_those_of_each() -> None:
    rng = np.random.default_rng(0)
    values = [rng.uniform(size=rng.integers(0, 6)).tolist() for _ in range(9000)]
    for name in ("min", "softmin:0.1", "group:2"):
        found = aggregated(traces_of(values), AGGREGATIONS[name], "test")
        some = [0, 1, 4095, 4096, 8999]
        alone = [aggregated(traces_of([values[i]]), AGGREGATIONS[name], "test")["score"][0] for i in some]
        np.testing.assert_allclose(found["score"].to_numpy()[some], alone, atol=1e-12)
    assert aggregated(traces_of([]), AGGREGATIONS["min"], "test").is_empty()


@pytest.mark.parametrize("wrong", [1.5, -0.1, float("nan"), float("inf"), None])
def test_values_that_are_no_probabilities_are_refused_with_their_row(wrong) -> None:
    with pytest.raises(
        DataError, match=rf"place: problem 'a', sample 1: .* is {wrong}, expected prob.*1 such"
    ):
        aggregated(traces_of([[0.5], [0.2, wrong]]), AGGREGATIONS["min"], "place")
    with pytest.raises(DataError, match="is none, expected"):
        aggregated(traces_of([None]), AGGREGATIONS["min"], "place")


def test_step_scores_of_others_are_a_trace() -> None:
    mine = theirs([{"problem_id": "a", "sample_id": i, "n_tokens": 5, "n_prompt_tokens": 2} for i in (1, 0)])
    given = said([("a", 0, "prm", 0.9), ("a", 1, "prm", 0.4)])
    steps = pl.Series("steps", [[0.9, 0.5], [0.4]], pl.List(pl.Float64))
    found = given_traces(mine, given.with_columns(steps), "prm")
    tables.check(found, "traces", "test")
    assert found["values"].to_list() == [[0.4], [0.9, 0.5]] and found["places"].null_count() == 2
    assert aggregated(found, AGGREGATIONS["min"], "x")["score"].to_list() == [0.4, 0.5]
    assert found["n_tokens_read"].to_list() == [7, 7]
    with pytest.raises(
        DataError, match=r"'prm' has no scores of steps for 1 of 2 .*sample 0.*leave `aggregate`"
    ):
        given_traces(mine, given.with_columns(pl.Series("steps", [None, [0.4]])), "prm")


# ---- in a study

READERS = """
verifiers:
  prm_min: {score: generative, aggregate: min}
  prm_softmin: {score: generative, aggregate: "softmin:0.05"}
  prm_last: {score: generative, aggregate: last, places: end}
reasoners: {grpo_v: {verifiers: [unified, prm_min, prm_softmin, prm_last]}}
"""


@pytest.fixture
def plan(tmp_path, monkeypatch) -> Plan:
    monkeypatch.chdir(ROOT)
    return build_plan(load(overlay(tmp_path, "name: mine\n" + READERS, "plain")))


def test_aggregations_share_one_reading_and_other_scores_keep_their_keys(plan, tmp_path) -> None:
    traces = [a for a in plan.artifacts.values() if a.stage == "trace"]
    scores = {a.name.split("-")[2]: a for a in plan.artifacts.values() if a.stage == "score"}
    on_test = [a for a in traces if "-test-" in a.name]
    assert sorted(a.params["places"] for a in on_test) == ["end", "end", "steps", "steps"]  # of two shards
    assert {a.params.get("step_rule") for a in on_test} == {"try", None}
    assert scores["prm_min"].inputs["trace"].key == scores["prm_softmin"].inputs["trace"].key
    assert scores["prm_min"].key != scores["prm_softmin"].key
    assert "model" not in scores["prm_min"].inputs
    without = build_plan(load(overlay(tmp_path, "name: mine\n", "plain")))
    kept = {path for path in without.artifacts if path.startswith(("score/", "sample/", "grade/"))}
    assert kept <= plan.artifacts.keys()


def test_an_estimate_knows_what_a_trace_reads_and_that_scores_of_it_read_nothing(plan) -> None:
    assumed = Assumptions()

    def read(stage: str, word: str) -> int:
        found = [a for a in plan.artifacts.values() if a.stage == stage and word in a.name]
        return sum(p.tokens for a in found for p in STAGES[stage].work.passes(a, assumed))

    assert read("score", "-prm_") == 0
    assert 2 * read("trace", "-end-") == read("score", "-unified-") > 0  # of two reasoners
    assert read("trace", "-steps-") == assumed.steps_per_solution * read("trace", "-end-")
    for artifact in (a for a in plan.artifacts.values() if a.stage == "score" and "-prm_" in a.name):
        assert STAGES["score"].gpus(artifact) == 0


@pytest.mark.parametrize(
    ("verifier", "message"),
    [
        ("{score: generative, aggregate: least}", r"verifiers.mine.aggregate: no aggregation named 'least'"),
        ("{score: generative, aggregate: 'softmin:0'}", r"verifiers.mine.aggregate: aggregation 'softmin:0'"),
        (
            "{score: generative, places: steps}",
            "verifiers.mine.places: nothing reads this without `aggregate`",
        ),
        ("{score: brevity, aggregate: min}", "verifiers.mine.aggregate: score 'brevity' has no values along"),
        ("{score: judge_chain, aggregate: min}", "verifiers.mine.aggregate: score 'judge_chain' has no"),
        ("{score: given, aggregate: min, places: end}", "verifiers.mine.places: the files have the scores"),
        ("{score: generative, aggregate: min, places: words}", "verifiers.mine.places: found 'words'"),
    ],
)
def test_what_cannot_be_read_along_a_solution_is_refused(verifier, message, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(StudyError, match=message):
        load(overlay(tmp_path, f"name: mine\nverifiers: {{mine: {verifier}}}\n", "plain"))
