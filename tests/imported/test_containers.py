"""One content in every container and shape is read as the same."""

from __future__ import annotations

import json
import random

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlv import tables
from rlv.imported import read_samples
from rlv.imported.read import SOLUTIONS
from tests.imported.writing import LONG, WIDE, lines, same, scores, solutions


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
