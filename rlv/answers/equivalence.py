"""When two answers are the same answer, and the classes that follow.

Equality is math-verify's `verify` on the respelled strings (spelling.py), behind rules and short cuts:
- answers that differ in their typesetting only are the same, whether anybody can parse them or not;
- marked numbers (bases, halves of the day) are equal if digits and mark are; without its mark, or the
  percent sign, a number equals itself;
- two plain integers are compared as integers, without sympy;
- the numbers that an answer consists of (its value, those of its elements, entries or ends, each symbol
  standing for a fixed number) lie near those of an equal answer; where they do not, the answers differ.
  This spares the slow symbolic comparison (milliseconds each) for nearly all pairs of wrong answers.
The last two agree with math-verify (the tests compare them); docs/grading.md says where the first two do not.

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from rlv.answers import spelling

# Longer ones are no plausible answers, and beyond a double's range.
_INTEGER = re.compile(r"[+-]?[0-9]{1,300}")


@dataclass(frozen=True)
class Answer:
    """One answer string, read."""

    text: str
    key: str = ""  # the same in two answers that differ in their typesetting only; "": unknown
    mark: tuple[str, str] | None = None  # a marked number's digits and mark (a base, the half of a day)
    integer: int | None = None  # its value, if it is a plain integer
    numbers: tuple[complex, ...] | None = None  # that it consists of; None: not to be compared by numbers
    equation: bool = False  # the numbers are those of its right side
    unparsed: str | None = None  # what is left of a string that is no expression; such answers cast no vote


@dataclass(frozen=True)
class Placement:
    """Where an answer went: its class within the problem (None: no vote) and whether it is right."""

    answer_class: int | None
    correct: bool


def plain_integer(text: str) -> int | None:
    """The value of a string that is nothing but an integer (sign and ASCII digits), else None."""
    return int(text) if _INTEGER.fullmatch(text) else None


def forget() -> None:
    """Bring sympy and math-verify into the state in which every problem is graded.

    sympy tries its rules in a random order, and keeps what it derived; now and then an answer's fate hangs on
    that. With this before each problem, it does not hang on what the process has seen before.
    """
    from math_verify import parser
    from sympy.core import cache as sympy_cache
    from sympy.core import random as sympy_random

    for cached in (_expressions, parser.parse_latex_cached, parser.parse_expr_cached, parser.extract_latex):
        cached.cache_clear()
    sympy_cache.clear_cache()
    sympy_random.seed(0)


def read(text: str) -> Answer:
    """Parse one answer string (LaTeX, as it would stand inside \\boxed). Slow, may hang: see the module."""
    respelled, mark = spelling.respelled(text), spelling.marked(text)
    integer = plain_integer(respelled)
    if integer is not None and mark is None:
        return Answer(text, _key(respelled), integer=integer, numbers=(complex(integer),))
    key = _key(respelled)
    expressions = _expressions(text)
    # math-verify falls back to the normalised string where it cannot parse.
    if not expressions or isinstance(expressions[0], str):
        return Answer(text, key, mark, unparsed=expressions[0] if expressions else "")
    # Evaluating here, on its own, makes a bomb like 9^{9^{9^9}} fail its own limits and nobody else's.
    numbers, equation = _numbers(expressions[0])
    return Answer(text, key, mark, numbers=numbers, equation=equation)


def same_typesetting(gold: Answer, text: str) -> bool:
    """Whether `equal` would say yes without mathematics, so that the text need not be read. Fast."""
    return (
        bool(gold.key) and gold.mark == spelling.marked(text) and gold.key == _key(spelling.respelled(text))
    )


def equal(gold: Answer, answer: Answer) -> bool:
    """Whether `answer` is taken for `gold` (the module says by what). Slow, may hang: see the module."""
    if gold.text == answer.text:
        return True
    if gold.mark is not None and answer.mark is not None:
        return gold.mark == answer.mark
    if gold.key and gold.key == answer.key:
        return True
    for one, other in ((gold, answer), (answer, gold)):
        if other.key and other.key in (one.mark and one.mark[0], spelling.without_percent(one.key)):
            return True
    if gold.unparsed is not None or answer.unparsed is not None:
        return bool(gold.unparsed) and gold.unparsed == answer.unparsed
    if gold.integer is not None and answer.integer is not None:
        return gold.integer == answer.integer
    # Two equations may be equal with different right sides (y = 2x and 2x = y).
    comparable = (
        gold.numbers is not None and answer.numbers is not None and not (gold.equation and answer.equation)
    )
    if comparable and _far_apart(gold.numbers or (), answer.numbers or ()):
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


def _key(respelled: str) -> str:
    integer = plain_integer(respelled)
    return spelling.key(respelled) if integer is None else str(integer)


@cache
def _extraction() -> tuple[Any, ...]:
    from latex2sympy2_extended.math_normalization import NormalizationConfig
    from math_verify import LatexExtractionConfig

    # Nothing but the box: where that is unreadable, math-verify would take some fraction within it. Units are
    # gone (spelling.py).
    normalization = NormalizationConfig(units=False, malformed_operators=True, nits=True, boxed="all")
    return (
        LatexExtractionConfig(
            boxed_match_priority=0, try_extract_without_anchor=False, normalization_config=normalization
        ),
    )


@lru_cache(maxsize=4096)
def _expressions(text: str) -> list[Any]:
    """What math-verify reads in the respelled string: expressions first, its normalised string last."""
    from math_verify import parse

    return parse(f"\\boxed{{{spelling.respelled(text)}}}", _extraction(), parsing_timeout=None)  # pyright: ignore[reportArgumentType]


def _far_apart(these: tuple[complex, ...], those: tuple[complex, ...]) -> bool:
    """Whether some number of either has none near it in the other."""

    def near(a: complex, b: complex) -> bool:
        # math-verify rounds floats to 6 decimals and compares the rest to 15 digits: this is far wider.
        return abs(a - b) <= 1e-5 + 1e-9 * max(abs(a), abs(b))

    return not (
        all(any(near(a, b) for b in those) for a in these)
        and all(any(near(a, b) for a in these) for b in those)
    )


def _numbers(expression: Any) -> tuple[tuple[complex, ...] | None, bool]:
    """The numbers that an expression consists of, and whether it is an equation (then its right side's).

    None where numbers would not decide: inequalities; single symbols (math-verify compares those by their
    letters); percentages (it takes 9 % for 9); values that are not numbers; more than 50 numbers.
    """
    from sympy import Eq, UnevaluatedExpr

    equation = isinstance(expression, Eq)
    try:
        evaluated = expression.doit()
        if expression.has(UnevaluatedExpr):
            return None, equation
        numbers = tuple(_values(expression.rhs.doit() if equation else evaluated))
    except MemoryError:
        raise
    except Exception:  # sympy raises anything; without numbers the pair is compared in full
        return None, equation
    return (numbers if len(numbers) <= 50 else None), equation


def _values(expression: Any) -> Iterator[complex]:
    """Raises ValueError where a part has no value."""
    from sympy import Expr, FiniteSet, Interval, MatrixBase, MatrixExpr, S, Symbol, Tuple, Union

    if isinstance(expression, Interval):
        parts: Any = (expression.start, expression.end)
    elif isinstance(expression, MatrixBase):
        parts = expression.flat()
    elif isinstance(expression, (FiniteSet, Tuple, Union)):
        parts = expression.args
    elif isinstance(expression, Expr) and not isinstance(expression, (Symbol, MatrixExpr)):
        point: Any = {s: 1 + zlib.crc32(str(s).encode()) / 2**32 for s in expression.free_symbols}
        if expression in (S.Infinity, S.NegativeInfinity):  # an end of an interval
            yield complex(1e301 if expression is S.Infinity else -1e301)
            return
        value = complex(expression.subs(point).evalf(15))
        if not abs(value) < 1e300:
            raise ValueError(value)
        yield value
        return
    else:
        raise ValueError(expression)
    for part in parts:
        yield from _values(part)
