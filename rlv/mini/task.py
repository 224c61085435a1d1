"""The mini task, guess and check: finding an answer is harder than checking it.

A problem asks for the one x in 1..reach that solves an equation mod 17. A solution is a series of tries,
each a guess, its check worked out value by value, and a mark, and then the answer:

    Find x from 1 to 9 : 3 x^2 + 5 x = 15 mod 17
    Try 8 13 5 6 11 no Try 5 8 7 8 15 yes Answer 5

(guess, x^2, a x^2, b x, sum, mark). Another form of equation is a problem that RL never sees:

    Find x from 1 to 9 : ( x + 3 ) ( x + 6 ) = 1 mod 17
    Try 8 11 14 1 yes Answer 8

The demonstrations that the base is pretrained on are those of a fallible solver, and its
failures are what RL and verification work on:
- it tries popular (small) numbers first, whatever the problem, so rare answers are found late;
- it slips in values and in marks;
- it bluffs: a failing try is marked "yes" and its guess is the answer;
- it gives up: after a "no" it answers the number that has just failed;
- it stops after MAX_TRIES tries in any case.
The guesses never look at the answer, so imitation cannot memorise answers, and the number of tries sets
how often a problem is solved: more length is more tries. Harder is a longer reach with the same arithmetic.

The verdicts of the demonstrations come from a credulous reader, which believes what a solution claims about
itself; a base that imitates it is a weak judge. Problems are split into train and test by a hash of
their coefficients; the test quarter is in no demonstration.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from rlv.errors import DataError

MODULUS = 17
MAX_TRIES = 6
FORMS = ("quadratic", "product")
SPLITS = ("train", "test")
REACHES = range(6, 17)


@dataclass(frozen=True)
class Solver:
    """Rates, each a probability, of a demonstration's failures."""

    value_slip: float = 0.03
    mark_slip: float = 0.01
    bluff: float = 0.10
    give_up: float = 0.04
    verdict_flip: float = 0.15


@dataclass(frozen=True)
class Equation:
    """One problem: form, its three coefficients (mod 17), its reach, and its one root in 1..reach."""

    form: str
    a: int
    b: int
    c: int
    reach: int
    root: int

    @property
    def problem_id(self) -> str:
        """The id in the problems table, unique over all forms and reaches."""
        return f"{self.form}-{self.a}-{self.b}-{self.c}-reach{self.reach}"

    @property
    def question(self) -> str:
        """The problem in words, as a model reads it."""
        if self.form == "quadratic":
            equation = f"{self.a} x^2 + {self.b} x = {self.c}"
        else:
            equation = f"( x + {self.a} ) ( x + {self.b} ) = {self.c}"
        return f"Find x from 1 to {self.reach} : {equation} mod {MODULUS}"


def check_values(form: str, a: int, b: int, x: int) -> list[int]:
    """The values that a try writes down, in order; the last is the equation's left side."""
    if form == "quadratic":
        square = x * x % MODULUS
        return [square, a * square % MODULUS, b * x % MODULUS, (a * square + b * x) % MODULUS]
    left, right = (x + a) % MODULUS, (x + b) % MODULUS
    return [left, right, left * right % MODULUS]


@cache
def equations(form: str, reach: int, split: str) -> tuple[Equation, ...]:
    """All equations of a form with exactly one root in 1..reach, of one split, in a fixed order.

    Raises DataError for a form, reach or split that does not exist.
    """
    if form not in FORMS or reach not in REACHES or split not in SPLITS:
        raise DataError(
            f"mini task: no problems of form {form!r}, reach {reach}, split {split!r}; forms: {FORMS}, "
            f"reach: {REACHES.start} to {REACHES.stop - 1}, splits: {SPLITS}"
        )
    found = []
    for a in range(1, MODULUS):
        # A product's factors commute, so only a < b: no equation appears twice.
        for b in range(1 if form == "quadratic" else a + 1, MODULUS):
            values = {x: check_values(form, a, b, x)[-1] for x in range(1, reach + 1)}
            for c in range(MODULUS):
                roots = [x for x, value in values.items() if value == c]
                if len(roots) == 1 and _split(form, a, b, c) == split:
                    found.append(Equation(form, a, b, c, reach, roots[0]))
    return tuple(found)


def _split(form: str, a: int, b: int, c: int) -> str:
    digest = hashlib.sha256(f"{form} {a} {b} {c}".encode()).digest()
    return "test" if digest[0] < 64 else "train"


def problems(form: str, reach: int, split: str, size: int, seed: int) -> list[dict]:
    """`size` different problems as rows of the problems table; level is the reach, subject the form.

    Raises DataError if the split holds fewer.
    """
    pool = list(equations(form, reach, split))
    if size > len(pool):
        raise DataError(
            f"mini task: {size} problems asked of form {form!r}, reach {reach}, split {split!r}, "
            f"which holds {len(pool)}"
        )
    random.Random(f"{form} {reach} {split} {seed}").shuffle(pool)
    return [
        {
            "problem_id": e.problem_id,
            "question": e.question,
            "answer": str(e.root),
            "level": e.reach,
            "subject": e.form,
        }
        for e in pool[:size]
    ]


def demonstration(equation: Equation, rng: random.Random, solver: Solver) -> tuple[str, bool, bool]:
    """One fallible solution: its text, whether its answer is right, and whether it claims to be."""
    # Popular first, without repeats: weights fall like 1 / (x + 2).
    remaining = list(range(1, equation.reach + 1))
    words: list[str] = []
    guess, claims = 0, False
    for attempt in range(1, MAX_TRIES + 1):
        guess = rng.choices(remaining, [1 / (x + 2) for x in remaining])[0]
        remaining.remove(guess)
        values = _written_values(equation, guess, rng, solver.value_slip)
        claims = values[-1] == equation.c
        if rng.random() < solver.mark_slip:
            claims = not claims
        ends = attempt == MAX_TRIES or not remaining
        if not claims:
            claims = rng.random() < (0.6 if ends else solver.bluff)
        words += ["Try", str(guess), *map(str, values), "yes" if claims else "no"]
        if claims or ends or rng.random() < solver.give_up:
            break
    return " ".join([*words, "Answer", str(guess)]), guess == equation.root, claims


def _written_values(equation: Equation, x: int, rng: random.Random, slip: float) -> list[int]:
    """The check as the solver writes it: each value follows from the ones before it, slips included."""

    def value(right: int) -> int:
        return rng.randrange(MODULUS) if rng.random() < slip else right % MODULUS

    if equation.form == "quadratic":
        square = value(x * x)
        first, second = value(equation.a * square), value(equation.b * x)
        return [square, first, second, value(first + second)]
    left, right = value(x + equation.a), value(x + equation.b)
    return [left, right, value(left * right)]


def verdict(claims: bool, rng: random.Random, solver: Solver) -> bool:
    """The credulous reader's verdict on a solution: what it claims, and sometimes the opposite."""
    return claims != (rng.random() < solver.verdict_flip)


def corpus(seed: int, solver: Solver, product_share: float) -> Iterator[tuple[str, str, str]]:
    """Endless (question, solution, verdict) demonstrations of the train split, all reaches."""
    rng = random.Random(f"corpus {seed}")
    while True:
        form = "product" if rng.random() < product_share else "quadratic"
        equation = rng.choice(equations(form, rng.choice(REACHES), "train"))
        text, _, claims = demonstration(equation, rng, solver)
        yield equation.question, text, "Yes" if verdict(claims, rng, solver) else "No"
