r"""The values of a formula at fixed points; formulas are compared by these values.

latex2sympy2 (math-verify's parser) reads the formula; the tree that it returns is evaluated with exact
fractions as long as that is possible, else with 40 digits. A symbol stands for the same number in every
formula, at each of four points: positive, small, negative, mixed. Two formulas with equal values at all
points are equal (a nonzero formula vanishes at random points with probability 0), so no symbolic
simplification is needed, and comparing costs microseconds. A point where a formula of real symbols has no
real value lies outside its domain, and is left out. worker.py has the limits of time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath

from rlv.answers.trees import Unreadable, Value, place, value_of, wide

POINTS = 4
_DIGITS, _MORE_DIGITS = 40, 120
_NEAR = 1e-25  # relative; what 40 digits leave after a cancellation of fifteen
# Decimals with at least these many places (and significant digits) may stand for what they round.
_PLACES, _SIGNIFICANT = 6, 5

_NUMBER = re.compile(r"[+-]?(?:\d{1,4000}(?:\.\d{0,4000})?|\.\d{1,4000})")
_FRACTION = re.compile(r"([+-]?)(?:\\[dtc]?frac\{(-?)(\d{1,300})\}\{(\d{1,300})\}|()(\d{1,300})/(\d{1,300}))")
_SYMBOL = re.compile(r"[A-Za-z](?:_(?:\{[A-Za-z0-9,]+\}|[A-Za-z0-9]))?")
_SUBSCRIPT = re.compile(r"_\{([A-Za-z0-9])\}")


@dataclass(frozen=True)
class Number:
    """The values of a formula: one if it is constant, else one a point."""

    values: tuple[Value, ...]
    places: int | None = None  # of a decimal that may be rounded
    infinite: int = 0  # the sign, if it is an infinity


@dataclass(frozen=True)
class Grid:
    """A matrix of numbers, row by row."""

    rows: tuple[tuple[Number, ...], ...]


def formula(text: str) -> Number | Grid:
    """The values of one formula without relation, list or unit. Slow, may never end. Raises Unreadable."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        digits = text.lstrip("+-").replace(".", "").lstrip("0")
        places = len(text.partition(".")[2])
        rounded = places >= _PLACES and len(digits) >= _SIGNIFICANT
        return Number(
            (Fraction(text.removesuffix(".") if "." in text else int(text)),), places if rounded else None
        )
    fraction = _FRACTION.fullmatch(text)
    if fraction:
        sign, inner, top, bottom = (
            fraction[1],
            fraction[2] or "",
            fraction[3] or fraction[6],
            fraction[4] or fraction[7],
        )
        if not int(bottom):
            raise Unreadable(f"a fraction over 0: {text}")
        return Number((Fraction(int(top), int(bottom)) * (-1 if (sign == "-") != (inner == "-") else 1),))
    if _SYMBOL.fullmatch(text) and text not in ("e", "i", "I"):
        return _checked(
            [place(_SUBSCRIPT.sub(r"_\1", text.lower()), k, _context(_DIGITS)) for k in range(POINTS)]
        )
    return _evaluated(_tree(text))


def minus(left: Number, right: Number) -> tuple[Value, ...]:
    """left - right at every point; None at points where one has none. Raises Unreadable for infinities."""
    if left.infinite or right.infinite:
        raise Unreadable("an infinity in an equation")
    pairs = _aligned(left.values, right.values)
    found = []
    for a, b in pairs:
        difference = None if a is None or b is None else _mixed(a) - _mixed(b)
        if difference is not None and abs(difference) <= _NEAR * max(abs(_mixed(a)), abs(_mixed(b))):
            difference = Fraction(0)
        found.append(difference)
    return tuple(found)


def equal(one: Number, other: Number) -> bool:
    """Whether two numbers are the same, or one is a decimal with many places that rounds the other."""
    if one.infinite or other.infinite or not one.values or not other.values:
        return one.infinite == other.infinite
    pairs = [(a, b) for a, b in _aligned(one.values, other.values) if a is not None and b is not None]
    if not pairs:
        return False
    if all(near(a, b) for a, b in pairs):
        return True
    if (one.places is None) == (other.places is None) or len(one.values) > 1 or len(other.values) > 1:
        return False
    places = other.places if one.places is None else one.places
    difference = abs(_mixed(pairs[0][0]) - _mixed(pairs[0][1]))
    # Less than one unit of the last place, rounded or cut off: 0.999999 is not 1.
    return bool(difference * 10 ** (places or 0) < 1 - 1e-9)


def near(a: Value, b: Value) -> bool:
    """Whether two values are the same but for rounding."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a == b
    a, b = _mixed(a), _mixed(b)
    return bool(abs(a - b) <= _NEAR * max(abs(a), abs(b)))


def scaled(number: Number, factor: Fraction) -> Number:
    """The number times a constant."""
    return Number(
        tuple(
            None if v is None else v * factor if isinstance(v, Fraction) else v * _mixed(factor)
            for v in number.values
        ),
        infinite=number.infinite,
    )


def proportional(these: tuple[Value, ...], those: tuple[Value, ...]) -> Value:
    """The constant c with these = c those at every point, or None: what makes two equations the same."""
    ratios = []
    for a, b in _aligned(these, those):
        if a is None or b is None:
            continue
        if not a or not b:
            if bool(a) != bool(b):
                return None
            continue
        ratios.append(_mixed(a) / _mixed(b))
    if not ratios or (len(ratios) < 2 and max(len(these), len(those)) > 1):
        return None
    return ratios[0] if all(near(ratios[0], ratio) for ratio in ratios) else None


def quotient(top: Number, bottom: Number) -> Number:
    """One number over another. Raises Unreadable over 0."""
    found = []
    for a, b in _aligned(top.values, bottom.values):
        if not b:
            raise Unreadable("a quotient over 0")
        exact = isinstance(a, Fraction) and isinstance(b, Fraction)
        found.append(None if a is None or b is None else a / b if exact else _mixed(a) / _mixed(b))
    return Number(tuple(found))


def is_real(number: Number) -> bool:
    """Whether the number is one real constant."""
    return len(number.values) == 1 and (
        isinstance(number.values[0], Fraction) or mpmath.im(number.values[0]) == 0
    )


def real(value: Value) -> Any:
    """The real part of a value."""
    return value if isinstance(value, Fraction) else mpmath.re(value)


def positive(value: Value) -> bool:
    """Whether a value's real part is above 0."""
    return bool(real(value) > 0)


def _aligned(these: tuple[Value, ...], those: tuple[Value, ...]) -> list[tuple[Value, Value]]:
    """Value by value; a constant is the same at every point."""
    length = max(len(these), len(those))
    return list(
        zip(
            these * (length if len(these) == 1 else 1),
            those * (length if len(those) == 1 else 1),
            strict=True,
        )
    )


@cache
def _context(digits: int) -> Any:
    context = mpmath.MPContext()
    context.dps = digits
    return context


def _mixed(value: Value) -> Any:
    """A value for arithmetic with others."""
    return wide(value, _context(_DIGITS)) if isinstance(value, Fraction) else value


@cache
def _normalization() -> Any:
    from latex2sympy2_extended.math_normalization import NormalizationConfig

    # spelling.py has dealt with units and operators without braces; a box has been opened.
    return NormalizationConfig(units=False, malformed_operators=False, nits=False, boxed="none")


def _tree(text: str) -> Any:
    from latex2sympy2_extended.latex2sympy2 import latex2sympy

    try:
        return latex2sympy(text, is_real=True, convert_degrees=False, normalization_config=_normalization())
    except MemoryError:
        raise
    except Exception as error:  # the parser raises anything
        raise Unreadable(f"{text}: {error}") from error


def _evaluated(tree: Any) -> Number | Grid:
    from sympy import Expr, MatrixBase, MatrixExpr, S

    try:
        if isinstance(tree, MatrixExpr):
            tree = tree.doit()
        if isinstance(tree, MatrixBase):
            cells = tree.tolist()
            return Grid(tuple(tuple(_number(cell) for cell in row) for row in cells))
        if not isinstance(tree, Expr) or isinstance(tree, MatrixExpr):
            raise Unreadable(f"no formula but a {type(tree).__name__}")
        if tree in (S.Infinity, S.NegativeInfinity):
            return Number((), infinite=1 if tree is S.Infinity else -1)
        if tree.is_Mul and S.Infinity in tree.args and len(tree.args) == 2 and S.NegativeOne in tree.args:
            return Number((), infinite=-1)
        return _number(tree)
    except (MemoryError, Unreadable):
        raise
    except Exception as error:  # sympy and mpmath raise anything
        raise Unreadable(f"{type(error).__name__}: {error}") from error


def _number(tree: Any) -> Number:
    symbols = tree.free_symbols
    points = POINTS if any(str(s) != "i" for s in symbols) else 1
    return _checked(
        [_settled(tree, point) for point in range(points)],
        real=points > 1 and not any(str(s) == "i" for s in symbols),
    )


def _checked(values: list[Value], real: bool = True) -> Number:
    """Without the points outside the domain of a formula of real symbols, if that leaves any."""
    for value in values:
        if not isinstance(value, Fraction) and not mpmath.isfinite(value):
            raise Unreadable("not finite")
    imaginary = [abs(mpmath.im(v)) > _NEAR * abs(v) for v in map(_mixed, values)]
    if real and not all(imaginary):
        return Number(tuple(None if out else v for v, out in zip(values, imaginary, strict=True)))
    return Number(tuple(values))


def _settled(tree: Any, point: int) -> Value:
    """The value, with more digits where it may be nothing but the rounding of 0."""
    value = value_of(tree, point, _context(_DIGITS))
    if isinstance(value, Fraction) or abs(value) > 1e-20:
        return value
    again = value_of(tree, point, _context(_MORE_DIGITS))
    if isinstance(again, Fraction):
        return again
    return (
        Fraction(0)
        if abs(again) < 1e-80 * max(1, abs(value) * 1e20) and abs(again) < abs(value) / 10**20
        else value
    )
