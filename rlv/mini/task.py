"""The slips task, guess and check: finding an answer is harder than checking it.

A problem asks for the one x in 1..reach that solves an equation mod 17. A solution is a series of tries,
each a guess, its check worked out value by value, and a mark, and then the answer:

    Find x from 1 to 9 : 3 x^2 + 5 x = 15 mod 17
    Try 8 13 5 6 11 no Try 5 8 7 8 15 yes Answer 5

(guess, x^2, a x^2, b x, sum, mark). Another form of equation is a problem that RL never sees:

    Find x from 1 to 9 : ( x + 3 ) ( x + 6 ) = 1 mod 17
    Try 8 11 14 1 yes Answer 8

Every error of its solver (rlv/mini/solver.py) is a random event, which a model learns as such: its own
probability tells right from wrong nearly as well as anything could. rlv/mini/habits.py is the task for
questions about verifiers.
"""

from __future__ import annotations

import random

from rlv.errors import DataError
from rlv.mini.forms import equations

TASK_FORMS = ("quadratic", "product")


def problems(form: str, reach: int, split: str, size: int, seed: int, skip: int = 0) -> list[dict]:
    """`size` different problems as rows of the problems table; level is the reach, subject the form.

    `skip`: so many are left out first. Raises DataError if the split holds fewer.
    """
    pool = list(equations(form, reach, split))
    if skip + size > len(pool):
        raise DataError(
            f"mini task: {skip + size} problems asked of form {form!r}, reach {reach}, split {split!r}, "
            f"which holds {len(pool)}"
        )
    random.Random(f"{form} {reach} {split} {seed}").shuffle(pool)
    return [equation.row(equation.form) for equation in pool[skip : skip + size]]
