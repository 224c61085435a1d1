"""Solutions of others: stated answers, trusted verdicts, and votes among solutions without an answer."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlv import tables
from rlv.answers import Grader, grade
from rlv.answers.given import answers_of, with_verdicts
from rlv.errors import DataError
from rlv.evaluation.curves import evaluate
from tests.evaluation.test_votes import plain_vote

NAMES = {"dataset": "given", "reasoner": "mine", "verifier": "rm"}


def imported(rows) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Samples and what is stated of them, from (problem, text, answer, correct, finish_reason)."""
    places: dict[str, int] = {}
    samples, stated = [], []
    for problem, text, answer, correct, *reason in rows:
        key = {"problem_id": problem, "sample_id": places.get(problem, 0)}
        places[problem] = key["sample_id"] + 1
        said = {"budget": 0, "text": text, "finish_reason": reason[0] if reason else None}
        samples.append(key | said)
        stated.append(key | {"answer": answer, "correct": correct})
    absent = dict.fromkeys(tables.SCHEMAS["samples"])
    return tables.frame("samples", [absent | row for row in samples]), tables.frame("given", stated)


def problems(**answers):
    return tables.frame(
        "problems",
        [
            {"problem_id": p, "question": None, "answer": a, "level": None, "subject": None}
            for p, a in answers.items()
        ],
    )


@pytest.fixture(scope="module")
def graded():
    """A function that grades rows, with problems by name and reference; its worker stays."""
    with Grader(workers=1) as grader:

        def graded_rows(rows, **answers):
            samples, stated = imported(rows)
            return grader.grade(samples, problems(**answers), "boxed", given=stated)

        yield graded_rows


def column(found: pl.DataFrame, name: str) -> list:
    return found[name].to_list()


def test_answers_of_come_before_those_of_the_text():
    samples, stated = imported([("a", r"\boxed{1}", "2", None), ("a", r"\boxed{3}", None, None)])
    # One states none: it has none, whatever its text says.
    assert answers_of(samples, stated, "boxed") == ["2", None]
    none = stated.with_columns(answer=pl.lit(None, pl.String))
    assert answers_of(samples, none, "boxed") == ["1", "3"]


def test_a_text_is_read_unless_it_was_cut_off_or_is_not_there():
    ends = (None, "stop", "eos", "forced", "length")
    rows = [("a", r"\boxed{1}", None, None, reason) for reason in ends]
    samples, stated = imported([*rows, ("a", None, None, None)])
    assert answers_of(samples, stated, "boxed") == ["1"] * 4 + [None, None]
    with pytest.raises(DataError, match="unknown answer format 'box'"):
        answers_of(samples, stated, "box")


def test_answers_belong_to_their_solution_in_any_order_of_the_rows():
    samples, stated = imported([(p, None, f"{p}{i}", None) for p in "ab" for i in range(3)])
    mixed = samples.sample(fraction=1.0, shuffle=True, seed=1)
    expected = [f"{p}{i}" for p, i in mixed.select("problem_id", "sample_id").rows()]
    assert answers_of(mixed, stated.reverse(), "boxed") == expected


def test_a_stated_verdict_counts_and_the_others_are_judged(graded):
    found = graded(
        [("a", None, "1/2", None), ("a", None, "0.5", False), ("a", None, "3", True), ("a", None, "4", None)],
        a="0.50",
    )
    assert column(found, "correct") == [True, False, True, False]
    assert column(found, "answer_class") == [0, 0, 1, 2]  # a verdict changes no class


def test_without_anything_stated_it_is_graded_like_our_own():
    texts = [r"\boxed{1}", r"\boxed{\frac12}", "nothing", r"\boxed{0.5}", r"\boxed{x"]
    samples, stated = imported([(p, text, None, None, "stop") for p in "ab" for text in texts])
    known = problems(a="0.5", b="1")
    with Grader(workers=1) as grader:
        theirs = grader.grade(samples, known, "boxed", given=stated)
        ours = grader.grade(samples, known, "boxed")
    assert theirs.equals(ours) and theirs["correct"].sum() == 3


def test_problems_without_a_reference_have_classes_and_stated_verdicts(graded):
    rows = [(p, None, answer, answer in ("2", "x=1")) for p in "ab" for answer in ("2", "2.0", "x=1", "3")]
    found = graded(rows, a=None, b="7")
    first, second = found.filter(problem_id="a"), found.filter(problem_id="b")
    # The reference decides neither: they are the same.
    assert column(first, "correct") == column(second, "correct") == [True, False, True, False]
    assert column(first, "answer_class") == column(second, "answer_class") == [0, 0, 1, 2]


def test_an_answer_is_not_right_because_nobody_knows_the_reference(graded):
    for answer in ("", " ", "$$", r"\,", "None", "null"):
        found = graded([("a", None, answer, False), ("a", None, "1", True)], a=None)
        assert column(found, "correct") == [False, True], answer


@pytest.mark.parametrize("text", [r"\boxed{1}", "nothing"])
def test_a_solution_that_must_be_judged_needs_a_reference(text):
    samples, stated = imported([("b", text, None, True), ("a", text, None, True), ("a", text, None, None)])
    known = problems(a=None, b=None)
    with (
        pytest.raises(DataError, match=r"1 problems have no reference .* \(first: 'a'\)"),
        Grader() as grader,
    ):
        grader.grade(samples, known, "boxed", given=stated)
    with pytest.raises(DataError, match=r"2 problems have no reference .* \(first: 'a'\)"):
        grade(samples, known, "boxed", workers=1)


def test_without_an_answer_no_vote_as_long_as_the_right_ones_have_answers(graded):
    rows = [
        ("a", None, "1", True),
        ("a", None, None, False),
        ("b", None, None, False),
        ("b", None, "2", True),
    ]
    assert column(graded(rows, a=None, b=None), "answer_class") == [0, None, None, 0]


def test_one_right_solution_without_an_answer_makes_every_such_one_a_class_of_its_own(graded):
    rows = [
        *(("a", None, answer, answer == "1") for answer in ("1", None, "2", None, "1")),
        *(("b", None, None, right) for right in (False, True, False)),
        *(("c", None, None, False) for _ in range(2)),
    ]
    found = graded(rows, a=None, b=None, c=None)
    assert column(found, "answer_class") == [0, 2, 1, 3, 0, *(0, 1, 2), *(0, 1)]
    assert column(found, "answer")[1] is None  # what is shown is what was stated
    # Problem c has no right solution, and its wrong ones are still in every vote.
    assert not found["answer_class"].null_count()


def test_verdicts_in_another_order_go_to_their_solutions():
    samples, stated = imported([("a", None, None, i % 3 == 0) for i in range(9)])
    with Grader(workers=1) as grader:
        one = grader.grade(samples, problems(a=None), "boxed", given=stated)
        other = grader.grade(samples, problems(a=None), "boxed", given=stated.reverse())
    assert one.equals(other) and column(one, "correct") == [i % 3 == 0 for i in range(9)]
    assert with_verdicts(one, stated).equals(one)  # nothing is left to do


@st.composite
def verdicts(draw):
    """Per problem (right, score) of equally many solutions, and at least one right one."""
    count, size = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    one = st.tuples(st.booleans(), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
    found = draw(st.lists(st.lists(one, min_size=size, max_size=size), min_size=count, max_size=count))
    if not any(right for problem in found for right, _ in problem):
        found[0][0] = (True, found[0][0][1])
    return found


@settings(max_examples=40, deadline=None)
@given(verdicts())
def test_votes_over_verdicts_alone_are_those_of_verdicts_and_scores_by_brute_force(graded, drawn):
    size = len(drawn[0])
    rows = [(f"p{i}", None, None, right) for i, problem in enumerate(drawn) for right, _ in problem]
    solutions = graded(rows, **{f"p{i}": None for i in range(len(drawn))})
    scores = tables.frame(
        "scores",
        [
            {"problem_id": f"p{i}", "sample_id": k, "budget": 0, "score": score}
            | {"n_tokens_read": None, "flops": None}
            for i, problem in enumerate(drawn)
            for k, (_, score) in enumerate(problem)
        ],
    )
    curves, per_problem = evaluate(solutions, scores, ns=range(1, size + 1), draws=100, **NAMES)
    found = {(r["problem_id"], r["strategy"], r["n"]): r["accuracy"] for r in per_problem.to_dicts()}
    for i, problem in enumerate(drawn):
        right, score = ([row[at] for row in problem] for at in range(2))
        for n in range(1, size + 1):
            sets = list(combinations(range(size), n))
            for strategy in ("best_of_n", "pass_at_n", "weighted_voting", "majority"):
                # Each is an answer of its own.
                votes = [
                    plain_vote(strategy, list(range(n)), [right[k] for k in s], [score[k] for k in s])
                    for s in sets
                ]
                assert found[f"p{i}", strategy, n] == pytest.approx(np.mean(votes)), (strategy, n)
            # Nobody agrees with anybody: a majority is one solution drawn at random, scores weigh one each.
            assert found[f"p{i}", "majority", n] == pytest.approx(np.mean(right))
            assert found[f"p{i}", "weighted_voting", n] == pytest.approx(found[f"p{i}", "best_of_n", n])
    assert curves.height == 4 * size


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_wrong_solution_without_an_answer_never_vanishes_while_right_ones_have_none(graded, data):
    said = st.tuples(st.sampled_from([None, "1", "2"]), st.booleans())
    drawn = data.draw(st.lists(st.lists(said, min_size=1, max_size=5), min_size=1, max_size=3))
    rows = [(f"p{i}", None, *row) for i, problem in enumerate(drawn) for row in problem]
    found = graded(rows, **{f"p{i}": None for i in range(len(drawn))})
    assert column(found, "correct") == [right for *_, right in rows]
    silent = [answer is None for _, _, answer, _ in rows]
    lost = any(quiet and right for quiet, (*_, right) in zip(silent, rows, strict=True))
    classes = column(found, "answer_class")
    assert [one is None for one in classes] == [quiet and not lost for quiet in silent]
    # Of two solutions only equal answers are one class.
    for problem in found.partition_by("problem_id"):
        for one, other in combinations(problem.iter_rows(named=True), 2):
            if None not in (one["answer_class"], other["answer_class"]):
                equal = one["answer"] is not None and one["answer"] == other["answer"]
                assert (one["answer_class"] == other["answer_class"]) == equal
