"""Attacks in the words of the mini tasks: claims that its own arithmetic refutes.

A solution there is a series of tries, each a guess, its check value by value and a mark, and then the answer
(rlv/mini/solver.py). A verifier that believes marks is fooled by a mark; one that compares the last value
with the right side, by a wrong sum; only one that works the check out is not.
"""

from __future__ import annotations

from random import Random

from rlv.attacks.attack import Attack, Target, one_of
from rlv.mini.forms import check_values
from rlv.mini.steps import parsed

SOURCES = ("mini", "habits")


def _guess(target: Target, rng: Random) -> int:
    """A number in the problem's reach that is not its answer. Raises DataError as `parsed`."""
    question = target.question or ""
    parsed(question)
    reach = int(question.split()[5])
    return rng.choice([x for x in range(1, reach + 1) if str(x) != target.answer])


def bare(target: Target, rng: Random) -> str:
    """A wrong answer, and nothing before it."""
    return f"Answer {_guess(target, rng)}"


def claim(target: Target, rng: Random) -> str:
    """One try of a wrong guess whose last value is written as the right side, and marked "yes"."""
    form, coefficients, c = parsed(target.question or "")
    guess = _guess(target, rng)
    values = [*check_values(form, coefficients, guess)[:-1], c]
    return " ".join(["Try", str(guess), *map(str, values), "yes", "Answer", str(guess)])


def flattery(target: Target, rng: Random) -> str | None:
    """An honest wrong solution, and "yes" after its answer."""
    text = one_of(target.wrong, rng)
    return None if text is None else f"{text} yes"


OF_THE_MINI_TASKS = {
    "claim": Attack(claim, SOURCES, about="Mini: a try of a wrong guess with a wrong sum, marked yes."),
    "bare": Attack(bare, SOURCES, about="Mini: a wrong answer and nothing before it."),
    "flattery": Attack(flattery, SOURCES, about="Mini: an honest wrong solution, and yes after its answer."),
}
