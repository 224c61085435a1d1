"""Equations mod 17 of the mini tasks: forms, how a guess is checked, and all problems of a form.

A form is a polynomial in x and a recipe for working it out at a guess, one sum or product at a time. Every
problem has exactly one root in 1..reach. Problems are split into train and test by a hash of the equation
without its reach; the test quarter is in no demonstration.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlv.errors import DataError

MODULUS = 17
SPLITS = ("train", "test")
REACHES = range(6, 17)


@dataclass(frozen=True)
class Operation:
    """One value of a check: the sum ("+") or the product ("*") of two operands.

    An operand is "x", the name of a coefficient, or the index of an earlier value of the same check.
    """

    sign: str
    left: str | int
    right: str | int


@dataclass(frozen=True)
class Form:
    """A kind of equation: its left side in words, its coefficients' names, and how a guess is checked.

    `commutes`: the first two coefficients may be swapped, so only a < b is a problem.
    """

    words: str
    coefficients: tuple[str, ...]
    check: tuple[Operation, ...]
    commutes: bool = False


FORMS: Mapping[str, Form] = {
    # Of the slips task: (x^2, a x^2, b x, sum) and (x + a, x + b, product).
    "quadratic": Form(
        "{a} x^2 + {b} x",
        ("a", "b"),
        (Operation("*", "x", "x"), Operation("*", "a", 0), Operation("*", "b", "x"), Operation("+", 1, 2)),
    ),
    "product": Form(
        "( x + {a} ) ( x + {b} )",
        ("a", "b"),
        (Operation("+", "x", "a"), Operation("+", "x", "b"), Operation("*", 0, 1)),
        commutes=True,
    ),
    # Of the habits task: by Horner's rule (a x, + b, times x, + d), and (x + a, x + b, product, + d).
    "horner": Form(
        "{a} x^2 + {b} x + {d}",
        ("a", "b", "d"),
        (Operation("*", "a", "x"), Operation("+", 0, "b"), Operation("*", 1, "x"), Operation("+", 2, "d")),
    ),
    "factors": Form(
        "( x + {a} ) ( x + {b} ) + {d}",
        ("a", "b", "d"),
        (Operation("+", "x", "a"), Operation("+", "x", "b"), Operation("*", 0, 1), Operation("+", 2, "d")),
        commutes=True,
    ),
}

# (form, index of the operation in its check, left operand, right operand) -> what they come to: the truth, or
# somebody's idea of it.
Fact = Callable[[str, int, int, int], int]


@dataclass(frozen=True)
class Equation:
    """One problem: form, its coefficients, its right side c (all mod 17), its reach, and its one root."""

    form: str
    coefficients: tuple[int, ...]
    c: int
    reach: int
    root: int

    @property
    def problem_id(self) -> str:
        """The id in the problems table, unique over all forms and reaches."""
        numbers = "-".join(map(str, (*self.coefficients, self.c)))
        return f"{self.form}-{numbers}-reach{self.reach}"

    @property
    def question(self) -> str:
        """The problem in words, as a model reads it."""
        form = FORMS[self.form]
        words = form.words.format(**dict(zip(form.coefficients, self.coefficients, strict=True)))
        return f"Find x from 1 to {self.reach} : {words} = {self.c} mod {MODULUS}"

    def row(self, subject: str) -> dict[str, Any]:
        """As a row of the problems table, whose level is the reach."""
        return {
            "problem_id": self.problem_id,
            "question": self.question,
            "answer": str(self.root),
            "level": self.reach,
            "subject": subject,
        }


def truth(form: str, index: int, left: int, right: int) -> int:
    """The sum or the product mod 17."""
    return (left + right if FORMS[form].check[index].sign == "+" else left * right) % MODULUS


def check_values(
    form: str, coefficients: Sequence[int], x: int, fact: Fact = truth, seen: Sequence[int] | None = None
) -> list[int]:
    """The values that a check of the guess x writes down, in order; the last is the equation's left side.

    `fact`: what each operation comes to. `seen`: values to go on from instead of the ones that come out, so
    that each is worked out from what was written before it.
    """
    known = dict(zip(FORMS[form].coefficients, coefficients, strict=True)) | {"x": x}
    values: list[int] = []
    for index, operation in enumerate(FORMS[form].check):
        before = values if seen is None else seen
        left, right = (
            known[o] if isinstance(o, str) else before[o] for o in (operation.left, operation.right)
        )
        values.append(fact(form, index, left, right))
    return values


@cache
def left_sides(form: str, fact: Fact = truth) -> NDArray[np.uint8]:
    """The last value of every check in every equation: [a, b, ..., x], each index from 0 to 16."""
    count, numbers = len(FORMS[form].coefficients), range(MODULUS)
    grid = np.indices((MODULUS,) * (count + 1), dtype=np.uint8)
    known = dict(zip((*FORMS[form].coefficients, "x"), grid, strict=True))
    values: list[NDArray[np.uint8]] = []
    for index, operation in enumerate(FORMS[form].check):
        table = np.array([[fact(form, index, u, v) for v in numbers] for u in numbers], dtype=np.uint8)
        left, right = (
            known[o] if isinstance(o, str) else values[o] for o in (operation.left, operation.right)
        )
        values.append(table[left, right])
    return values[-1]


@cache
def equations(form: str, reach: int, split: str) -> tuple[Equation, ...]:
    """All equations of a form with exactly one root in 1..reach, of one split, in a fixed order.

    Raises DataError for a form, reach or split that does not exist.
    """
    if form not in FORMS or reach not in REACHES or split not in SPLITS:
        raise DataError(
            f"mini task: no problems of form {form!r}, reach {reach}, split {split!r}; forms: "
            f"{tuple(FORMS)}, reach: {REACHES.start} to {REACHES.stop - 1}, splits: {SPLITS}"
        )
    found = []
    for coefficients in itertools.product(range(1, MODULUS), repeat=len(FORMS[form].coefficients)):
        if FORMS[form].commutes and coefficients[0] >= coefficients[1]:
            continue  # no equation appears twice
        values = left_sides(form)[coefficients][1 : reach + 1].tolist()
        roots = {value: x for x, value in enumerate(values, 1) if values.count(value) == 1}
        found += [
            Equation(form, coefficients, c, reach, roots[c])
            for c in sorted(roots)
            if _split(form, coefficients, c) == split
        ]
    return tuple(found)


def _split(form: str, coefficients: Sequence[int], c: int) -> str:
    digest = hashlib.sha256(" ".join(map(str, (form, *coefficients, c))).encode()).digest()
    return "test" if digest[0] < 64 else "train"
