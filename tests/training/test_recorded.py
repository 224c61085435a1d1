"""Recorded solutions: parts that follow checkpoints, and batches that come back as they were sampled."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError, ModelError, StoreError
from rlv.job import Job
from rlv.prompts import solver_ids
from rlv.scoring.stage import SCORE
from rlv.store import Artifact, Store
from rlv.study.types import Training
from rlv.training.origin import RECORDED, SAMPLED, SourceFiles
from rlv.training.policy import Policy, read_prompts
from rlv.training.recorded import Recorded, Recorder, fingerprint
from rlv.training.run import Run
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


@pytest.mark.parametrize(("origin", "rollouts"), [(SAMPLED, None), (RECORDED, Path("rollouts.parquet"))])
def test_a_job_file_contains_the_source(origin, rollouts):
    files = SourceFiles(origin, Path("problems.parquet"), rollouts)
    found = SourceFiles.of_json(json.loads(json.dumps(files.as_json())))
    # A rank may have another working directory.
    wanted = None if rollouts is None else rollouts.absolute()
    assert found == SourceFiles(origin, Path("problems.parquet").absolute(), wanted)


def learned_from(source, tokenizer):
    """The batches of a source, asked for from the last to the first."""
    prompts = read_prompts(source.problems, tokenizer, "plain")
    steps = range(source.n_steps(Training()))
    with source.open(Policy(None, tokenizer, None, prompts), Run()) as batch_of:
        return [batch_of(step).trajectories for step in reversed(steps)][::-1]


def test_batches_come_back_as_they_were_sampled(tmp_path, batches, problems, tiny_tokenizer):
    table = recorded(tmp_path, batches).table()
    questions = dict(zip(problems["problem_id"], problems["question"], strict=True))
    found = learned_from(Recorded(problems, table), tiny_tokenizer)
    assert len(found) == 3
    for step in (2, 0, 1):
        for t, original in zip(found[step], batches[step], strict=True):
            zeros = (0.0,) * len(original.solution_ids)
            assert t == dataclasses.replace(
                original,
                prompt_ids=tuple(solver_ids(tiny_tokenizer, questions[original.problem_id], "plain")),
                advantages=zeros,
                sampled_logprobs=zeros,
            )


def test_tables_that_are_no_recording_are_refused(tmp_path, batches, problems):
    table = recorded(tmp_path, batches).table()

    def refused(rows, of, message):
        with pytest.raises(DataError, match=message):
            Recorded(of, rows)

    refused(table.clear(), problems, "no rows")
    refused(table.filter(table["step"] != 2), problems, "row 3 has step 3; steps must be 1, 2")
    refused(table.filter(table["step"] != 1), problems, "row 0 has step 2")
    refused(table.reverse(), problems, "row 0 has step 3")
    refused(table, problems.filter(problems["problem_id"] != "p1"), "'p1' is not in the problems table of 9")


def test_steps_of_uneven_size_keep_their_solutions(trajectories, problems, tiny_tokenizer):
    columns = {column: [] for column in tables.SCHEMAS["rollouts"]}
    for step, t in zip([1, 1, 1, 1, 2, 3, 3, 4, 4], trajectories, strict=True):
        row = (step, t.problem_id, t.sample_id, list(t.solution_ids), t.reward, t.finished)
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)
    table = tables.frame("rollouts", columns)
    found = learned_from(Recorded(problems, table), tiny_tokenizer)
    assert [[t.solution_ids for t in batch] for batch in found] == [
        [t.solution_ids for t in trajectories[a:b]] for a, b in ((0, 4), (4, 5), (5, 7), (7, 9))
    ]


def test_a_fingerprint_is_of_what_a_table_holds(tmp_path, batches):
    table = recorded(tmp_path, batches).table()
    whole = fingerprint(table)
    assert (
        whole
        == fingerprint(table.rechunk())
        == fingerprint(pl.DataFrame(table.to_dict(as_series=False), schema=table.schema))
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rlv.training.recorded._SLICE", 2)
        in_slices = fingerprint(table)
        assert in_slices == fingerprint(pl.concat([table[:1], table[1:4], table[4:]], rechunk=False))
    ids = table["token_ids"].to_list()
    moved = [*ids[:-2], [*ids[-2], ids[-1][0]], ids[-1][1:]]  # the same tokens, cut elsewhere
    swapped = [ids[1], ids[0], *ids[2:]]
    others = [
        *(table.with_columns(pl.Series("token_ids", new, pl.List(pl.Int32))) for new in (moved, swapped)),
        *(table.with_columns(1 - pl.col("reward")), table.with_columns(~pl.col("finished")), table[:-1]),
        *(table.reverse(), table.with_columns(pl.col("step") + 1), table.clear()),
    ]
    assert len({whole, *map(fingerprint, others)}) == 1 + len(others)


def test_a_part_is_on_disk_before_and_after_it_has_its_name(tmp_path, batches, monkeypatch):
    seen = []

    def watched(path):
        seen.append((path, [entry.name for entry in folder.iterdir()]))

    monkeypatch.setattr("rlv.training.recorded.sync", watched)
    folder = tmp_path / "rollouts"
    recorder = Recorder(folder, 0)
    recorder.add(1, batches[0])
    recorder.flush(1)
    name = "steps-000001-000001"
    assert seen == [(folder / f"{name}.partial", [f"{name}.partial"]), (folder, [f"{name}.parquet"])]


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
