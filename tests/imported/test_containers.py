"""One content in every container and shape, the mapping, references, and what is left out or refused."""

from __future__ import annotations

import json
import random

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlv import tables
from rlv.errors import DataError
from rlv.imported import read_samples
from rlv.imported.read import LONGEST_TEXT, SOLUTIONS
from tests.imported.writing import lines, same, scores, solutions

LONG = [
    {"problem_id": "a", "question": "1+1?", "answer": "2", "text": "two", "predicted": "2", "score": 0.5},
    {
        "problem_id": "a",
        "question": "1+1?",
        "answer": "2",
        "text": 'say "3",\nor 4',
        "predicted": "3",
        "score": 0.25,
    },
    {"problem_id": "b", "question": "2+2?", "answer": "4", "text": "four", "predicted": "4", "score": 1.0},
]
WIDE = [
    {
        **{"problem_id": "a", "question": "1+1?", "answer": "2", "text": ["two", 'say "3",\nor 4']},
        **{"predicted": ["2", "3"], "score": [0.5, 0.25]},
    },
    {
        "problem_id": "b",
        "question": "2+2?",
        "answer": "4",
        "text": ["four"],
        "predicted": ["4"],
        "score": [1.0],
    },
]


def written(folder, kind: str, rows: list[dict]):
    """The rows in a container of this kind."""
    path = folder / f"samples.{kind}"
    if kind == "jsonl":
        return lines(path, rows)
    if kind == "array.json":
        path.write_text(json.dumps(rows, indent=2))
    elif kind == "columns.json":
        path.write_text(json.dumps({name: [row[name] for row in rows] for name in rows[0]}))
    elif kind == "lines.json":
        return lines(path, rows)
    elif kind == "parquet":
        pl.DataFrame(rows).write_parquet(path)
    elif kind in ("csv", "tsv"):
        pl.DataFrame(rows).write_csv(path, separator="," if kind == "csv" else "\t")
    elif kind == "folder":
        from datasets import Dataset

        Dataset.from_list(rows).save_to_disk(path)
    return path


KINDS = ["jsonl", "array.json", "columns.json", "lines.json", "parquet", "csv", "tsv", "folder"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_container_holds_the_same(tmp_path, kind):
    found = read_samples(written(tmp_path, kind, LONG))
    assert found.problems.rows() == [("a", "1+1?", "2", None, None), ("b", "2+2?", "4", None, None)]
    tables.check(found.problems, "problems", "test")
    assert found.solutions.schema == SOLUTIONS
    assert solutions(found, "text", "answer", "correct") == [
        ("a", 0, "two", "2", None),
        ("a", 1, 'say "3",\nor 4', "3", None),
        ("b", 0, "four", "4", None),
    ]
    assert scores(found) == {"score": [("a", 0, 0.5), ("a", 1, 0.25), ("b", 0, 1.0)]}
    assert found.dialect == "plain"
    assert found.notes == ["problems have 1 to 2 solutions (median 1.5)"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("csv", "tsv")])
def test_long_and_wide_are_the_same(tmp_path, kind):
    (tmp_path / "wide").mkdir()
    assert same(
        read_samples(written(tmp_path, kind, LONG)), read_samples(written(tmp_path / "wide", kind, WIDE))
    )


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_shards_are_one_file(tmp_path, kind):
    whole = read_samples(written(tmp_path, kind, LONG))
    for cut in range(1, len(LONG)):
        (tmp_path / str(cut)).mkdir()
        shards = [
            written(tmp_path / str(cut), f"{kind}", LONG[:cut]).rename(tmp_path / str(cut) / f"1.{kind}"),
            written(tmp_path / str(cut), f"{kind}", LONG[cut:]),
        ]
        assert same(whole, read_samples(shards))


def test_shards_whose_columns_differ_in_type(tmp_path):
    first = lines(tmp_path / "1.jsonl", [{"problem_id": 1, "text": "a", "answer": 5, "score": 1}])
    second = lines(tmp_path / "2.jsonl", [{"problem_id": "1", "text": "b", "answer": "5", "score": 0.5}])
    found = read_samples([first, second])
    assert solutions(found, "text") == [("1", 0, "a"), ("1", 1, "b")]
    assert found.scores["score"]["score"].to_list() == [1.0, 0.5]


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcde"),
            st.text(st.characters(exclude_categories=["Cs"])),
            st.floats(0, 1),
            st.one_of(st.none(), st.booleans()),
            st.integers(0, 2**31 - 1),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_what_was_written_is_read(tmp_path, rows):
    content = [
        {
            "problem_id": p,
            "question": f"{p}?",
            "answer": p,
            "text": t,
            "score": s,
            "correct": c,
            "n_tokens": n,
        }
        for p, t, s, c, n in rows
    ]
    found = read_samples(lines(tmp_path / "s.jsonl", content))
    expected = [
        [(t, s, c, n) for p, t, s, c, n in rows if p == problem]
        for problem in sorted({row[0] for row in rows})
    ]
    read = found.solutions.join(found.scores["score"], ["problem_id", "sample_id"], maintain_order="left")
    by_problem = read.group_by("problem_id", maintain_order=True)
    assert [
        group.select("text", "score", "correct", "n_tokens").rows() for _, group in by_problem
    ] == expected
    assert [group["sample_id"].to_list() for _, group in by_problem] == [
        list(range(len(e))) for e in expected
    ]


def test_the_order_of_problems_does_not_matter(tmp_path):
    generator = random.Random(0)
    rows = [
        {"question": f"{p}?", "answer": str(p), "text": f"{p} {s}", "rm": [s / 8, p / 8]}
        for p in range(5)
        for s in range(p + 1)
    ]
    found = [read_samples(lines(tmp_path / "0.jsonl", rows), mapping={"score": "rm:prod"})]
    for number in range(1, 5):
        # A random interleaving of the problems, each in its own order.
        order = [row["question"] for row in rows]
        generator.shuffle(order)
        waiting = {q: iter([row for row in rows if row["question"] == q]) for q in order}
        path = lines(tmp_path / f"{number}.jsonl", [next(waiting[q]) for q in order])
        found.append(read_samples(path, mapping={"score": "rm:prod"}))
    assert all(same(found[0], other) for other in found[1:])


# ---- columns and mappings


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


# ---- references


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


# ---- values


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
    with pytest.raises(DataError, match="--scale rm=log: expected rank or sigmoid"):
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
