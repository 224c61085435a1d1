"""The slips task: problems against brute force, demonstrations that fail at the rates of their recipe."""

from __future__ import annotations

import random
from itertools import islice

import pytest

from rlv.errors import DataError
from rlv.mini.forms import MODULUS, REACHES, equations
from rlv.mini.solver import Solver, corpus, demonstration
from rlv.mini.task import TASK_FORMS, problems

PERFECT = Solver(value_slip=0, mark_slip=0, bluff=0, give_up=0, verdict_flip=0)


def left_side(equation, x):
    a, b = equation.coefficients
    if equation.form == "quadratic":
        return (a * x**2 + b * x) % MODULUS
    return (x + a) * (x + b) % MODULUS


@pytest.mark.parametrize("form", TASK_FORMS)
@pytest.mark.parametrize("reach", [REACHES.start, 10, 15])
def test_every_problem_has_exactly_one_answer(form, reach):
    for split in ("train", "test"):
        for equation in equations(form, reach, split):
            roots = [x for x in range(1, reach + 1) if left_side(equation, x) == equation.c]
            assert roots == [equation.root]


def test_splits_share_no_equation_at_any_reach():
    seen = {
        split: {
            (e.form, e.coefficients, e.c)
            for form in TASK_FORMS
            for reach in REACHES
            for e in equations(form, reach, split)
        }
        for split in ("train", "test")
    }
    assert seen["train"] and seen["test"] and not seen["train"] & seen["test"]


def test_no_demonstration_shows_a_test_problem():
    test = {e.question for form in TASK_FORMS for reach in REACHES for e in equations(form, reach, "test")}
    assert not any(d.question in test for d in islice(corpus(0, Solver(), TASK_FORMS, 0.2), 3000))


def test_problems_follow_their_seed_and_are_different():
    rows = problems("quadratic", 10, "test", 100, 0)
    assert rows == problems("quadratic", 10, "test", 100, 0)
    assert rows[:50] == problems("quadratic", 10, "test", 50, 0)  # a larger set begins with the smaller one
    assert rows[50:] == problems("quadratic", 10, "test", 50, 0, skip=50)
    assert len({r["problem_id"] for r in rows}) == 100
    with pytest.raises(DataError, match="which holds"):
        problems("quadratic", 10, "test", 10_000, 0)
    with pytest.raises(DataError, match=r"10001 problems .* which holds"):
        problems("quadratic", 10, "test", 1, 0, skip=10_000)
    with pytest.raises(DataError, match="'cubic'"):
        problems("cubic", 10, "test", 1, 0)


def test_a_perfect_solver_is_right_exactly_when_it_finds_the_answer():
    rng = random.Random(0)
    for equation in equations("quadratic", 10, "test")[:200]:
        drawn = demonstration(equation, rng, PERFECT)
        text, right, claims = drawn.text, drawn.right, drawn.claims
        tries = text.split(" Answer ")[0].split("Try ")[1:]
        assert len(tries) <= PERFECT.max_tries
        guesses = [int(t.split()[0]) for t in tries]
        assert len(set(guesses)) == len(guesses)
        assert right == (int(text.split()[-1]) == equation.root)
        for attempt, guess in zip(tries, guesses, strict=True):
            assert int(attempt.split()[-2]) == left_side(equation, guess)
        if equation.root in guesses:
            assert right and claims


def test_the_credulous_reader_is_a_weak_judge():
    # It believes claims: nearly every right solution, and the wrong ones that bluff.
    rng, solver = random.Random(0), Solver()
    drawn = [demonstration(rng.choice(equations("quadratic", 10, "test")), rng, solver) for _ in range(8000)]
    right = [solution.claims for solution in drawn if solution.right]
    wrong = [solution.claims for solution in drawn if not solution.right]
    balanced = 0.5 * (sum(right) / len(right) + 1 - sum(wrong) / len(wrong))
    assert 0.55 < balanced < 0.75
    assert 0.3 < len(right) / len(drawn) < 0.5
