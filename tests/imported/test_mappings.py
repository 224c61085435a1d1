"""Which column holds what: by mapping, by suggestion, and what cannot be told."""

from __future__ import annotations

import polars as pl
import pytest

from rlv.errors import DataError
from rlv.imported import read_samples
from tests.imported.writing import LONG, lines, same, solutions

OTHER = {"qid": 3, "problem_text": "1+1?", "gold": 2, "generation": "two", "rm": 0.5, "ok": "true"}


def test_everything_else_by_mapping(tmp_path):
    said = {
        "problem_id": "qid",
        "question": "problem_text",
        "answer": "gold",
        "text": "generation",
        "score": "rm",
    }
    found = read_samples(lines(tmp_path / "s.jsonl", [OTHER]), mapping=said, correct="ok")
    assert found.dialect == "mapping"
    assert found.mapping == {**said, "correct": "ok"}
    assert found.problems.rows() == [("3", "1+1?", "2", None, None)]
    assert solutions(found, "text", "correct") == [("3", 0, "two", True)]


def test_nested_columns_by_mapping(tmp_path):
    row = {
        "meta": {"id": "a", "ref": {"final": 2}},
        "out": [{"t": "x", "s": {"rm": 0.5}}, {"t": "y", "s": {"rm": 1.0}}],
    }
    said = {"problem_id": "meta.id", "answer": "meta.ref.final", "text": "out[].t", "score": "out[].s.rm"}
    path = lines(tmp_path / "s.jsonl", [row])
    found = read_samples(path, mapping=said)
    assert solutions(found, "text") == [("a", 0, "x"), ("a", 1, "y")]
    assert found.problems["answer"].to_list() == ["2"]
    assert found.scores["rm"]["score"].to_list() == [0.5, 1.0]
    parquet = tmp_path / "s.parquet"
    pl.DataFrame([row]).write_parquet(parquet)
    assert same(found, read_samples(parquet, mapping=said))


def test_columns_that_cannot_be_told(tmp_path):
    path = lines(tmp_path / "s.jsonl", [OTHER])
    with pytest.raises(DataError) as error:
        read_samples(path)
    message = str(error.value)
    assert "qid (whole numbers), problem_text (text)" in message
    assert "generation: 'two'" in message
    assert "--map problem_id=qid" in message
    assert "text=generation" in message
    assert "score=rm" in message


@pytest.mark.parametrize(
    ("mapping", "correct", "words"),
    [
        (
            {"text": "generatoin"},
            None,
            r"--map text=generatoin, but there is no column.*Use --map text=generation",
        ),
        ({"text": "generation", "score": "rn"}, None, r"--map score=rn, but .*Use --map score=rm"),
        ({"text": "generation"}, "okay", r"--correct okay, but .*Use --correct ok"),
        ({"txt": "generation"}, None, r"--map txt=….*did you mean text"),
        ({"gold": "gold"}, None, r"--map gold=….*did you mean answer"),
        ({"text": "generation", "score": "rm:max"}, None, r"expected last, min, mean, prod .*found max"),
        ({"text": ["generation", "gold"]}, None, "expected one column, found several"),
        ({"text": "generation", "correct": "ok"}, "rm", "use one of them"),
    ],
)
def test_mappings_that_are_wrong(tmp_path, mapping, correct, words):
    with pytest.raises(DataError, match=words):
        read_samples(lines(tmp_path / "s.jsonl", [OTHER]), mapping=mapping, correct=correct)


def test_the_answer_of_a_solution_is_not_that_of_the_problem(tmp_path):
    rows = [{"question": "q", "text": f"t{i}", "answer": str(i)} for i in range(2)]
    with pytest.raises(
        DataError, match=r"line 2: problem .* has the answer '1', but '0' at .*line 1.*predicted="
    ):
        read_samples(lines(tmp_path / "s.jsonl", rows))


def test_an_id_of_two_problems(tmp_path):
    rows = [{"problem_id": 0, "question": q, "text": "t", "answer": "1"} for q in ("first", "second")]
    with pytest.raises(DataError, match=r"line 2: problem '0' has the question 'second', but 'first'"):
        read_samples(lines(tmp_path / "s.jsonl", rows))


def test_files_of_two_formats(tmp_path):
    one = lines(tmp_path / "1.jsonl", LONG)
    other = lines(tmp_path / "2.jsonl", [{"input": "q", "output": "t", "gts": "2", "score": 1.0, "step": 1}])
    with pytest.raises(DataError, match=r"2.jsonl: looks like verl, .*1.jsonl like plain"):
        read_samples([one, other])
    with pytest.raises(DataError, match="named twice"):
        read_samples([one, one])
    with pytest.raises(DataError, match=r"--dialect vrel: expected one of rlv, "):
        read_samples(one, dialect="vrel")


def test_nothing_tells_the_problems(tmp_path):
    with pytest.raises(DataError, match=r"line 1: nothing tells.*--map problem_id=COLUMN"):
        read_samples(lines(tmp_path / "s.jsonl", [{"text": "a", "answer": "2"}]), mapping={"text": "text"})
    # A row that holds several solutions is a problem.
    wide = [{"text": ["a", "b"], "answer": "1"}, {"text": ["c"], "answer": "2"}]
    found = read_samples(lines(tmp_path / "w.jsonl", wide), mapping={"text": "text"})
    assert found.problems.select("problem_id", "answer").rows() == [("row-1", "1"), ("row-2", "2")]
