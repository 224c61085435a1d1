"""Labels of steps: which step holds the first fault, and whether a habit made it."""

from __future__ import annotations

import random

import polars as pl
import pytest

from rlv import tables
from rlv.answers.steps import text_steps
from rlv.mini.forms import check_values, equations
from rlv.mini.habits import habit
from rlv.mini.labels import HABIT, NO_ERROR, step_labels
from rlv.mini.solver import Solver, demonstration
from rlv.mini.steps import faults

QUESTION = "Find x from 1 to 9 : 3 x^2 + 5 x = 15 mod 17"


def labels(questions, texts):
    problems = [
        {"problem_id": f"p{i}", "question": q, "answer": "1", "level": 1, "subject": ""}
        for i, q in enumerate(questions)
    ]
    solutions = pl.DataFrame(
        {"problem_id": [f"p{i}" for i in range(len(texts))], "sample_id": 0, "budget": 64, "text": texts}
    )
    solutions = solutions.cast({"sample_id": pl.Int32, "budget": pl.Int32})
    return step_labels(tables.frame("problems", problems), solutions, "try")


@pytest.mark.parametrize(
    ("text", "steps", "first", "kind"),
    [
        ("Try 8 13 5 6 11 no Try 5 8 7 8 15 yes Answer 5", 3, NO_ERROR, None),
        ("Try 8 13 6 6 12 no Try 5 8 7 8 15 yes Answer 5", 3, 0, "value"),
        ("Try 8 13 5 6 11 no Try 5 8 7 8 16 yes Answer 5", 3, 1, "value"),
        ("Try 8 13 5 6 11 no Try 5 8 7 8 15 no Answer 5", 3, 1, "mark"),
        ("Try 8 13 5 6 11 no Try 5 8 7 8 15 yes Answer 8", 3, 2, "answer"),
        ("Try 8 13 5 6 11 no", 1, 0, "shape"),
        ("Try 8 13 5 6 11 no Try 5", 2, 1, "shape"),
        ("", 1, 0, "shape"),
    ],
)
def test_the_first_wrong_step_by_hand(text, steps, first, kind) -> None:
    found = labels([QUESTION], [text])
    tables.check(found, "step_labels", "test")
    assert found.select("steps", "first_wrong", "kind").row(0) == (steps, first, kind)


def test_habits_are_told_from_slips_and_exact_solvers_have_no_error() -> None:
    rng = random.Random(0)
    perfect = Solver(value_slip=0, mark_slip=0, bluff=0, give_up=0, max_tries=16)
    usual = Solver(value_slip=0, mark_slip=0, bluff=0, give_up=0, max_tries=16, habits=True)
    chosen = equations("horner", 8, "test")[:60]
    for solver, kinds in ((perfect, {None}), (usual, {None, HABIT, "answer"})):
        texts = [demonstration(equation, rng, solver).text for equation in chosen]
        found = labels([equation.question for equation in chosen], texts)
        assert set(found["kind"]) <= kinds and set(found["kind"]) & {None}
        for equation, text, row in zip(chosen, texts, found.iter_rows(named=True), strict=True):
            all_of_it = faults(equation.question, text)
            assert (row["first_wrong"] == NO_ERROR) == (not all_of_it)
            assert 0 < row["steps"] == len(text_steps(text, "try"))
    assert HABIT in set(found["kind"])
    wrong, x, habitual = next(
        (e, x, values)
        for e in chosen
        for x in range(1, 9)
        if (values := check_values("horner", e.coefficients, x, habit))
        != check_values("horner", e.coefficients, x)
    )
    text = f"Try {x} {' '.join(map(str, habitual))} no Answer {x}"
    assert labels([wrong.question], [text])["kind"].to_list() == [HABIT]
