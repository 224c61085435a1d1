"""The stage `imported`: made through the store, from files that may move, and may not change."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError, RlvError
from rlv.imported import read_samples
from rlv.imported.given import given_tables
from rlv.imported.stage import TABLES
from rlv.run.make import make
from rlv.store import Store
from tests.imported.studies import made, only, planned, study_of, table
from tests.imported.writing import LONG, lines

BASE = Path(__file__).parents[2] / "rlv" / "mini" / "base"
# Two solutions of two problems.
ROWS = [*LONG, {**LONG[2], "text": "five", "predicted": "5", "score": 0.125}]


@pytest.fixture
def file(tmp_path):
    return lines(tmp_path / "s.jsonl", ROWS)


def imported(folder, study, store=None):
    """The artifact of the stage, made."""
    store = store or Store(folder / "store")
    artifact = only(planned(folder, study), "imported")
    make(artifact, store, log=lambda line: None)
    return store, artifact


def test_its_tables_are_what_the_files_say(tmp_path, file):
    store, artifact = imported(tmp_path, study_of(tmp_path, file))
    found = given_tables(read_samples(file), 2)
    for name in TABLES:
        assert table(store, artifact, name).equals(getattr(found, name)), name
    manifest = json.loads((store.location(artifact) / "manifest.json").read_text())
    assert manifest["facts"]["problems"] == 2 and manifest["facts"]["solutions"] == 4
    assert manifest["facts"]["dialect"] == "plain" and manifest["facts"]["mapping"]["score"] == "score"


def test_all_that_follows_is_made_and_votes_are_those_of_the_files(tmp_path, file):
    read = {"mine": {"samples": "mine", "evaluate_on": ["given"], "verifiers": ["score"]}}
    study = study_of(tmp_path, file, reasoners=read, verifiers={"score": {"score": "given"}})
    plan, store = planned(tmp_path, study), Store(tmp_path / "store")
    made(plan, store)
    curves = table(store, only(plan, "evaluate"), "curves").filter(pl.col("n") == 2)
    found = {row["strategy"]: row["accuracy"] for row in curves.iter_rows(named=True)}
    # Of each problem one solution is right, with the higher score.
    assert found == {"majority": 0.5, "best_of_n": 1.0, "weighted_voting": 1.0, "pass_at_n": 1.0}


def test_what_was_left_out_is_in_the_manifest_and_the_log(tmp_path):
    store, lines_of = Store(tmp_path / "store"), []
    plan = planned(tmp_path, study_of(tmp_path, lines(tmp_path / "s.jsonl", LONG)))
    make(only(plan, "imported"), store, log=lines_of.append)
    facts = json.loads((store.location(only(plan, "imported")) / "manifest.json").read_text())["facts"]
    (left,) = [note for note in facts["notes"] if "are left out" in note]
    assert left.startswith("1 of 2 problems have fewer than 2") and left in lines_of


@pytest.mark.parametrize("which", ["samples", "problems", "tokenizer"])
def test_a_file_that_changes_while_the_study_runs_is_refused(tmp_path, file, which):
    folder = tmp_path / "tokenizer"
    shutil.copytree(BASE, folder)
    problems = lines(tmp_path / "p.jsonl", [{"id": "a", "answer": "2"}, {"id": "b", "answer": "4"}])
    entry = {"problems": str(problems), "tokenizer": str(folder)}
    artifact = only(planned(tmp_path, study_of(tmp_path, file, entry=entry)), "imported")
    changed = {"samples": file, "problems": problems, "tokenizer": folder / "tokenizer.json"}[which]
    before = changed.stat()
    changed.write_bytes(changed.read_bytes() + b"\n")
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))  # the size alone tells
    store = Store(tmp_path / "store")
    with pytest.raises(DataError, match=f"{changed}: changed while the study was running; run again"):
        make(artifact, store, log=lambda line: None)
    assert not store.exists(artifact)
    # Planned again it is another artifact, and made.
    store, again = imported(tmp_path, study_of(tmp_path, file, entry=entry))
    assert again.key != artifact.key and store.exists(again)


def test_where_a_file_lies_is_no_part_of_the_key_and_the_order_of_files_is(tmp_path):
    one, two = lines(tmp_path / "one.jsonl", ROWS[:2]), lines(tmp_path / "two.jsonl", ROWS[2:])

    def key(*files):
        return only(planned(tmp_path, study_of(tmp_path, *files)), "imported").key

    first = key(one, two)
    (tmp_path / "elsewhere").mkdir()
    moved = Path(shutil.copy(one, tmp_path / "elsewhere"))
    assert key(moved, two) == first
    assert key(two, one) != first  # the order of solutions is that of the files


def own_tables(folder: Path, verifier: str) -> list[Path]:
    """This project's tables in folders, the scores in one that is called as the verifier."""
    key = [{"problem_id": p, "sample_id": i, "budget": 9} for p in "ab" for i in range(2)]
    solved = [
        {**one, "text": "", "n_prompt_tokens": 1, "n_tokens": 1, "flops": 1.0, "finish_reason": "stop"}
        | {"answer": str(one["sample_id"]), "answer_class": one["sample_id"], "correct": not one["sample_id"]}
        for one in key
    ]
    scored = [{**one, "score": 0.5, "n_tokens_read": 1, "flops": 1.0} for one in key]
    paths = [folder / "solved" / "solutions.parquet", folder / verifier / "scores.parquet"]
    for path, name, rows in zip(paths, ("solutions", "scores"), (solved, scored), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        tables.write(tables.frame(name, rows), path, name)
    return paths


def test_scores_are_called_as_their_folder_which_is_part_of_the_key(tmp_path):
    one = only(planned(tmp_path, study_of(tmp_path, *own_tables(tmp_path / "x", "rm"))), "imported")
    same = only(planned(tmp_path, study_of(tmp_path, *own_tables(tmp_path / "y", "rm"))), "imported")
    other = only(planned(tmp_path, study_of(tmp_path, *own_tables(tmp_path / "x", "prm"))), "imported")
    assert one.key == same.key != other.key
    for verifier, artifact in (("rm", same), ("prm", other)):
        store = Store(tmp_path / "store")
        make(artifact, store, log=lambda line: None)
        assert table(store, artifact, "given_scores")["verifier"].unique().to_list() == [verifier]


def test_references_of_a_data_set_with_problems_of_its_own(tmp_path):
    bare = [{"question": q, "text": f"\\boxed{{{a}}}"} for q in ("1+1?", "2+2?", "3+3?") for a in (2, 4)]
    own = [{"id": f"own{i}", "problem": f"{i} + {i}?", "answer": str(2 * i)} for i in (1, 2, 3)]
    path = str(lines(tmp_path / "p.jsonl", own))
    source = {"source": "local", "path": path, "answer_format": "boxed"}
    study = study_of(tmp_path, lines(tmp_path / "s.jsonl", bare), datasets={"given": source})
    plan, store = planned(tmp_path, study), Store(tmp_path / "store")
    made(plan, store)
    problems = only(plan, "imported").inputs["problems"]
    assert problems.stage == "problems" and table(store, problems, "problems").height == 3
    found = table(store, only(plan, "imported"), "problems")
    # Problems are those of the data set, by text, with its ids.
    ids = [row["problem_id"] for row in table(store, problems, "problems").iter_rows(named=True)]
    assert found["problem_id"].to_list() == sorted(ids) and found["answer"].to_list() == ["2", "4", "6"]
    solved = table(store, only(plan, "grade"), "solutions")
    assert solved["correct"].to_list() == [True, False, False, True, False, False]
    # A change of the data set's problems makes another artifact, and so does another source of them.
    lines(tmp_path / "p.jsonl", [*own[:2], {**own[2], "answer": "7"}])
    assert only(planned(tmp_path, study), "imported").key != only(plan, "imported").key


def test_tokens_are_counted_by_the_study_s_tokenizer(tmp_path, file, tiny_tokenizer):
    entry = {"tokenizer": str(BASE)}
    store, artifact = imported(tmp_path, study_of(tmp_path, file, entry=entry))
    found = table(store, artifact, "samples")
    assert found["n_tokens"].to_list() == [
        len(tiny_tokenizer.encode(text, add_special_tokens=False)) for text in found["text"]
    ]
    plain = only(planned(tmp_path, study_of(tmp_path, file)), "imported")
    assert plain.key != artifact.key
    # The folder's name decides nothing, its files do.
    shutil.copytree(BASE, tmp_path / "copy")
    copied = study_of(tmp_path, file, entry={"tokenizer": str(tmp_path / "copy")})
    assert only(planned(tmp_path, copied), "imported").key == artifact.key


def test_a_folder_of_datasets_is_read_and_its_digest_is_that_of_its_files(tmp_path, file):
    from datasets import Dataset

    Dataset.from_list(ROWS).save_to_disk(tmp_path / "saved")
    store, artifact = imported(tmp_path, study_of(tmp_path, tmp_path / "saved"))
    found = given_tables(read_samples(file), 2)
    for name in TABLES:
        assert table(store, artifact, name).equals(getattr(found, name)), name
    shutil.copytree(tmp_path / "saved", tmp_path / "elsewhere" / "saved")
    copied = study_of(tmp_path, tmp_path / "elsewhere" / "saved")
    assert only(planned(tmp_path, copied), "imported").key == artifact.key
    # Any file of it counts, one that is added, too.
    (tmp_path / "elsewhere" / "saved" / "more").mkdir()
    (tmp_path / "elsewhere" / "saved" / "more" / "file").touch()
    assert only(planned(tmp_path, copied), "imported").key != artifact.key


def test_a_pipe_or_a_device_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    for path in (tmp_path / "pipe.jsonl", Path("/dev/zero")):
        with pytest.raises(RlvError, match=str(path)):
            planned(tmp_path, study_of(tmp_path, path))
