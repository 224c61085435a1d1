"""When two answers are the same answer, and the classes that follow.

Equality is math-verify's `verify`, with three short cuts that agree with it (the tests compare them):
- the same string is the same answer;
- two plain integers are compared as integers, without sympy;
- two expressions whose values at one fixed point of their symbols lie far apart are different, and so are
  an expression and a set or tuple of several elements; this spares the slow symbolic comparison
  (milliseconds each) for nearly all pairs of wrong answers.

math-verify's equality is neither symmetric nor transitive (x = 5 equals 5 equals y = 5). Classes are made
consistent by representatives: an answer joins the reference's class if it equals the reference, else the
first class whose representative, its first member, it equals. So later samples never change the classes of
earlier ones, and a class is correct or wrong as a whole.

Left out on purpose: limits. Reading or comparing may take for ever; only worker.py calls it on strings that
are not plain integers. math-verify's own timeouts are off: they cannot stop C code, nor limit memory.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

# Longer ones are no plausible answers, and beyond a double's range.
_INTEGER = re.compile(r"[+-]?[0-9]{1,300}")


@dataclass(frozen=True)
class Answer:
    """One answer string, read."""

    text: str
    integer: int | None = None  # its value, if it is a plain integer
    value: complex | None = None  # the expression's value at the fixed point; None: no comparison by value
    several: bool = False  # a set or tuple that is not of one element
    unparsed: str | None = None  # what is left of a string that is no expression; such answers cast no vote


@dataclass(frozen=True)
class Placement:
    """Where an answer went: its class within the problem (None: no vote) and whether it is right."""

    answer_class: int | None
    correct: bool


def plain_integer(text: str) -> int | None:
    """The value of a string that is nothing but an integer (sign and ASCII digits), else None."""
    return int(text) if _INTEGER.fullmatch(text) else None


def read(text: str) -> Answer:
    """Parse one answer string (LaTeX, as it would stand inside \\boxed). Slow, may hang: see the module."""
    integer = plain_integer(text)
    if integer is not None:
        return Answer(text, integer, complex(integer))
    expressions = _expressions(text)
    # math-verify falls back to the normalised string where it cannot parse.
    if not expressions or isinstance(expressions[0], str):
        return Answer(text, unparsed=expressions[0] if expressions else "")
    # Evaluating here, on its own, makes a bomb like 9^{9^{9^9}} fail its own limits and nobody else's.
    return Answer(text, value=_value_at_point(expressions[0]), several=_has_several(expressions[0]))


def equal(gold: Answer, answer: Answer) -> bool:
    """Whether math-verify takes `answer` for `gold`. Slow, may hang: see the module."""
    if gold.text == answer.text:
        return True
    if gold.unparsed is not None or answer.unparsed is not None:
        return bool(gold.unparsed) and gold.unparsed == answer.unparsed
    if gold.integer is not None and answer.integer is not None:
        return gold.integer == answer.integer
    if gold.value is not None and answer.value is not None:
        # math-verify rounds floats to 6 decimals and compares the rest to 15 digits: this is far wider.
        scale = max(abs(gold.value), abs(answer.value))
        if abs(gold.value - answer.value) > 1e-5 + 1e-9 * scale:
            return False
    if (gold.value is not None and answer.several) or (gold.several and answer.value is not None):
        return False
    from math_verify import verify

    return verify(_expressions(gold.text), _expressions(answer.text), timeout_seconds=None)


class Classes:
    """The equivalence classes of one problem's answers, numbered in the order of their first members."""

    def __init__(self, reference: Answer, same: Callable[[Answer, Answer], bool] = equal) -> None:
        self._reference = reference
        self._same = same
        self._correct_class: int | None = None
        self._representatives: list[tuple[Answer, int]] = []
        self._integers: dict[int, Placement] = {}
        self._count = 0

    def place(self, answer: Answer) -> Placement:
        """The answer's class, a new one if it equals none. An answer must be placed once only a string."""
        if answer.integer is not None and answer.integer in self._integers:
            return self._integers[answer.integer]
        placement = self._find(answer)
        if answer.integer is not None:
            self._integers[answer.integer] = placement
        return placement

    def _find(self, answer: Answer) -> Placement:
        if self._same(self._reference, answer):
            if self._correct_class is None:
                self._correct_class = self._new()
            return Placement(self._correct_class, True)
        if answer.unparsed is not None:
            return Placement(None, False)
        for representative, number in self._representatives:
            # Another integer with this value would have been found by its value.
            both_integers = representative.integer is not None and answer.integer is not None
            if not both_integers and self._same(representative, answer):
                return Placement(number, False)
        number = self._new()
        self._representatives.append((answer, number))
        return Placement(number, False)

    def _new(self) -> int:
        self._count += 1
        return self._count - 1


@cache
def _extraction() -> tuple[Any, ...]:
    from math_verify import LatexExtractionConfig

    return (LatexExtractionConfig(boxed_match_priority=0),)


@lru_cache(maxsize=4096)
def _expressions(text: str) -> list[Any]:
    """What math-verify reads in the string: expressions first, its normalised string last."""
    from math_verify import parse

    return parse(f"\\boxed{{{text}}}", _extraction(), parsing_timeout=None)  # pyright: ignore[reportArgumentType]


def _has_several(expression: Any) -> bool:
    from sympy import FiniteSet, Set, Tuple

    counted = isinstance(expression, (FiniteSet, Tuple))
    return len(expression.args) != 1 if counted else isinstance(expression, Set)


def _value_at_point(expression: Any) -> complex | None:
    """The value of a scalar expression, each symbol standing for a fixed number between 1 and 2.

    None where such a value would not decide: sets, relations and matrices; single symbols (math-verify
    compares those by their letters); percentages (it takes 9 % for 9); values that are not finite.
    """
    from sympy import Expr, MatrixExpr, Symbol, UnevaluatedExpr

    try:
        evaluated = expression.doit()
        if not isinstance(expression, Expr) or isinstance(expression, (Symbol, MatrixExpr)):
            return None
        if expression.has(UnevaluatedExpr):
            return None
        point = {s: 1 + zlib.crc32(str(s).encode()) / 2**32 for s in evaluated.free_symbols}
        value = complex(evaluated.subs(point).evalf(15))
    except MemoryError:
        raise
    except Exception:  # sympy raises anything; without a value the pair is compared in full
        return None
    return value if abs(value) < 1e300 else None
