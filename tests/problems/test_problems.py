import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.problems import SOURCES, levels_of, load_local, problems_table
from rlv.problems.files import file_rows
from rlv.problems.rows import Selection, by_fields, choose, table_of, text_id
from rlv.problems.text import normalised

GOOD = {
    "id": "a",
    "problem": "1 + 1?",
    "answer": "2",
    "level": "Level 2",
    "subject": "Algebra",
    "solution": "…",
}


def write_lines(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows) + "\n")
    return path


def test_json_lines_with_math_names(tmp_path):
    other = {"problem_id": "b", "question": "  2?", "answer": 3, "level": None}
    path = write_lines(tmp_path / "p.jsonl", GOOD, "", other)
    table = load_local(path)
    tables.check(table, "problems", "test")
    assert table.rows() == [("a", "1 + 1?", "2", 2, "Algebra"), ("b", "  2?", "3", None, None)]
    assert load_local(str(path), size=1).rows() == table.rows()[:1]


def test_parquet_and_own_field_names(tmp_path):
    path = tmp_path / "p.parquet"
    pl.DataFrame(
        {"name": ["a", "b"], "text": ["x?", "y?"], "answer": ["1", "2"], "level": [1, 5]}
    ).write_parquet(path)
    table = load_local(path, fields={"problem_id": "name", "question": "text"})
    assert table.rows() == [("a", "x?", "1", 1, None), ("b", "y?", "2", 5, None)]
    with pytest.raises(DataError, match=r"p.parquet row 1: no problem_id \(looked for problem_id or id"):
        load_local(path)
    with pytest.raises(DataError, match=r"'name'.*known"):
        load_local(path, fields={"name": "id"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": None}, "line 3: no answer"),
        ({"answer": "  "}, "line 3: answer is '  '"),
        ({"answer": ["2"]}, r"line 3: answer is \['2'\]"),
        ({"answer": True}, "line 3: answer is True"),
        ({"problem": ""}, "line 3: question is ''"),
        ({"problem": None}, "line 3: no question"),
        ({"id": None}, "line 3: no problem_id"),
        ({"id": "a"}, "line 3: duplicate id 'a', first at .*line 1"),
        ({"level": "hard"}, "line 3: level is 'hard'"),
        ({"level": 2.5}, "line 3: level is 2.5"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path, change, message):
    path = write_lines(tmp_path / "p.jsonl", GOOD, "", {**GOOD, "id": "b", **change})
    with pytest.raises(DataError, match=f"p.jsonl {message}"):
        load_local(path)


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"p.jsonl line 2: not JSON"):
        load_local(write_lines(tmp_path / "p.jsonl", GOOD, "{"))
    with pytest.raises(DataError, match=r"p.jsonl line 1: found 5"):
        load_local(write_lines(tmp_path / "p.jsonl", "5"))
    with pytest.raises(DataError, match=r"no problems"):
        load_local(write_lines(tmp_path / "p.jsonl", ""))
    with pytest.raises(DataError, match=r"3 problems asked, found 1"):
        load_local(write_lines(tmp_path / "p.jsonl", GOOD), size=3)
    with pytest.raises(DataError, match=r"p.csv: found .csv"):
        load_local(write_lines(tmp_path / "p.csv", "id,answer"))
    with pytest.raises(DataError, match=r"none.jsonl: no such file"):
        load_local(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match=r"not a readable Parquet"):
        load_local(write_lines(tmp_path / "p.parquet", "no"))
    (tmp_path / "p.jsonl").write_bytes(b'{"id": "\xff"}\n')
    with pytest.raises(DataError, match=r"line 1: not JSON"):
        load_local(tmp_path / "p.jsonl")


def test_levels_choose_problems_before_the_size_does(tmp_path):
    rows = [{"id": str(i), "question": "?", "answer": "1", "level": f"Level {i % 3}"} for i in range(9)]
    path = write_lines(tmp_path / "p.jsonl", *map(json.dumps, rows))
    assert levels_of(path) == [0, 1, 2] * 3
    assert load_local(path, levels=[2])["problem_id"].to_list() == ["2", "5", "8"]
    assert load_local(path, levels=[0, 2], size=3)["problem_id"].to_list() == ["0", "2", "3"]
    with pytest.raises(DataError, match="4 problems asked, found 3"):
        load_local(path, levels=[1], size=4)


def test_rows_of_any_source_are_checked():
    row = {"problem_id": "a", "question": "?", "answer": "1", "level": "Level ?", "subject": None}
    assert problems_table([row], "somewhere")["level"].to_list() == [None]
    with pytest.raises(DataError, match=r"somewhere row 2: duplicate id 'a', first at somewhere row 1"):
        problems_table([row, row], "somewhere")


def test_mini_source():
    table = SOURCES["mini"].load(form="quadratic", reach=8, split="test", size=20, seed=1)
    tables.check(table, "problems", "test")
    assert len(table) == 20 and table["problem_id"].n_unique() == 20


def test_problems_are_left_out_before_they_are_checked(tmp_path):
    rows = [{"id": str(i), "question": f"Q{i}?", "answer": "1"} for i in range(4)]
    rows[1] |= {"answer": "", "question": None}
    path = write_lines(tmp_path / "p.jsonl", *map(json.dumps, rows))
    with pytest.raises(DataError, match="line 2: no question"):
        load_local(path)
    assert load_local(path, without=["1"])["problem_id"].to_list() == ["0", "2", "3"]
    assert load_local(path, without=["0", "1"], size=1)["problem_id"].to_list() == ["2"]


def test_an_id_that_no_problem_has_cannot_be_left_out(tmp_path):
    path = write_lines(tmp_path / "p.jsonl", GOOD)
    with pytest.raises(DataError, match="without: no problem has the id 'b'"):
        load_local(path, without=["b"])
    # A set that is cut short may have it later.
    assert len(load_local(path, without=["b"], size=1)) == 1


def test_problems_of_other_sets_are_left_out_by_their_text():
    rows = [
        (f"row {i}", {"id": i, "question": q, "answer": "1"}) for i, q in enumerate(["A  b?", "c?", "a B?"])
    ]
    left_out: Counter[str] = Counter()
    selection = Selection(excluded={normalised("a b?")}, size=1)
    chosen = list(choose(rows, by_fields, selection, left_out=left_out))
    assert [place for place, _ in chosen] == ["row 1"] and left_out == {"exclude": 1}


def test_ids_are_made_of_texts_where_a_source_gives_none():
    rows = [(f"row {i}", {"question": q, "answer": "1"}) for i, q in enumerate(["a?", "b?", "a?"])]
    ids = [p["problem_id"] for _, p in choose(rows, by_fields, Selection(), id_prefix="s")]
    assert ids == [text_id("s", "a?"), text_id("s", "b?"), text_id("s", "a?") + "-2"]
    with pytest.raises(DataError, match="row 0: no problem_id"):
        list(choose(rows, by_fields, Selection()))


@pytest.mark.parametrize("key", ["id", "question", "answer", "subject"])
@pytest.mark.parametrize("prefix", [None, "p"])
def test_half_of_a_surrogate_pair_is_an_error_with_its_line(tmp_path, key, prefix):
    """JSON can state it; no UTF-8 text has it."""
    row = {"id": "1", "question": "q", "answer": "a", "subject": "s", key: "q\ud800"}
    if prefix is not None and key != "id":
        del row["id"]
    path = tmp_path / "rows.jsonl"
    path.write_text('\n{"id": "0", "question": "q", "answer": "a"}\n' + json.dumps(row) + "\n")
    with pytest.raises(DataError, match=r"rows\.jsonl line 3: .* has \\ud800 at character 2"):
        table_of(choose(file_rows(path), by_fields, Selection(), id_prefix=prefix), str(path), None)
