"""Files that are not what they seem, and content that nobody should trust."""

from __future__ import annotations

import gzip
import json
import os

import polars as pl
import pytest

from rlv.errors import DataError
from rlv.imported import read_samples
from tests.imported.writing import lines, solutions

ROW = {"question": "q", "answer": "1", "text": "t"}


def deep(levels: int) -> str:
    return f'{{"question": "q", "answer": "1", "text": "t", "x": {"[" * levels}{"]" * levels}}}'


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.jsonl", b"", "no rows"),
        ("blank.jsonl", b"\n \n", "no rows"),
        ("empty.json", b"[]", "no rows"),
        ("empty.csv", b"", "cannot be read"),
        ("head.csv", b"question,answer,text\n", "no rows"),
        ("empty.parquet", b"", "not a Parquet file"),
        ("half.jsonl", b'{"text": "a"}\n{"text": ', "line 2: not JSON"),
        ("list.jsonl", b"[1, 2]\n", "line 1: found"),
        ("number.json", b"5", "found 5; an array"),
        ("numbers.json", b"[1]", "row 1: found 1"),
        ("latin.jsonl", '{"text": "\xe9"}'.encode("latin-1"), "line 1: not JSON"),
        ("digits.jsonl", b'{"text": ' + b"9" * 5000 + b"}", "line 1: not JSON"),
        ("deep.jsonl", deep(100_000).encode(), "line 1: not JSON .JSON that is nested too deeply"),
        ("deep.json", ("[" * 100_000).encode(), "nested too deeply"),
        ("packed.jsonl", gzip.compress(b'{"text": "a"}', mtime=0), "compressed; unpack it"),
        ("text.txt", b"hello", "not JSON"),
        ("ragged.csv", b"question,answer,text\nq,1,t,more,and more\n", "cannot be read"),
    ],
)
def test_what_is_no_file_of_solutions(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as error:
        read_samples(path)
    assert name in str(error.value)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("levels", [1, 4, 5, 50, 900])
def test_lists_in_lists(tmp_path, levels):
    """Either read, as no field stands there, or one clear error; never an end of the interpreter."""
    path = lines(tmp_path / "s.jsonl", [deep(levels), ROW])
    try:
        assert solutions(read_samples(path), "text")[1][2] == "t"
    except DataError as error:
        assert "nested too deeply" in str(error)
        assert levels > 50


def test_truncated_parquet(tmp_path):
    path = tmp_path / "s.parquet"
    pl.DataFrame([ROW] * 100).write_parquet(path)
    whole = path.read_bytes()
    for keep in (4, 10, len(whole) // 2, len(whole) - 4):
        path.write_bytes(whole[:keep])
        with pytest.raises(DataError, match=r"s.parquet: "):
            read_samples(path)
    path.write_bytes(whole[:8] + b"\xff" * (len(whole) // 2) + whole[8 + len(whole) // 2 :])
    with pytest.raises(DataError, match=r"s.parquet: "):
        read_samples(path)


def test_what_is_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    for path, words in [
        (tmp_path / "pipe.jsonl", "a pipe"),
        ("/dev/zero", "a device"),
        (tmp_path, "found a folder, not of datasets.save_to_disk"),
        (tmp_path / "none.jsonl", "No such file"),
        ("-", "standard input"),
    ]:
        with pytest.raises(DataError, match=words):
            read_samples(path)
    with pytest.raises(DataError, match="no files"):
        read_samples([])


def test_damaged_and_divided_folders(tmp_path):
    from datasets import Dataset, DatasetDict

    splits = tmp_path / "splits"
    DatasetDict({name: Dataset.from_list([ROW]) for name in ("train", "test")}).save_to_disk(splits)
    with pytest.raises(DataError, match=r"several splits, expected one; .*splits/train or .*splits/test"):
        read_samples(splits)
    assert read_samples(splits / "test").solutions.height == 1
    (splits / "test" / "state.json").write_text("{")
    with pytest.raises(DataError, match="load_from_disk cannot read it"):
        read_samples(splits / "test")


def test_names_are_no_patterns(tmp_path):
    for name in ("[a].parquet", "*.csv", "?.jsonl"):
        path = tmp_path / name
        frame = pl.DataFrame([ROW])
        frame.write_parquet(path) if name.endswith("parquet") else None
        frame.write_csv(path) if name.endswith("csv") else None
        frame.write_ndjson(path) if name.endswith("jsonl") else None
        assert read_samples(path).solutions.height == 1


def test_rows_with_keys_of_their_own(tmp_path):
    path = lines(tmp_path / "s.jsonl", ({f"key {i}": i} for i in range(5000)))
    with pytest.raises(DataError, match="more than 2,000 different keys"):
        read_samples(path)


def test_huge_numbers_stay_exact(tmp_path):
    huge = 10**40 + 1
    rows = [{**ROW, "answer": huge, "predicted": p} for p in (huge, 2**63, 7, 0.5, None, True)]
    found = read_samples(lines(tmp_path / "s.jsonl", rows))
    assert found.problems["answer"].to_list() == [str(huge)]
    assert found.solutions["answer"].to_list() == [str(huge), str(2**63), "7", "0.5", None, "true"]


@pytest.mark.parametrize("text", ["\x00\x1b[2J\x07", "a\u2028b\r\n\tc", "\ufeff", '"', "😀", ""])
def test_control_characters_stay_in_texts(tmp_path, text):
    found = read_samples(lines(tmp_path / "s.jsonl", [{**ROW, "text": text}]))
    assert found.solutions["text"].to_list() == [text]


def test_control_characters_stay_out_of_messages(tmp_path):
    path = lines(tmp_path / "s.jsonl", [{"\x1b[2Jcolumn" * 50: "\x1b[31m" * 5000}])
    with pytest.raises(DataError) as error:
        read_samples(path)
    assert "\x1b" not in str(error.value)
    assert len(str(error.value)) < 600


def test_half_of_a_surrogate_pair(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text(
        '{"question": "q", "answer": "1", "text": "a\\ud800b", "\\udfff": ["\\ud800"]}\n' + json.dumps(ROW)
    )
    found = read_samples(path)
    assert found.solutions["text"].to_list() == ["a\ufffdb", "t"]
    assert any("half of a surrogate pair in 3 texts" in note for note in found.notes)


def test_a_name_twice(tmp_path):
    path = lines(
        tmp_path / "s.jsonl",
        ['{"question": "q", "answer": "1", "text": "a", "text": "b", "m": {"x": 1}, "m.x": 2}'],
    )
    assert read_samples(path).solutions["text"].to_list() == ["b"]


def test_a_mark_of_utf_8_and_windows_lines(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + json.dumps(ROW).encode() + b"\r\n\r\n" + json.dumps(ROW).encode() + b"\r\n"
    )
    assert read_samples(path).solutions.height == 2
    path = tmp_path / "s.csv"
    path.write_bytes(b'\xef\xbb\xbfquestion,answer,text\r\nq,1,"a ""b"", c\r\nd"\r\n')
    assert read_samples(path).solutions["text"].to_list() == ['a "b", c\r\nd']


def test_types_that_are_no_text(tmp_path):
    path = tmp_path / "s.parquet"
    pl.DataFrame({"question": ["q"], "answer": ["1"], "text": [b"bytes"]}).write_parquet(path)
    with pytest.raises(DataError, match="cannot be told which columns"):
        read_samples(path)
    path = lines(tmp_path / "s.jsonl", [{**ROW, "text": {"a": 1}}])
    with pytest.raises(DataError, match="cannot be told which columns"):
        read_samples(path)
    path = lines(tmp_path / "s.jsonl", [ROW, {**ROW, "text": 5}, {**ROW, "text": None}])
    assert read_samples(path).solutions["text"].to_list() == ["t", "5", None]


def test_problems_that_are_no_problems(tmp_path):
    path = lines(tmp_path / "s.jsonl", [{"problem_id": "a", "text": "t"}])
    for rows, words in [
        ([{"id": "a", "question": "q"}], "line 1: found id, question; a problem needs an answer"),
        ([{"answer": "1"}], "line 1: found answer; a problem needs"),
        ([{"id": "a", "answer": "1"}, {"id": "a", "answer": "2"}], "line 2: duplicate id 'a'"),
        ([{"id": "b", "answer": "1"}], "1 of 1 problems have no reference"),
        (["{"], "line 1: not JSON"),
    ]:
        with pytest.raises(DataError, match=words):
            read_samples(path, problems=lines(tmp_path / "p.jsonl", rows))
