"""Values of fields: right and wrong, scores and their scales, tokens, duplicates, long texts."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlv.errors import DataError
from rlv.imported import read_samples
from rlv.imported.read import LONGEST_TEXT
from tests.imported.writing import WIDE, lines, scores


@pytest.mark.parametrize(
    ("values", "truth"),
    [
        ([True, False, None], [True, False, None]),
        ([1, 0, None], [True, False, None]),
        ([1.0, 0.0, float("nan")], [True, False, None]),
        (["true", " False", ""], [True, False, None]),
        (["Yes", 0, True], [True, False, True]),
    ],
)
def test_spellings_of_right_and_wrong(tmp_path, values, truth):
    rows = [{"question": "q", "answer": "1", "text": "t", "correct": value} for value in values]
    found = read_samples(lines(tmp_path / "s.jsonl", rows))
    assert found.solutions["correct"].to_list() == truth


@pytest.mark.parametrize("value", [2, -1, 0.5, "maybe", {"a": 1}, [True, False]])
def test_what_is_neither_right_nor_wrong(tmp_path, value):
    rows = [{"question": "q", "answer": "1", "text": "t", "ok": v} for v in (True, value)]
    with pytest.raises(DataError, match=r"line 2: ok is|line 2: ok holds .a and more"):
        read_samples(lines(tmp_path / "s.jsonl", rows), correct="ok")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.5, r"line 2: rm is 1.5, expected a score in \[0, 1\]; the column runs from 0.5 to 1.5"),
        (-2, "runs from -2 to 0.5"),
        (float("inf"), "line 2: rm is inf, expected a finite number"),
        ("high", "line 2: rm is 'high', expected a number"),
    ],
)
def test_scores_that_are_none(tmp_path, value, words):
    rows = [{"question": "q", "answer": "1", "text": "t", "rm": v} for v in (0.5, value)]
    with pytest.raises(DataError, match=words):
        read_samples(lines(tmp_path / "s.jsonl", rows), mapping={"score": "rm"})


@pytest.mark.parametrize("nothing", [None, float("nan"), "", "nan"])
def test_solutions_without_a_score(tmp_path, nothing):
    rows = [{"question": "q", "answer": "1", "text": "t", "rm": v} for v in (0.5, nothing, 0.25)]
    found = read_samples(lines(tmp_path / "s.jsonl", rows), mapping={"score": "rm"})
    assert found.scores["rm"].select("sample_id", "score").rows() == [(0, 0.5), (2, 0.25)]
    assert "1 of 3 solutions have no score in rm" in found.notes
    with pytest.raises(DataError, match="rm: no solution has a score"):
        read_samples(lines(tmp_path / "s.jsonl", [rows[1]]), mapping={"score": "rm"})


def test_steps_without_a_score(tmp_path):
    steps = [[0.5, 0.25], [], [0.5, None], None, [float("nan")], 0.75]
    rows = [{"question": "q", "answer": "1", "text": "t", "prm": v} for v in steps]
    found = read_samples(lines(tmp_path / "s.jsonl", rows), mapping={"score": "prm:min"})
    assert found.scores["prm"].select("sample_id", "score").rows() == [(0, 0.25), (5, 0.75)]


def test_logarithms_of_probabilities(tmp_path):
    mapping = {"problem_id": "id", "text": "text", "answer": "a", "score": "lp"}
    rows = [{"id": "p", "text": "\\boxed{1}", "a": "1", "lp": value} for value in (0.0, -0.5, -1e9)]
    found = read_samples(lines(tmp_path / "s.jsonl", rows), mapping=mapping, scale={"lp": "exp"})
    assert found.scores["lp"]["score"].to_list() == [1.0, pytest.approx(np.exp(-0.5)), 0.0]
    rows[1]["lp"] = 0.5
    path = lines(tmp_path / "t.jsonl", rows)
    with pytest.raises(DataError, match=r"line 2: lp is 0.5, expected the logarithm of a probability"):
        read_samples(path, mapping=mapping, scale={"lp": "exp"})


def test_scores_of_steps_stay_as_the_file_has_them(tmp_path):
    mapping = {"problem_id": "id", "text": "text", "answer": "a", "score": "prm:min"}
    rows = [
        {"id": "p", "text": "x \\boxed{1}", "a": "1", "prm": steps}
        for steps in ([0.5, 0.25], [1.0], [0.5, None])
    ]
    found = read_samples(lines(tmp_path / "s.jsonl", rows), mapping=mapping).scores["prm"]
    # One whose step has no score has none itself.
    assert found.rows() == [("p", 0, 0.25, [0.5, 0.25]), ("p", 1, 1.0, [1.0])]


def test_scales(tmp_path):
    values = [3.0, -1.0, 3.0, 0.0, float("inf")]
    rows = [{"question": f"q{i % 2}", "answer": "1", "text": "t", "rm": v} for i, v in enumerate(values)]
    path = lines(tmp_path / "s.jsonl", rows)
    ranks = read_samples(path, mapping={"score": "rm"}, scale={"rm": "rank"}).scores["rm"]["score"]
    # Sorted: -1, 0, 3, 3, inf; equal ones share the mean of their places. Of q0: 3, 3, inf; of q1: -1, 0.
    assert sorted(ranks) == pytest.approx([1 / 5, 2 / 5, 3.5 / 5, 3.5 / 5, 1.0])
    finite = lines(tmp_path / "f.jsonl", rows[:4])
    odds = read_samples(finite, mapping={"score": "rm"}, scale={"rm": "sigmoid"}).scores["rm"]["score"]
    assert sorted(odds) == pytest.approx([0.26894142, 0.5, 0.95257413, 0.95257413])
    with pytest.raises(DataError, match="--scale rm=log: expected one of rank, sigmoid, exp"):
        read_samples(finite, mapping={"score": "rm"}, scale={"rm": "log"})
    with pytest.raises(DataError, match="--scale mr=rank: no such column of scores; columns of scores: rm"):
        read_samples(finite, mapping={"score": "rm"}, scale={"mr": "rank"})


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(-1e300, 1e300), min_size=1))
def test_ranks_keep_the_order(tmp_path, values):
    rows = [{"question": "q", "answer": "1", "text": "t", "rm": v} for v in values]
    path = lines(tmp_path / "s.jsonl", rows)
    ranks = read_samples(path, mapping={"score": "rm"}, scale={"rm": "rank"}).scores["rm"]["score"].to_list()
    assert all(0 < rank <= 1 for rank in ranks)
    for (v, a), (w, b) in zip(
        zip(values, ranks, strict=True), zip(values[1:], ranks[1:], strict=True), strict=False
    ):
        assert (a < b, a == b) == (v < w, v == w)


def test_a_probability_in_single_precision(tmp_path):
    frame = pl.DataFrame(
        {"question": "q", "answer": "1", "text": ["t"], "score": pl.Series([1.0000001], dtype=pl.Float32)}
    )
    frame.write_parquet(tmp_path / "s.parquet")
    assert read_samples(tmp_path / "s.parquet").scores["score"]["score"].to_list() == [1.0]


def test_whole_numbers_of_a_table_with_gaps(tmp_path):
    frame = pl.DataFrame(
        {"question": "q", "answer": 42.0, "text": "t", "predicted": [42.0, 0.5, float("nan"), None]}
    )
    frame.write_parquet(tmp_path / "s.parquet")
    found = read_samples(tmp_path / "s.parquet")
    assert found.solutions["answer"].to_list() == ["42", "0.5", None, None]
    assert found.problems["answer"].to_list() == ["42"]


def test_duplicates(tmp_path):
    one = {"question": "q", "answer": "1", "text": "t", "sample_id": 0}
    rows = [one, one, {**one, "text": "u"}, {**one, "sample_id": 1}]
    found = read_samples(lines(tmp_path / "s.jsonl", rows))
    assert found.solutions["text"].to_list() == ["t", "u", "t"]
    assert any("1 solutions are there twice" in note for note in found.notes)
    # Without ids of their own, equal solutions are two solutions.
    bare = [{name: value for name, value in one.items() if name != "sample_id"}] * 2
    assert read_samples(lines(tmp_path / "b.jsonl", bare)).solutions.height == 2


def test_texts_that_are_too_long(tmp_path):
    rows = [
        {
            "question": "q",
            "answer": "1",
            "text": "é" * length,
            "predicted": "1",
            "correct": True,
            "score": 0.5,
        }
        for length in (LONGEST_TEXT // 2, LONGEST_TEXT // 2 + 1)
    ]
    found = read_samples(lines(tmp_path / "s.jsonl", rows))
    assert found.solutions.select(pl.col("text").is_null(), "answer", "correct").rows() == [
        (False, "1", True),
        (True, None, False),
    ]
    assert found.scores["score"].height == 2
    assert any("1 texts of more than 1,000,000 bytes" in note for note in found.notes)


def test_lists_of_different_lengths(tmp_path):
    rows = [WIDE[0], {**WIDE[1], "score": [1.0, 0.5]}]
    with pytest.raises(DataError, match=r"line 2: text holds 1 solutions, score 2 values"):
        read_samples(lines(tmp_path / "s.jsonl", rows))
    rows = [WIDE[0], {**WIDE[0], "problem_id": "c", "score": 0.5}]
    with pytest.raises(DataError, match=r"line 2: text holds 2 solutions, score 1 values"):
        read_samples(lines(tmp_path / "s.jsonl", rows))
    found = read_samples(lines(tmp_path / "s.jsonl", [WIDE[0], {**WIDE[1], "score": None}]))
    assert scores(found) == {"score": [("a", 0, 0.5), ("a", 1, 0.25)]}


@pytest.mark.parametrize("value", [1.5, 2**31, 10**30, "many", float("inf")])
def test_numbers_of_tokens(tmp_path, value):
    rows = [{"question": "q", "answer": "1", "text": "t", "n_tokens": n} for n in (5, value)]
    with pytest.raises(DataError, match=r"line 2: n_tokens is .*expected a number of tokens"):
        read_samples(lines(tmp_path / "s.jsonl", rows))
    rows[1]["n_tokens"] = -1
    assert read_samples(lines(tmp_path / "s.jsonl", rows)).solutions["n_tokens"].to_list() == [5, None]
