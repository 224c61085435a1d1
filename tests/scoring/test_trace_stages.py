"""The stages `trace`, `score` with an aggregation, and `locate`, one after the other, on the mini base."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from rlv import tables
from rlv.answers.stage import GRADE
from rlv.evaluation.locating import LOCATE
from rlv.job import Job
from rlv.models import load_model
from rlv.models.flops import shape_of
from rlv.problems.sources import habits
from rlv.sampling.engine import SamplingParams
from rlv.sampling.shards import sample_shard
from rlv.sampling.transformers_engine import TransformersEngine
from rlv.scoring.stage import SCORE
from rlv.scoring.trace_stage import TRACE
from rlv.store import Artifact, Store
from tests.imported.studies import made as made_until
from tests.imported.studies import only, planned, study_of, table

BASE = Path(__file__).parents[2] / "rlv" / "mini" / "base_habits"
ASKED = {"prompt_style": "plain", "score": "judge"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Makes an artifact of a stage; with the artifacts that all of them are made from."""
    folder = tmp_path_factory.mktemp("stages")
    store = Store(folder / "store")
    problems = habits(form="horner", reach=8, split="test", size=6, kinds={"clean": 1, "hidden": 1})
    model, tokenizer = load_model(BASE)
    sampling = SamplingParams(max_tokens=60, temperature=1.0)
    engine = TransformersEngine(model, tokenizer)
    sampled = sample_shard(
        engine, tokenizer, shape_of(model), problems, range(8), sampling, style="plain", seed=0
    )
    inputs = {name: Artifact(name, "s", 1, {}) for name in ("problems", "sample", "model")}
    for name, kind, rows in (("problems", "problems", problems), ("sample", "samples", sampled)):
        with store.publishing(inputs[name]) as draft:
            tables.write(rows, draft.path / f"{kind}.parquet", kind)
    with store.publishing(inputs["model"]) as draft:
        shutil.copytree(BASE, draft.path, dirs_exist_ok=True)

    def run(stage, name, params, roles):
        artifact = Artifact(name, "s", stage.recipe, params, roles)
        with store.publishing(artifact) as draft:
            facts = stage.run(Job(artifact, store, draft.path, folder, 1, lambda line: None))
        return (
            artifact,
            {t: tables.read(store.open(artifact, f"{t}.parquet"), t) for t in stage.leaves(artifact)},
            facts,
        )

    return inputs, run


def test_from_a_reading_to_scores_and_first_errors(made) -> None:
    inputs, run = made
    read = {"model": inputs["model"], "problems": inputs["problems"], "samples": inputs["sample"]}
    trace, left, facts = run(TRACE, "trace", ASKED | {"places": "steps", "step_rule": "try"}, read)
    assert facts["values"] == left["traces"]["values"].list.len().sum() > 48
    _, whole, _ = run(SCORE, "score", ASKED, read)
    derived = {"samples": inputs["sample"], "trace": trace}
    for how in ("last", "min"):
        _, found, _ = run(SCORE, "score", {"score": "judge", "aggregate": how}, derived)
        same = found["scores"]["score"].to_list() == whole["scores"]["score"].to_list()
        assert same == (how == "last")
    graded, _, _ = run(
        GRADE,
        "grade",
        {"answer_format": "marker"},
        {"problems": inputs["problems"], "samples:00000": inputs["sample"]},
    )
    params = {"dataset": "d", "reasoner": "r", "verifiers": ["judge"], "source": "habits", "step_rule": "try"}
    tuned = {"tuned_source": "habits", "tuned_step_rule": "try"}
    roles = {"problems": inputs["problems"], "solutions": graded, "traces:judge:00000": trace}
    again = {
        "tuned_problems": inputs["problems"],
        "tuned_solutions": graded,
        "tuned_traces:judge:00000": trace,
    }
    _, half, _ = run(LOCATE, "locate", params | {"draws": 100, "seed": 0}, roles)
    _, both, facts = run(LOCATE, "locate", params | tuned | {"draws": 100, "seed": 0}, roles | again)
    assert set(half["first_errors"]["rule"]) == {"fixed", "never", "first", "chance"}
    f1 = dict(both["first_errors"].filter(kind="all", verifier="judge").select("rule", "f1").iter_rows())
    assert f1["tuned"] >= f1["fixed"] and 0 < facts["thresholds"]["judge"] < 1
    assert both["first_errors_per_problem"].filter(pl.col("rule") == "fixed").height == 6


def test_step_scores_of_files_are_aggregated_in_a_study(tmp_path) -> None:
    steps = {"a": [[0.9, 0.2], [0.8]], "b": [[0.5, 0.6, 0.4], [0.1, 0.9]]}
    rows = [
        {"problem_id": p, "text": f"so {i}", "answer": "1", "predicted": str(i), "prm": values}
        for p, both in steps.items()
        for i, values in enumerate(both)
    ]
    file = tmp_path / "mine.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    mapped = {"score": "prm:last", "text": "text", "answer": "answer", "predicted": "predicted"}
    verifiers = {"worst": {"score": "given", "column": "prm", "aggregate": "min"}}
    reasoner = {"samples": "mine", "evaluate_on": ["given"], "verifiers": ["worst"]}
    study = study_of(tmp_path, file, entry={"map": mapped}, verifiers=verifiers, reasoners={"mine": reasoner})
    plan, store = planned(tmp_path, study), Store(tmp_path / "store")
    scored = only(plan, "score")
    made_until(plan, store, scored)
    found = table(store, scored, "scores").sort("problem_id", "sample_id")
    assert found["score"].to_list() == [0.2, 0.8, 0.4, 0.1]
