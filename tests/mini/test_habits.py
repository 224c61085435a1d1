"""The habits task: habits against their words, kinds by brute force, solvers that show nothing but habits."""

from __future__ import annotations

import random
from collections import Counter
from itertools import islice

import pytest

from rlv.errors import DataError
from rlv.mini.forms import FORMS, MODULUS, check_values, equations, left_sides, truth
from rlv.mini.habits import TASK_FORMS, habit, kind, kinds_of, most, passes, pools, problems
from rlv.mini.solver import Solver, corpus, demonstration, reread

STEADY = Solver(
    value_slip=0, mark_slip=0, bluff=0, give_up=0, verdict_flip=0, careful=1, max_tries=16, habits=True
)
SHARES = {"clean": 0.4, "contested": 0.2, "crowded": 0.2, "hidden": 0.2}


def left_side(form, coefficients, x):
    a, b, d = coefficients
    return ((a * x**2 + b * x + d) if form == "horner" else (x + a) * (x + b) + d) % MODULUS


@pytest.mark.parametrize("form", TASK_FORMS)
def test_every_problem_has_exactly_one_answer(form):
    for split in ("train", "test"):
        for equation in equations(form, 8, split)[::37]:
            roots = [x for x in range(1, 9) if left_side(form, equation.coefficients, x) == equation.c]
            assert roots == [equation.root]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("fact", [truth, habit])
def test_the_table_of_left_sides_is_the_check_worked_out(form, fact):
    rng, sides = random.Random(0), left_sides(form, fact)
    for _ in range(300):
        coefficients = tuple(rng.randrange(1, MODULUS) for _ in FORMS[form].coefficients)
        x = rng.randrange(1, MODULUS)
        assert sides[coefficients][x] == check_values(form, coefficients, x, fact)[-1]


def test_habits_are_what_their_words_say():
    wrong = {
        (form, index, u, v): habit(form, index, u, v)
        for form in TASK_FORMS
        for index in range(4)
        for u in range(MODULUS)
        for v in range(MODULUS)
        if habit(form, index, u, v) != truth(form, index, u, v)
    }
    # carry: 5, 9 or 13 and enough to pass 16; horner adds at 1 and 3, factors at 0, 1 and 3.
    assert (
        wrong["horner", 1, 5, 14] == 1
        and ("horner", 1, 5, 11) not in wrong
        and ("horner", 1, 6, 14) not in wrong
    )
    assert wrong["factors", 0, 13, 16] == 11
    assert wrong["horner", 0, 7, 6] == 9 and ("horner", 0, 7, 5) not in wrong  # table
    assert wrong["horner", 2, 4, 9] == 1 and ("horner", 2, 5, 9) not in wrong  # nines
    assert wrong["factors", 3, 3, 15] == 3 and wrong["horner", 3, 13, 15] == 10  # skipped, in one form only
    assert {(u, v) for form, index, u, v in wrong if form == "horner" and index == 0 and v <= 8} == {
        (7, v) for v in (0, 2, 4, 6, 8)
    }
    # u + v passes 16 for the u values of v from 17 - u on.
    assert sum(form == "horner" and index == 1 for form, index, _, _ in wrong) == 5 + 9 + 13
    assert passes(4, 3) and passes(3, 3) and not passes(5, 4) and not passes(2, 3)


@pytest.mark.parametrize("form", TASK_FORMS)
def test_kinds_by_brute_force(form):
    rng = random.Random(0)
    for name, pool in pools(form, 8, "test").items():
        assert pool
        for equation in rng.sample(pool, 20):
            ends = {x: check_values(form, equation.coefficients, x, habit)[-1] for x in range(1, 9)}
            hits = [x for x in ends if passes(ends[x], equation.c)]
            traps = len([x for x in hits if x != equation.root])
            by_one = abs(ends[equation.root] - equation.c) in (1, MODULUS - 1)
            found = {
                "clean": equation.root in hits and traps == 0,
                "contested": equation.root in hits and traps == 1,
                "crowded": equation.root in hits and traps >= 2,
                "hidden": equation.root not in hits and traps > 0 and not by_one,
                "lost": equation.root not in hits and (traps == 0 or by_one),
            }
            assert [kind for kind, is_it in found.items() if is_it] == [name] == [kind(equation)]


def test_a_solver_with_nothing_but_habits_is_wrong_where_they_say_and_wrong_answers_agree():
    rng = random.Random(0)
    for name, expected in (("clean", 1.0), ("contested", None), ("hidden", 0.0)):
        for equation in pools("horner", 8, "test")[name][:30]:
            answers = Counter(demonstration(equation, rng, STEADY).answer for _ in range(40))
            if expected is not None:
                assert answers[equation.root] / 40 == expected
            else:
                assert len(answers) == 2 and equation.root in answers  # the root and its one trap


def test_a_careful_reader_sees_slips_and_no_habit():
    rng = random.Random(0)
    hidden = pools("horner", 8, "test")["hidden"][:40]
    assert all(reread(demonstration(e, rng, STEADY), rng, STEADY).fine for e in hidden)
    slipping = Solver(**{**STEADY.__dict__, "value_slip": 0.2})
    slips = 0
    for equation in hidden * 5:
        written = demonstration(equation, rng, slipping)
        found = reread(written, rng, STEADY)
        for (guess, values, mark), (again, agrees) in zip(written.tries, found.tries, strict=True):
            believed = check_values("horner", equation.coefficients, guess, habit)
            right = list(values) == believed and mark == passes(believed[-1], equation.c)
            assert again == (guess, *believed) and agrees == right
            slips += not agrees
    assert slips > 50


def test_a_reader_that_notices_sees_marks_that_two_numbers_refute():
    rng = random.Random(0)
    noticing = Solver(**{**STEADY.__dict__, "notices": 1.0})
    marked = [demonstration(e, rng, STEADY) for e in pools("horner", 8, "test")["crowded"]]
    near = [d for d in marked if d.tries[-1][1][-1] != d.equation.c]
    assert 0 < len(near) < len(marked)
    assert not any(reread(d, rng, noticing).fine for d in near) and all(
        reread(d, rng, STEADY).fine for d in near
    )
    assert all(reread(d, rng, noticing).fine for d in marked if d not in near)


def test_problems_have_the_shares_asked_for_and_a_larger_set_begins_with_the_smaller_one():
    rows = problems("horner", 8, "test", 200, 0, SHARES)
    assert Counter(r["subject"] for r in rows) == {name: 200 * share for name, share in SHARES.items()}
    assert rows[:50] == problems("horner", 8, "test", 50, 0, SHARES)
    assert rows[50:] == problems("horner", 8, "test", 150, 0, SHARES, skip=50)
    assert len({r["problem_id"] for r in rows}) == 200
    assert all(row["level"] == 8 for row in rows)


def test_shares_are_relative_and_every_beginning_has_them():
    assert kinds_of(100, {"clean": 4, "hidden": 1}) == kinds_of(100, {"clean": 0.8, "hidden": 0.2, "lost": 0})
    for size in range(1, 60):
        counts = Counter(kinds_of(size, SHARES))
        assert all(abs(counts[name] - size * share) < 1 for name, share in SHARES.items())


def test_asking_for_more_than_there_are_says_how_many():
    there = most("horner", 8, "test", SHARES)
    assert len(problems("horner", 8, "test", there, 0, SHARES)) == there
    with pytest.raises(DataError, match=f"there are {there}$"):
        problems("horner", 8, "test", there + 1, 0, SHARES)
    assert len(problems("horner", 8, "test", 1, 0, SHARES, skip=there - 1)) == 1
    with pytest.raises(DataError, match=rf"{there + 1} problems .* there are {there}$"):
        problems("horner", 8, "test", 1, 0, SHARES, skip=there)
    whole = len(equations("horner", 8, "test"))
    sizes = {name: len(pool) for name, pool in pools("horner", 8, "test").items()}
    assert most("horner", 8, "test", sizes) == whole == sum(sizes.values())
    assert most("horner", 8, "test", {"lost": 1}) == sizes["lost"]


def test_no_demonstration_shows_a_test_problem_and_chains_come_at_their_rate():
    test = {
        e.question for form in TASK_FORMS for reach in range(6, 13) for e in equations(form, reach, "test")
    }
    solver = Solver(max_tries=10, habits=True, careful=0.5)
    drawn = list(islice(corpus(0, solver, TASK_FORMS, 0.25, 0.4, range(6, 13)), 3000))
    assert not any(d.question in test for d in drawn)
    assert 0.35 < sum(d.chained for d in drawn) / 3000 < 0.45
    for d in drawn:
        words = d.reading.split()
        assert words[-1] in ("Yes", "No") and d.chained == (words[0] == "Check")
        assert not d.chained or words.count("Check") == d.solution.split().count("Try")
