"""Equally many solutions of every problem: which ones, with what is stated of them and of those left out."""

from __future__ import annotations

import numpy as np
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.imported import read_samples
from rlv.imported.given import NO_BUDGET, fewest, given_tables
from rlv.imported.stage import TABLES
from tests.imported.writing import LONG, lines


def rows_of(sizes: dict[str, int]) -> list[dict]:
    """Solutions of problems, whose texts, answers and scores say which they are."""
    return [
        {"problem_id": p, "answer": "1", "text": f"{p}{i}", "predicted": str(i), "rm": i / 10, "other": 0.5}
        for p, size in sizes.items()
        for i in range(size)
    ]


def given_of(tmp_path, sizes, n, **how):
    how = {"mapping": {"score": ["rm", "other"]}, **how}
    return given_tables(read_samples(lines(tmp_path / "s.jsonl", rows_of(sizes)), **how), n)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_first_n_of_every_problem_that_has_as_many(tmp_path, n):
    sizes = {"b": 4, "a": 2, "c": 3, "d": 1}
    found = given_of(tmp_path, sizes, n)
    expected = [(p, i) for p, size in sorted(sizes.items()) if size >= n for i in range(n)]
    assert found.samples.select("problem_id", "sample_id").rows() == expected
    assert found.samples["text"].to_list() == [f"{p}{i}" for p, i in expected]
    assert found.given.rows() == [(p, i, str(i), None) for p, i in expected]
    assert found.problems["problem_id"].to_list() == list(dict.fromkeys(p for p, _ in expected))
    assert sorted(found.given_scores.drop("steps").rows()) == sorted(
        [(p, i, "rm", i / 10) for p, i in expected] + [(p, i, "other", 0.5) for p, i in expected]
    )
    # Nothing is left out without a word.
    short = [p for p, size in sorted(sizes.items()) if size < n]
    beyond = sum(size - n for size in sizes.values() if size >= n)
    said = [f"{len(short)} of 4 problems have fewer than {n} solutions and are left out (first: '"] * bool(
        short
    )
    said += [f"{beyond} solutions beyond the first {n} of their problem are left out"] * bool(beyond)
    said.append(f"{len(sizes) - len(short)} problem")
    said.append("the tokens of solutions are not known, so there are no costs")
    assert len(found.notes) == len(said)
    assert all(note.startswith(start) for note, start in zip(found.notes, said, strict=True))
    if short:
        assert f"first: {short[0]!r} with {sizes[short[0]]}" in found.notes[0]


def test_the_tables_are_of_their_contracts_and_what_is_not_stated_is_null(tmp_path):
    found = given_of(tmp_path, {"a": 2}, 2)
    for name in TABLES:
        tables.check(getattr(found, name), name, "here")
    samples = found.samples.to_dict(as_series=False)
    unknown = set(samples) - {"problem_id", "sample_id", "budget", "text"}
    assert all(samples[name] == [None, None] for name in unknown) and len(unknown) == 7
    assert samples["budget"] == [NO_BUDGET] * 2


def test_what_is_stated_of_tokens_and_ends_goes_along(tmp_path):
    said = {"n_tokens": 7, "n_prompt_tokens": 3, "finish_reason": "length", "correct": False}
    rows = [{"problem_id": "a", "text": "t", **said}]
    found = given_tables(read_samples(lines(tmp_path / "s.jsonl", rows)), 1)
    assert found.samples.select(*list(said)[:3]).row(0) == (7, 3, "length")
    assert found.given["correct"].to_list() == [False]


def test_files_without_scores_leave_an_empty_table_of_them(tmp_path):
    rows = [{name: value for name, value in row.items() if name != "score"} for row in LONG]
    found = given_tables(read_samples(lines(tmp_path / "s.jsonl", rows)), 1)
    assert tables.check(found.given_scores, "given_scores", "here").is_empty()


def test_a_solution_without_a_score_has_no_row_of_it(tmp_path):
    rows = rows_of({"a": 2})
    rows[1]["rm"] = None
    found = given_tables(read_samples(lines(tmp_path / "s.jsonl", rows), mapping={"score": "rm"}), 2)
    assert found.given_scores.rows() == [("a", 0, "rm", 0.0, None)] and found.samples.height == 2


def test_fewest_is_the_most_that_leaves_no_problem_out(tmp_path):
    rng = np.random.default_rng(0)
    for draw in range(10):
        sizes = {f"p{i}": int(size) for i, size in enumerate(rng.integers(1, 6, 5))}
        imported = read_samples(lines(tmp_path / f"{draw}.jsonl", rows_of(sizes)))
        n = fewest(imported)
        assert n == min(sizes.values())
        assert given_tables(imported, n).problems.height == len(sizes)
        if n < max(sizes.values()):
            assert given_tables(imported, n + 1).problems.height < len(sizes)


def test_more_than_any_problem_has_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"3 solutions of each .* no problem has more than 2; a smaller n"):
        given_of(tmp_path, {"a": 2, "b": 1}, 3)


def test_a_hostile_id_is_shown_and_not_sent(tmp_path):
    found = given_of(tmp_path, {"\x1b[2J\u202e" + "x" * 500: 1, "b": 2}, 2)
    note = found.notes[0]
    assert "\x1b" not in note and "\u202e" not in note and len(note) < 300
