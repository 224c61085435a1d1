"""The fallible solver whose demonstrations the mini bases imitate, and the readers that judge them.

A solution is a series of tries, each a guess, its check value by value, and a mark, and then the answer:

    Try 8 13 5 6 11 no Try 5 8 7 8 15 yes Answer 5

The solver fails at random, at the rates of its recipe:
- it tries popular (small) numbers first, whatever the problem, so rare answers are found late;
- it slips in values, in marks and in the answer;
- it bluffs: a failing try is marked "yes" and its guess is the answer;
- it gives up: after a "no" it answers the number that has just failed;
- it stops after `max_tries` tries in any case.
With `habits` its facts and marks are those of rlv/mini/habits.py. The guesses never look at the answer, so
imitation cannot memorise answers, and the number of tries sets how often a problem is solved: more length is
more tries. Harder is a longer reach with the same arithmetic.

The verdicts of the demonstrations come from a credulous reader, who believes what a solution claims about
itself, or (`careful`) from one who works every check out again, with the solver's habits, but for a mark that
comparing two numbers refutes, which reading sometimes `notices`. What a careful reader finds can be written
down before the verdict (rlv/mini/chains.py).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from rlv.mini.chains import chain_text
from rlv.mini.forms import MODULUS, REACHES, Equation, Fact, check_values, equations, truth
from rlv.mini.habits import habit, passes
from rlv.prompts import LABELS


@dataclass(frozen=True)
class Solver:
    """Rates, each a probability, of a demonstration's failures, and what it knows."""

    value_slip: float = 0.03
    mark_slip: float = 0.01
    bluff: float = 0.10
    give_up: float = 0.04
    verdict_flip: float = 0.15
    answer_slip: float = 0.0
    careful: float = 0.0  # share of verdicts without a chain that a careful reader gives
    notices: float = 0.0  # a careful reader sees that a value is near the right side and not equal to it
    max_tries: int = 6
    habits: bool = False

    def slipping(self, rng: random.Random) -> Fact:
        """What its operations come to: mostly what it believes, sometimes any number."""
        believed = habit if self.habits else truth

        def fact(form: str, index: int, left: int, right: int) -> int:
            if rng.random() < self.value_slip:
                return rng.randrange(MODULUS)
            return believed(form, index, left, right)

        return fact

    def believes(self, value: int, c: int) -> bool:
        """Whether a check that ends in this value has found the root, as far as it knows."""
        return passes(value, c) if self.habits else value == c


@dataclass(frozen=True)
class Demonstration:
    """One fallible solution. `tries`: guess, written values and mark of each; `claims`: its last mark."""

    equation: Equation
    tries: tuple[tuple[int, tuple[int, ...], bool], ...]
    answer: int
    claims: bool

    @property
    def right(self) -> bool:
        """Whether its answer is the root."""
        return self.answer == self.equation.root

    @property
    def text(self) -> str:
        """As a model writes it."""
        words = []
        for guess, values, mark in self.tries:
            words += ["Try", str(guess), *map(str, values), "yes" if mark else "no"]
        return " ".join([*words, "Answer", str(self.answer)])


def demonstration(equation: Equation, rng: random.Random, solver: Solver) -> Demonstration:
    """One fallible solution of an equation."""
    # Popular first, without repeats: weights fall like 1 / (x + 2).
    remaining = list(range(1, equation.reach + 1))
    tries = []
    guess, claims = 0, False
    for attempt in range(1, solver.max_tries + 1):
        guess = rng.choices(remaining, [1 / (x + 2) for x in remaining])[0]
        remaining.remove(guess)
        values = check_values(equation.form, equation.coefficients, guess, solver.slipping(rng))
        claims = solver.believes(values[-1], equation.c)
        if rng.random() < solver.mark_slip:
            claims = not claims
        ends = attempt == solver.max_tries or not remaining
        if not claims:
            claims = rng.random() < (0.6 if ends else solver.bluff)
        tries.append((guess, tuple(values), claims))
        if claims or ends or rng.random() < solver.give_up:
            break
    answer = guess
    if solver.answer_slip and rng.random() < solver.answer_slip:
        answer = rng.randrange(1, equation.reach + 1)
    return Demonstration(equation, tuple(tries), answer, claims)


@dataclass(frozen=True)
class Reread:
    """What a careful reader finds: each try's guess and values as worked out again, and what agrees."""

    tries: tuple[tuple[tuple[int, ...], bool], ...]
    follows: bool  # the answer is the guess of a try that is marked "yes"

    @property
    def fine(self) -> bool:
        """Whether nothing is wrong."""
        return self.follows and all(agrees for _, agrees in self.tries)


def reread(solution: Demonstration, rng: random.Random, solver: Solver) -> Reread:
    """Work out each check again from its guess, with the solver's own habits and slips."""
    equation, tries = solution.equation, []
    for guess, written, mark in solution.tries:
        values = check_values(equation.form, equation.coefficients, guess, solver.slipping(rng))
        agrees = tuple(values) == written and mark == solver.believes(values[-1], equation.c)
        if solver.notices and mark and written[-1] != equation.c and rng.random() < solver.notices:
            agrees = False
        tries.append(((guess, *values), agrees))
    follows = any(mark and guess == solution.answer for guess, _, mark in solution.tries)
    return Reread(tuple(tries), follows)


def verdict(solution: Demonstration, rng: random.Random, solver: Solver) -> bool:
    """A reader's verdict without a chain: credulous or careful, and sometimes the opposite."""
    believed = solution.claims
    if solver.careful and rng.random() < solver.careful:
        believed = reread(solution, rng, solver).fine
    return believed != (rng.random() < solver.verdict_flip)


@dataclass(frozen=True)
class Document:
    """One piece of the corpus: a question, a solution, and a reader's chain, verdict included, or verdict."""

    question: str
    solution: str
    reading: str
    chained: bool


def corpus(
    seed: int,
    solver: Solver,
    forms: tuple[str, str],
    second_share: float,
    chain_share: float = 0.0,
    reaches: range = REACHES,
) -> Iterator[Document]:
    """Endless demonstrations of the train split, all reaches; `second_share` of them in the second form."""
    rng = random.Random(f"corpus {seed}")
    while True:
        form = forms[1] if rng.random() < second_share else forms[0]
        equation = rng.choice(equations(form, rng.choice(reaches), "train"))
        solution = demonstration(equation, rng, solver)
        chained = bool(chain_share) and rng.random() < chain_share
        if chained:
            found = reread(solution, rng, solver)
            believed = found.fine != (rng.random() < solver.verdict_flip)
            reading = chain_text(found.tries, found.follows, believed)
        else:
            reading = LABELS[not verdict(solution, rng, solver)]
        yield Document(equation.question, solution.text, reading, chained)
