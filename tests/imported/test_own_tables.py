"""This project's own tables, read as files of samples: solutions, problems and scores that go together."""

from __future__ import annotations

import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.imported import read_samples
from tests.imported.writing import lines, solutions


def own_tables(folder, budgets=(64,)):
    rows = [
        {
            **{"problem_id": p, "sample_id": s, "budget": b, "text": f"{p}{s} at {b}", "answer": str(s)},
            **{"n_prompt_tokens": 3, "n_tokens": b, "flops": 1.0, "finish_reason": "stop"},
            **{"answer_class": s, "correct": s == 0},
        }
        for p in ("a", "b")
        for s in (0, 1)
        for b in budgets
    ]
    solved = tables.frame("solutions", rows)
    problems = tables.frame(
        "problems",
        [{"problem_id": p, "question": f"{p}?", "answer": "0", "level": 2, "subject": "s"} for p in "ab"],
    )
    scored = solved.select(
        *("problem_id", "sample_id", "budget"),
        score=pl.col("sample_id") / 4 + pl.col("budget") / 256,
        n_tokens_read=pl.lit(1, pl.Int32),
        flops=pl.lit(1.0),
        n_tokens_new=pl.lit(1, pl.Int32),
        flops_new=pl.lit(1.0),
    )
    folder.mkdir(exist_ok=True)
    tables.write(solved, folder / "solutions.parquet", "solutions")
    tables.write(problems, folder / "problems.parquet", "problems")
    tables.write(scored, folder / "unified.parquet", "scores")
    (folder / "orm").mkdir()
    tables.write(scored.with_columns(score=1 - pl.col("score")), folder / "orm" / "scores.parquet", "scores")
    return folder


def test_own_tables(tmp_path):
    folder = own_tables(tmp_path / "t")
    files = [folder / name for name in ("unified.parquet", "solutions.parquet", "orm/scores.parquet")]
    found = read_samples(files, problems=folder / "problems.parquet")
    assert found.dialect == "rlv"
    assert found.problems.equals(tables.read(folder / "problems.parquet", "problems"))
    assert solutions(found, "text", "answer", "correct", "n_tokens") == [
        ("a", 0, "a0 at 64", "0", True, 64),
        ("a", 1, "a1 at 64", "1", False, 64),
        ("b", 0, "b0 at 64", "0", True, 64),
        ("b", 1, "b1 at 64", "1", False, 64),
    ]
    assert found.scores["unified"]["score"].to_list() == [0.25, 0.5, 0.25, 0.5]
    assert found.scores["orm"]["score"].to_list() == [0.75, 0.5, 0.75, 0.5]
    together = read_samples([*files, folder / "problems.parquet"])
    assert together.problems.equals(found.problems)
    assert together.scores["orm"].equals(found.scores["orm"])


def test_of_several_budgets_the_largest_counts(tmp_path):
    folder = own_tables(tmp_path / "t", budgets=(32, 64))
    found = read_samples([folder / "solutions.parquet", folder / "unified.parquet"])
    assert found.solutions["text"].to_list() == ["a0 at 64", "a1 at 64", "b0 at 64", "b1 at 64"]
    assert found.scores["unified"]["score"].to_list() == [0.25, 0.5, 0.25, 0.5]
    assert "rlv: 4 solutions at budgets below 64 left out; that one is read" in found.notes


def test_own_samples_before_they_are_graded(tmp_path):
    rows = [
        {
            **{"problem_id": "a", "sample_id": s, "budget": 8, "text": f"t{s}", "token_ids": [1, 2]},
            **{
                "n_prompt_tokens": 1,
                "n_tokens": 2,
                "flops": 1.0,
                "finish_reason": "stop",
                "self_certainty": None,
            },
            "token_logprobs": None,
        }
        for s in (1, 0)
    ]
    tables.write(tables.frame("samples", rows), tmp_path / "samples.parquet", "samples")
    references = lines(tmp_path / "p.jsonl", [{"id": "a", "question": "q", "answer": "5"}])
    found = read_samples(tmp_path / "samples.parquet", problems=references)
    assert solutions(found, "text", "answer", "correct") == [
        ("a", 0, "t1", None, None),
        ("a", 1, "t0", None, None),
    ]


def test_own_tables_that_do_not_fit(tmp_path):
    folder = own_tables(tmp_path / "t")
    with pytest.raises(DataError, match="no solutions among these tables"):
        read_samples(folder / "unified.parquet")
    again = tmp_path / "unified.parquet"
    again.write_bytes((folder / "unified.parquet").read_bytes())
    with pytest.raises(DataError, match=r"scores of 'unified': problem 'a' sample 0 has two"):
        read_samples([folder / "solutions.parquet", folder / "unified.parquet", again])
