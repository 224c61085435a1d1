"""Reference answers of problems: from the files themselves, and from a file of problems."""

from __future__ import annotations

import pytest

from rlv.errors import DataError
from rlv.imported import read_samples
from tests.imported.writing import LONG, lines, solutions


def test_references_by_text_and_by_id(tmp_path):
    rows = [
        {"question": "What is $1 + 1$?", "text": "two"},
        {"question": "Other?", "text": "x", "correct": True},
    ]
    references = lines(
        tmp_path / "p.jsonl",
        [
            {"id": "m1", "problem": "what is  1+1?", "answer": 2, "level": "Level 2"},
            {"id": "m2", "problem": "z", "answer": 1},
        ],
    )
    found = read_samples(lines(tmp_path / "s.jsonl", rows), problems=references)
    assert found.problems.filter(problem_id="m1").rows() == [("m1", "what is  1+1?", "2", 2, None)]
    assert found.problems.height == 2
    assert "1 of 2 problems found in " + str(references) in found.notes
    by_id = [{"problem_id": "m2", "text": "t"}, {"problem_id": "m1", "question": "another", "text": "t"}]
    found = read_samples(lines(tmp_path / "i.jsonl", by_id), problems=references)
    assert found.problems["answer"].to_list() == ["2", "1"]
    assert any("1 problems have another text in" in note for note in found.notes)


def test_two_spellings_of_one_problem_become_one(tmp_path):
    rows = [{"question": q, "text": q} for q in ("1 + 1?", "$1+1$?")]
    references = lines(tmp_path / "p.jsonl", [{"id": "m1", "problem": "1+1?", "answer": 2}])
    found = read_samples(lines(tmp_path / "s.jsonl", rows), problems=references)
    assert found.problems["problem_id"].to_list() == ["m1"]
    assert solutions(found, "text") == [("m1", 0, "1 + 1?"), ("m1", 1, "$1+1$?")]


def test_the_file_of_problems_counts(tmp_path):
    references = lines(tmp_path / "p.jsonl", [{"id": "a", "problem": "1+1?", "answer": "zwei"}])
    found = read_samples(lines(tmp_path / "s.jsonl", LONG), problems=references)
    assert found.problems["answer"].to_list() == ["zwei", "4"]
    assert any("1 problems have another answer in" in note for note in found.notes)


def test_missing_references(tmp_path):
    rows = [{"problem_id": p, "text": "t", "correct": c} for p, c in (("a", True), ("b", None), ("b", False))]
    with pytest.raises(
        DataError, match=r"1 of 2 problems have no reference answer \(first: 'b'\), and 1 of 3"
    ):
        read_samples(lines(tmp_path / "s.jsonl", rows))
    found = read_samples(lines(tmp_path / "s.jsonl", [rows[0], rows[2]]))
    assert found.solutions["correct"].to_list() == [True, False]
    assert found.problems["answer"].to_list() == [None, None]
