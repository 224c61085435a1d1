"""Faults of solutions: by hand, and that a solver that does not err has none."""

from __future__ import annotations

import random

import pytest

from rlv.errors import DataError
from rlv.mini.forms import FORMS, equations
from rlv.mini.solver import Solver, demonstration
from rlv.mini.steps import Fault, faults, last_try

QUESTION = "Find x from 1 to 9 : 3 x^2 + 5 x = 15 mod 17"
PERFECT = Solver(value_slip=0, mark_slip=0, bluff=0, give_up=0, max_tries=16)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Try 8 13 5 6 11 no Try 5 8 7 8 15 yes Answer 5", []),
        ("Try 8 13 6 6 12 no Try 5 8 7 8 15 yes Answer 5", [(3, "value")]),  # and 12 is 6 + 6
        ("Try 8 13 5 6 11 yes Answer 8", [(6, "mark")]),
        ("Try 8 13 5 6 15 yes Answer 8", [(5, "value")]),
        ("Try 5 8 7 8 15 no Answer 5", [(6, "mark"), (8, "answer")]),
        ("Try 8 13 5 6 11 no Answer 8", [(8, "answer")]),
        ("Try 5 8 7 8 15 yes Answer 8", [(8, "answer")]),
        ("Try 8 13 5 6 11 no", [(6, "shape")]),
        ("Try 8 13 5 no", [(0, "shape")]),
        ("Try 8 13 5 6 11 no Answer", [(7, "shape")]),
        ("Try 8 13 5 6 11 no Answer 8 8", [(7, "shape")]),
        ("", [(0, "shape")]),
        ("Try 8 13 5 6 ²² no Answer 8", [(0, "shape")]),
    ],
)
def test_faults_by_hand(text, expected):
    assert faults(QUESTION, text) == [Fault(*pair) for pair in expected]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Try 1 1 2 2 10 no Try 3 3 4 12 3 yes Answer 3", 7),
        ("Try 1 1 2 2 10 no", 0),
        ("Answer 3", 0),
        ("", 0),
    ],
)
def test_an_answer_rests_on_the_last_try(text, word):
    assert last_try(text) == word


@pytest.mark.parametrize("form", FORMS)
def test_a_solver_that_does_not_err_has_none(form):
    rng = random.Random(0)
    for equation in equations(form, 8, "test")[:50]:
        solution = demonstration(equation, rng, PERFECT)
        assert solution.right and faults(equation.question, solution.text) == []


@pytest.mark.parametrize("form", FORMS)
def test_one_changed_word_is_found_where_it_stands(form):
    rng = random.Random(0)
    for equation in equations(form, 8, "test")[:50]:
        words = demonstration(equation, rng, PERFECT).text.split()
        place = rng.randrange(2, len(words) - 2)
        if words[place] in ("Try", "yes", "no") or words[place - 1] == "Try":
            continue
        words[place] = str((int(words[place]) + 1) % 17)
        found = faults(equation.question, " ".join(words))
        assert found and found[0] == Fault(place, "value")


def test_another_question_is_refused():
    with pytest.raises(DataError, match="not a question of the mini tasks"):
        faults("What is 2 + 2?", "4")
