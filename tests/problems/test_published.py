"""Published data sets, each from a file in its authors' format: JSON Lines, Parquet, and the hub's layout."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.problems import SOURCES
from rlv.problems.files import file_rows
from rlv.problems.rows import Selection, by_fields, choose, table_of, text_id
from rlv.problems.sources import GPQA_REQUEST, gpqa_physics, last_box

# Rows as the authors write them, and the problems that they are.
MATH = {
    "problem": "What is $\\frac12 + \\frac12$?",
    "level": "Level 2",
    "type": "Prealgebra",
    "solution": "A half, \\boxed{0}, no: the sum is $\\boxed{1}$.",
}
GPQA = {
    "Record ID": "rec06pnAkLOr2t2mp",
    "Question": "How many quarks has a proton? ",
    "Correct Answer": "three ",
    "Incorrect Answer 1": "two",
    "Incorrect Answer 2": "one",
    "Incorrect Answer 3": "none",
    "High-level domain": "Physics",
    "Subdomain": "High-energy particle physics",
    "Canary String": "…",
}
AUTHORS: dict[str, tuple[list[dict], list[tuple]]] = {
    "math": (
        [MATH, {**MATH, "problem": "3 - 2?", "level": "Level ?", "solution": "So \\boxed 1"}, MATH],
        [
            (text_id("math", MATH["problem"]), MATH["problem"], "1", 2, "Prealgebra"),
            (text_id("math", "3 - 2?"), "3 - 2?", "1", None, "Prealgebra"),
            (text_id("math", MATH["problem"]) + "-2", MATH["problem"], "1", 2, "Prealgebra"),
        ],
    ),
    "math500": (
        [
            {
                "problem": "1 + 1?",
                "solution": "$\\boxed{2}$",
                "answer": "2",
                "subject": "Algebra",
                "level": 3,
                "unique_id": "test/algebra/7.json",
            }
        ],
        [("test/algebra/7", "1 + 1?", "2", 3, "Algebra")],
    ),
    "math_squared": (
        [
            {"Question": "Q1?", "Solution": "hence \\boxed{7}", "Skill 1": "counting", "Skill 2": "primes"},
            {"Question": "Q2?", "Solution": "hence 8", "Final Answer": "8", "Skill 1": None, "Skill 2": None},
        ],
        [
            (text_id("math_squared", "Q1?"), "Q1?", "7", None, "counting and primes"),
            (text_id("math_squared", "Q2?"), "Q2?", "8", None, None),
        ],
    ),
    "gpqa_physics": (
        [{**GPQA, "High-level domain": "Chemistry", "Record ID": "rec0"}, GPQA],
        [
            (
                "rec06pnAkLOr2t2mp",
                gpqa_physics(GPQA)["question"],  # pyright: ignore[reportOptionalSubscript]
                gpqa_physics(GPQA)["answer"],  # pyright: ignore[reportOptionalSubscript]
                None,
                "High-energy particle physics",
            )
        ],
    ),
    "aime24": (
        [{"id": 60, "problem": "Aya walks.", "solution": "…", "answer": "204", "url": "u", "year": "2024"}],
        [("aime24/60", "Aya walks.", "204", None, None)],
    ),
    "gsm8k": (
        [{"question": "Sum?", "answer": "Each has <<500*2=1000>>1,000.\n#### 71,000"}],
        [(text_id("gsm8k", "Sum?"), "Sum?", "71000", None, "grade school")],
    ),
}


def load(name: str, path: Path, **chosen) -> pl.DataFrame:
    source = SOURCES[name]
    selection = Selection(**chosen)
    rows = choose(file_rows(path), source.columns or by_fields, selection, id_prefix=name)
    return table_of(rows, str(path), selection.size)


def write(path: Path, rows: list[dict]) -> Path:
    if path.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_every_published_data_set_is_tried() -> None:
    assert set(AUTHORS) == {n for n, s in SOURCES.own.items() if s.columns}


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize("name", AUTHORS)
def test_rows_as_the_authors_write_them(name, suffix, tmp_path) -> None:
    rows, problems = AUTHORS[name]
    table = load(name, write(tmp_path / f"p.{suffix}", rows))
    tables.check(table, "problems", "test")
    assert table.rows() == problems


@pytest.mark.parametrize("name", AUTHORS)
def test_rows_that_have_our_columns_already_stay_as_they_are(name, tmp_path) -> None:
    row = {"id": "a/1", "problem": "1 + 1?", "answer": "2", "level": 4, "subject": "S", "solution": None}
    assert load(name, write(tmp_path / "p.jsonl", [row])).rows() == [("a/1", "1 + 1?", "2", 4, "S")]


def test_an_id_made_of_the_text_does_not_depend_on_the_place(tmp_path) -> None:
    rows = AUTHORS["math"][0][:2]
    ids = load("math", write(tmp_path / "a.jsonl", rows))["problem_id"].to_list()
    turned = load("math", write(tmp_path / "b.jsonl", rows[::-1]))["problem_id"].to_list()
    assert ids == turned[::-1]


def test_options_are_shuffled_by_the_problem_itself() -> None:
    def options(row: dict) -> tuple[list[str], str]:
        mapped = gpqa_physics(row)
        assert mapped is not None
        *lines, empty, request = mapped["question"].split("\n")[2:]
        assert (empty, request) == ("", GPQA_REQUEST)
        assert [line[:4] for line in lines] == ["(A) ", "(B) ", "(C) ", "(D) "]
        return [line[4:] for line in lines], mapped["answer"]

    order, letter = options(GPQA)
    assert sorted(order) == ["none", "one", "three", "two"]
    assert order["ABCD".index(letter)] == "three"
    # The same whichever columns hold the wrong options, and whatever else the row says.
    swapped = {**GPQA, "Incorrect Answer 1": "none", "Incorrect Answer 3": "two", "Subdomain": None}
    assert options(swapped) == (order, letter)
    # Over many problems the right option is everywhere equally often (chi-squared, 3 degrees, p = 0.001).
    letters = Counter(options({**GPQA, "Record ID": f"rec{i}"})[1] for i in range(2000))
    assert sum((letters[x] - 500) ** 2 / 500 for x in "ABCD") < 16.3
    # Without an id the text decides.
    unnamed = [{**GPQA, "Record ID": None, "Question": f"Q{i}"} for i in range(50)]
    assert len({options(row)[1] for row in unnamed}) == 4


def test_a_question_without_all_its_options_is_refused(tmp_path) -> None:
    path = write(tmp_path / "p.jsonl", [{**GPQA, "Incorrect Answer 2": None}])
    with pytest.raises(DataError, match="line 1: no answer"):
        load("gpqa_physics", path)


def test_a_solution_without_an_answer_is_named_by_the_id_that_leaves_it_out(tmp_path) -> None:
    path = write(tmp_path / "p.jsonl", [{**MATH, "solution": "There are $\\boxed{}$ primes."}, MATH])
    identity = text_id("math", MATH["problem"])
    with pytest.raises(DataError, match=rf"line 1: no answer .*`without: \[{identity}\]` leaves"):
        load("math", path)
    assert load("math", path, without=(identity,))["problem_id"].to_list() == [f"{identity}-2"]


@pytest.mark.parametrize(
    ("solution", "answer"),
    [("\\boxed{1} and \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"), ("\\boxed 5.", "5"), ("none", None)],
)
def test_the_last_box(solution, answer) -> None:
    assert last_box(solution) == answer


# ---- the real files


REAL = {
    "math_train12k": ("math", 11998, ("train/number_theory/7115", "train/number_theory/7117")),
    "math500": ("math500", 500, ()),
    "aime24": ("aime24", 30, ()),
    "gsm8k_test": ("gsm8k", 1319, ()),
}


def real(name: str) -> Path:
    path = Path(os.environ.get("RLV_DATA", "")) / f"{name}.jsonl"
    if "RLV_DATA" not in os.environ or not path.exists():
        pytest.skip(f"needs {name}.jsonl in the folder that the environment variable RLV_DATA names")
    return path


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("by", ["its own name", "local"])
def test_real_files(name, by) -> None:
    source, size, without = REAL[name]
    table = load("local" if by == "local" else source, real(name), without=without)
    assert len(table) == size and table["problem_id"].n_unique() == size
    with pytest.raises(DataError, match="problems asked, found"):
        load(source, real(name), without=without, size=size + 1)


def test_an_empty_reference_answer_is_named_with_its_problem() -> None:
    with pytest.raises(DataError, match="answer is '' in problem 'train/number_theory/7115'"):
        load("math", real("math_train12k"))


@pytest.mark.parametrize(("name", "source"), [("math_train12k", "math"), ("math500", "math")])
def test_the_last_box_of_every_real_solution_is_its_reference_answer(name, source, tmp_path) -> None:
    ready = [row for _, row in file_rows(real(name)) if row["answer"]]
    raw = [{"problem": r["problem"], "solution": r["solution"], "level": r["level"]} for r in ready]
    table = load(source, write(tmp_path / "p.jsonl", raw))
    assert table["answer"].to_list() == [row["answer"].strip() for row in ready]


def test_the_answer_of_every_real_gsm8k_row_is_its_reference_answer(tmp_path) -> None:
    ready = [row for _, row in file_rows(real("gsm8k_test"))]
    raw = [{"question": row["problem"], "answer": row["solution"]} for row in ready]
    table = load("gsm8k", write(tmp_path / "p.parquet", raw))
    assert table["answer"].to_list() == [row["answer"] for row in ready]
