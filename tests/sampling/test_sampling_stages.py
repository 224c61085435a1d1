"""The stages from problems to graded solutions at several budgets, each from the artifacts before it."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.answers.stage import GRADE
from rlv.job import Job
from rlv.mini import task
from rlv.sampling.stage import FORCE, SAMPLE
from rlv.scoring import SCORES
from rlv.scoring.readers import transformers_verifier
from rlv.scoring.stage import SCORE
from rlv.scoring.verifier import scores_table
from rlv.store import Artifact, Store

BUDGETS = [6, 12, 20]


@pytest.fixture
def chain(tmp_path, tiny_model, tiny_tokenizer):
    """A published model and problems; `run` makes an artifact from them and returns it, its facts and log."""
    store = Store(tmp_path / "store")
    model = Artifact("model", "tiny", 1, {})
    with store.publishing(model) as draft:
        tiny_model.save_pretrained(draft.path)
        tiny_tokenizer.save_pretrained(draft.path)
    problems = Artifact("problems", "mini", 1, {})
    with store.publishing(problems) as draft:
        table = tables.frame("problems", task.problems("quadratic", 10, "test", 5, 0))
        tables.write(table, draft.path / "problems.parquet", "problems")

    def run(stage_name, stage, params, inputs):
        artifact = Artifact(stage_name, "tiny", stage.recipe, params, inputs, {"max_batch": 8})
        lines: list[str] = []
        with store.publishing(artifact) as draft:
            facts = stage.run(Job(artifact, store, draft.path, tmp_path, 1, lines.append))
        return artifact, facts, lines

    return store, {"model": model, "problems": problems}, run


class Eager:
    """In the place of vLLM: it is always sure of the same."""

    def next_logprobs(self, sequences, token_id, names, progress):
        return np.full(len(sequences), np.log(0.75))


def test_solutions_at_every_budget_are_made_from_one_shard(
    chain, tiny_model, tiny_tokenizer, monkeypatch
) -> None:
    store, inputs, run = chain
    drawing = {"temperature": 1.0, "top_p": 1.0, "seed": 3, "prompt_style": "plain"}
    params = drawing | {"engine": "transformers", "max_tokens": 20, "problems": [1, 4], "samples": [2, 6]}
    shard, _, _ = run("sample", SAMPLE, params, inputs)
    params = drawing | {
        "budgets": BUDGETS,
        "answer_tokens": 2,
        "step_rule": "try",
        "answer_format": "marker",
    }
    cut, facts, lines = run("force", FORCE, params, {**inputs, "samples": shard})
    samples = tables.read(store.open(shard, "samples.parquet"), "samples")
    forced = tables.read(store.open(cut, "samples.parquet"), "samples")
    assert forced["budget"].to_list() == [b for b in BUDGETS for _ in range(12)]
    for budget in BUDGETS:
        at_budget = forced.filter(budget=budget)
        key = ["problem_id", "sample_id"]
        assert at_budget.select(key).equals(samples.select(key))
        n_forced = at_budget.filter(pl.col("finish_reason") != "stop").height
        assert facts["budgets"][str(budget)] == {
            "solutions": 12,
            "forced": n_forced,
            "mean_tokens": at_budget["n_tokens"].mean(),
        }
        assert f"budget {budget}: {n_forced} of 12 solutions forced" in "\n".join(lines)
    graded, facts, _ = run(
        "grade", GRADE, {"answer_format": "marker"}, {"problems": inputs["problems"], "samples:00000": cut}
    )
    solutions = tables.read(store.open(graded, "solutions.parquet"), "solutions")
    kept = ["problem_id", "sample_id", "budget", "n_prompt_tokens", "n_tokens", "flops", "finish_reason"]
    assert solutions.select(kept).equals(forced.select(kept))
    assert list(facts["by_budget"]) == ["6", "12", "20"]
    assert facts["without_vote"] == solutions["answer_class"].null_count()
    # Each of them is scored, by the engine that the study names.
    reading = {"score": "judge", "prompt_style": "plain"}
    problems = tables.read(store.open(inputs["problems"], "problems.parquet"), "problems")
    verifier = transformers_verifier(SCORES["judge"], tiny_model, tiny_tokenizer)
    # The model has written them itself, also where it was cut and made to answer.
    expected = scores_table(verifier, problems, forced, "plain", own=True)
    monkeypatch.setattr(
        "rlv.sampling.engines.open_vllm", lambda *_, **__: nullcontext((Eager(), tiny_tokenizer))
    )
    for engine, wanted in (({}, expected["score"].to_list()), ({"engine": "vllm"}, [0.75] * len(forced))):
        scored, facts, _ = run("score", SCORE, reading | engine, {**inputs, "samples": cut})
        scores = tables.read(store.open(scored, "scores.parquet"), "scores")
        assert scores.drop("score").equals(expected.drop("score"))
        np.testing.assert_allclose(scores["score"], wanted, atol=1e-6)
        assert facts == {"tokens": expected["n_tokens_read"].sum()}
