"""Recorded solutions: parts that follow checkpoints, and batches that come back as they were sampled."""

from __future__ import annotations

import dataclasses

import pytest

from rlv import tables
from rlv.errors import DataError, ModelError, StoreError
from rlv.job import Job
from rlv.prompts import solver_ids
from rlv.scoring.stage import SCORE
from rlv.store import Artifact, Store
from rlv.training.recorded import Recorder, recorded_batches
from rlv.training.stage import TRAIN


@pytest.fixture
def batches(trajectories):
    """Three steps of three solutions."""
    return [trajectories[i : i + 3] for i in (0, 3, 6)]


def recorded(folder, batches):
    recorder = Recorder(folder, 0)
    for step, batch in enumerate(batches, start=1):
        recorder.add(step, batch)
        if step != 2:  # parts of one and of two steps
            recorder.flush(step)
    return recorder


def test_parts_hold_every_solution_in_order(tmp_path, batches):
    recorder = recorded(tmp_path, batches)
    names = ["steps-000001-000001.parquet", "steps-000002-000003.parquet"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    found = tables.check(recorder.table(), "rollouts", "test")
    expected = [
        (step, t.problem_id, t.sample_id, list(t.solution_ids), t.reward, t.finished)
        for step, batch in enumerate(batches, start=1)
        for t in batch
    ]
    assert found.rows() == expected


def test_what_is_beyond_a_checkpoint_is_sampled_again(tmp_path, batches):
    whole = recorded(tmp_path, batches).table()
    (tmp_path / "steps-000004-000005.partial").write_bytes(b"cut off")
    again = Recorder(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["steps-000001-000001.parquet"]
    for step in (2, 3):
        again.add(step, batches[step - 1])
        again.flush(step)
    assert again.table().equals(whole)


def test_a_run_from_the_start_keeps_nothing(tmp_path, batches):
    recorded(tmp_path, batches)
    assert Recorder(tmp_path, 0).table().is_empty()


def test_a_missing_part_is_refused(tmp_path, batches):
    recorded(tmp_path, batches)
    (tmp_path / "steps-000001-000001.parquet").unlink()
    with pytest.raises(StoreError, match="up to step 0, the checkpoint is of step 3; remove"):
        Recorder(tmp_path, 3)
    with pytest.raises(StoreError, match="up to step 0, the checkpoint is of step 2"):
        Recorder(tmp_path / "empty", 2)


def test_batches_come_back_as_they_were_sampled(tmp_path, batches, problems, tiny_tokenizer):
    table = recorded(tmp_path, batches).table()
    questions = dict(zip(problems["problem_id"], problems["question"], strict=True))
    found = recorded_batches(table, problems, tiny_tokenizer, "plain")
    assert [len(batch) for batch in found] == [3, 3, 3]
    for batch, sampled in zip(found, batches, strict=True):
        for t, original in zip(batch, sampled, strict=True):
            zeros = (0.0,) * len(original.solution_ids)
            assert t == dataclasses.replace(
                original,
                prompt_ids=tuple(solver_ids(tiny_tokenizer, questions[original.problem_id], "plain")),
                advantages=zeros,
                sampled_logprobs=zeros,
            )


def test_tables_that_are_no_recording_are_refused(tmp_path, batches, problems, tiny_tokenizer):
    table = recorded(tmp_path, batches).table()

    def refused(rows, of, message):
        with pytest.raises(DataError, match=message):
            recorded_batches(rows, of, tiny_tokenizer, "plain")

    refused(table.clear(), problems, "no rows")
    refused(table.filter(table["step"] != 2), problems, "row 3 has step 3; steps must be 1, 2")
    refused(table.filter(table["step"] != 1), problems, "row 0 has step 2")
    refused(table.reverse(), problems, "row 0 has step 3")
    refused(table, problems.filter(problems["problem_id"] != "p1"), "'p1' is not in the problems table of 9")


def published(store, stage, write):
    artifact = Artifact(stage, "made", 1, {})
    with store.publishing(artifact) as publication:
        write(publication.path)
    return artifact


def made(store, stage, artifact, work):
    """The artifact as a run of the workflow makes it."""
    with store.publishing(artifact) as publication:
        job = Job(artifact, store, publication.path, work, 1, lambda _: None)
        publication.facts.update(stage.run(job))
    assert not store.problems_of(artifact)
    return artifact


def test_stages_hand_over_heads_and_recorded_solutions(tmp_path, tiny_model, tiny_tokenizer, problems):
    """A reasoner with a head, its scores, and a separate verifier of what it recorded, through the store."""
    store = Store(tmp_path / "store")

    def write_model(folder):
        tiny_model.save_pretrained(folder)
        tiny_tokenizer.save_pretrained(folder)

    inputs = {
        "model": published(store, "model", write_model),
        "problems": published(
            store, "problems", lambda f: tables.write(problems, f / "problems.parquet", "problems")
        ),
    }
    shared = {
        "problems_per_step": 3,
        "solutions_per_problem": 2,
        "max_tokens": 8,
        "verification_coefficient": 0.3,
    }
    headed_params = shared | {"advantage": "grpo", "steps": 2, "verification_objective": "bce"}
    how = {"save_every": 1}
    headed = made(
        store, TRAIN, Artifact("train", "headed", TRAIN.recipe, headed_params, inputs, how), tmp_path / "a"
    )
    sampled = tables.read(store.open(headed, "rollouts.parquet"), "rollouts")
    assert len(sampled) == 12

    separate = Artifact("train", "separate", TRAIN.recipe, shared, {**inputs, "rollouts": headed}, how)
    made(store, TRAIN, separate, tmp_path / "b")
    steps = tables.read(store.open(separate, "steps.parquet"), "steps")
    assert len(steps) == 2 and steps["tokens_sampled"].sum() == 0

    first = sampled.filter(sampled["step"] == 1)
    columns = {
        "problem_id": first["problem_id"].to_list(),
        "sample_id": first["sample_id"].to_list(),
        "budget": [8] * 6,
        "text": [""] * 6,
        "token_ids": first["token_ids"].to_list(),
        "n_prompt_tokens": [1] * 6,
        "n_tokens": first["token_ids"].list.len().to_list(),
        "flops": [1.0] * 6,
        "finish_reason": ["stop"] * 6,
    }
    samples = published(
        store,
        "sample",
        lambda f: tables.write(tables.frame("samples", columns), f / "samples.parquet", "samples"),
    )
    score_inputs = {"model": headed, "problems": inputs["problems"], "samples": samples}
    params = {"score": "bce", "prompt_style": "plain"}
    scored = made(
        store, SCORE, Artifact("score", "headed", SCORE.recipe, params, score_inputs), tmp_path / "c"
    )
    assert tables.read(store.open(scored, "scores.parquet"), "scores")["score"].is_between(0, 1).all()
    unscorable = Artifact("score", "separate", SCORE.recipe, params, {**score_inputs, "model": separate})
    with pytest.raises(ModelError, match="no verification head"):
        made(store, SCORE, unscorable, tmp_path / "d")
