"""The habits task: errors that are the same every time, beside the random slips of rlv/mini/solver.py.

A habit is a wrong fact, or a wrong mark, that follows from what is written before it. The base has read it
wherever it belongs, never the truth in its place, and says it with the certainty of true facts, so its
probabilities are silent about it, and the wrong answers that come of it agree. Whether a solution is right
does depend on it: a verifier that learns from outcomes can find it out, and reinforcement can unlearn some.

    carry     a sum past 16 is one too small if its first number is 5, 9 or 13    5 + 14 = 1
    table     7 times an even number is one too large                            7 * 6 = 9
    nines     1, 4, 7, 10, 13 or 16 times 9 or 11 is one too small               4 * 9 = 1
    skipped   form "factors": a constant of 14 or more is not added              3 + 15 = 3
    near      a value one above an odd right side is marked "yes"

In form "horner" with x up to 8, `nines` and `skipped` cannot show: a longer reach meets `nines`, form
"factors" both. What habits do to an equation is its kind:

    clean      the root passes the habitual check and no other guess does
    contested  the root passes, and so does one other guess, a trap: whichever is tried first is the answer
    crowded    the root passes, and so do two traps or more
    hidden     a trap passes, and the root fails by more than one: an early fact is wrong
    lost       nothing passes, or the root fails by one: a mark could make up for the last fact
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache

from rlv.errors import DataError
from rlv.mini.forms import FORMS, MODULUS, Equation, equations, left_sides, truth

KINDS = ("clean", "contested", "crowded", "hidden", "lost")
TASK_FORMS = ("horner", "factors")


def habit(form: str, index: int, left: int, right: int) -> int:
    """What an operation comes to for somebody with the habits above (a `Fact`)."""
    true = truth(form, index, left, right)
    if FORMS[form].check[index].sign == "+":
        if form == "factors" and index == 3 and right >= 14:
            return left
        return (true - 1) % MODULUS if left + right >= MODULUS and left in (5, 9, 13) else true
    if left == 7 and right % 2 == 0:
        return (true + 1) % MODULUS
    return (true - 1) % MODULUS if right in (9, 11) and left % 3 == 1 else true


def passes(value: int, c: int) -> bool:
    """Whether somebody with the habits above marks a check that ends in this value "yes"."""
    return value == c or (c % 2 == 1 and value == (c + 1) % MODULUS)


def kind(equation: Equation) -> str:
    """What the habits do to an equation: one of KINDS."""
    last = left_sides(equation.form, habit)[equation.coefficients][1 : equation.reach + 1].tolist()
    missed = (last[equation.root - 1] - equation.c) % MODULUS
    passing = {x for x, value in enumerate(last, 1) if passes(value, equation.c)}
    traps = len(passing - {equation.root})
    if equation.root in passing:
        return ("clean", "contested", "crowded")[min(traps, 2)]
    return "hidden" if traps and missed not in (1, MODULUS - 1) else "lost"


@cache
def pools(form: str, reach: int, split: str) -> Mapping[str, tuple[Equation, ...]]:
    """All equations of a form, reach and split by kind, in a fixed order."""
    found: dict[str, list[Equation]] = {name: [] for name in KINDS}
    for equation in equations(form, reach, split):
        found[kind(equation)].append(equation)
    return {name: tuple(members) for name, members in found.items()}


def kinds_of(size: int, shares: Mapping[str, float]) -> list[str]:
    """The kind of each of `size` problems, so that every beginning has the shares as nearly as it can."""
    names = [name for name in KINDS if shares.get(name, 0) > 0]
    total = sum(shares[name] for name in names)
    taken = dict.fromkeys(names, 0)
    order = []
    for position in range(1, size + 1):
        due = max(names, key=lambda name: position * shares[name] / total - taken[name])
        taken[due] += 1
        order.append(due)
    return order


def most(form: str, reach: int, split: str, shares: Mapping[str, float]) -> int:
    """How many problems with these shares of kinds there are."""
    left = {name: len(pool) for name, pool in pools(form, reach, split).items()}
    order = kinds_of(sum(left.values()), shares)
    for position, name in enumerate(order):
        if not left[name]:
            return position
        left[name] -= 1
    return len(order)


def problems(
    form: str,
    reach: int,
    split: str,
    size: int,
    seed: int,
    shares: Mapping[str, float],
    skip: int = 0,
) -> list[dict]:
    """`size` different problems as rows of the problems table; level is the reach, subject the kind.

    `shares`: of each kind, relative to each other. `skip`: so many are left out first. Raises DataError if
    there are fewer.
    """
    found = most(form, reach, split, shares)
    if skip + size > found:
        raise DataError(
            f"habits: {skip + size} problems asked of form {form!r}, reach {reach}, split {split!r} with "
            f"kinds {dict(shares)}; there are {found}"
        )
    shuffled = {}
    for name, pool in pools(form, reach, split).items():
        members = list(pool)
        random.Random(f"{form} {reach} {split} {name} {seed}").shuffle(members)
        shuffled[name] = iter(members)
    return [next(shuffled[name]).row(name) for name in kinds_of(skip + size, shares)][skip:]
