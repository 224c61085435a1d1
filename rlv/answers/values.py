r"""What a formula is worth: its values at fixed points, by which formulas are compared.

latex2sympy2 (math-verify's parser) reads the formula; the tree that it returns is evaluated with exact
fractions as long as that is possible, else with 40 digits. A symbol stands for the same number in every
formula, at each of four points: positive, small, negative, mixed. Two formulas with equal values at all
points are equal (a nonzero formula vanishes at random points with probability 0), so no symbolic
simplification is needed, and comparing costs microseconds. A point where a formula of real symbols has no
real value lies outside its domain, and is left out.

Left out on purpose: what a formula is part of (shapes.py), and limits of time (worker.py).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import ceil, comb, factorial, floor
from typing import Any

import mpmath

from rlv.errors import RlvError

POINTS = 4
_DIGITS, _MORE_DIGITS = 40, 120
_NEAR = 1e-25  # relative; what 40 digits leave after a cancellation of fifteen
_BITS = 20_000  # of the largest exact number
_HUGE = 10**15  # beyond it no exponent, factorial or argument of a power is evaluated
# Decimals with at least these many places (and significant digits) may stand for what they round.
_PLACES, _SIGNIFICANT = 6, 5

_NUMBER = re.compile(r"[+-]?(?:\d{1,4000}(?:\.\d{0,4000})?|\.\d{1,4000})")
_FRACTION = re.compile(r"([+-]?)(?:\\[dtc]?frac\{(-?)(\d{1,300})\}\{(\d{1,300})\}|()(\d{1,300})/(\d{1,300}))")
_SYMBOL = re.compile(r"[A-Za-z](?:_(?:\{[A-Za-z0-9,]+\}|[A-Za-z0-9]))?")
_SUBSCRIPT = re.compile(r"_\{([A-Za-z0-9])\}")

Value = Any  # a Fraction, or a number of one of the contexts below; None outside the domain


class Unreadable(RlvError):
    """The text is no formula that anybody here can evaluate; its message is for developers."""


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
    """The values of one formula without relation, list or unit. Slow, may hang. Raises Unreadable."""
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
            [_place(_SUBSCRIPT.sub(r"_\1", text.lower()), k, _context(_DIGITS)) for k in range(POINTS)]
        )
    return _evaluated(_tree(text))


def minus(left: Number, right: Number) -> tuple[Value, ...]:
    """left - right at every point; None where either has no value. Raises Unreadable for infinities."""
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
    """Whether it is one constant real number."""
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
    return _wide(value, _context(_DIGITS)) if isinstance(value, Fraction) else value


def _wide(value: Value, context: Any) -> Any:
    return context.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def _place(name: str, point: int, context: Any) -> Any:
    """What a symbol stands for at a point: its own number, drawn from its name."""
    if name == "i":
        return context.mpc(0, 1)
    draw = context.mpf(zlib.crc32(name.encode()) + 1) / 2**32
    sign = zlib.crc32(b"sign" + name.encode()) % 2
    return (2 + draw, draw, -1 - draw, (1 + 2 * draw) * (-1 if sign else 1))[point]


@cache
def _normalization() -> Any:
    from latex2sympy2_extended.math_normalization import NormalizationConfig

    # Units and operators without braces have been dealt with (spelling.py); a box has been opened.
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
    """Without what is not real where formulas of real symbols have a domain, if that leaves anything."""
    for value in values:
        if not isinstance(value, Fraction) and not mpmath.isfinite(value):
            raise Unreadable("not finite")
    imaginary = [abs(mpmath.im(v)) > _NEAR * abs(v) for v in map(_mixed, values)]
    if real and not all(imaginary):
        return Number(tuple(None if out else v for v, out in zip(values, imaginary, strict=True)))
    return Number(tuple(values))


def _settled(tree: Any, point: int) -> Value:
    """The value, with more digits where it may be nothing but the rounding of 0."""
    value = _value(tree, point, _context(_DIGITS))
    if isinstance(value, Fraction) or abs(value) > 1e-20:
        return value
    again = _value(tree, point, _context(_MORE_DIGITS))
    if isinstance(again, Fraction):
        return again
    return (
        Fraction(0)
        if abs(again) < 1e-80 * max(1, abs(value) * 1e20) and abs(again) < abs(value) / 10**20
        else value
    )


def _value(tree: Any, point: int, context: Any) -> Value:
    """One formula at one point. Raises Unreadable where it has no value that can be computed."""
    from sympy.core.function import AppliedUndef

    if tree.is_Symbol:
        return _place(str(tree), point, context)
    if tree.is_Rational:
        return Fraction(int(tree.p), int(tree.q))
    if tree.is_Float:
        return Fraction(str(tree))
    name = type(tree).__name__
    if name in _CONSTANTS:
        return _CONSTANTS[name](context)
    if name in _LAZY:
        done = tree.doit()
        if type(done).__name__ in _LAZY:
            raise Unreadable(f"{name} without closed form")
        return _value(done, point, context)
    parts = [_value(part, point, context) for part in tree.args]
    if tree.is_Add:
        return _folded(parts, lambda a, b: a + b, context)
    if tree.is_Mul:
        return _folded(parts, lambda a, b: a * b, context)
    if tree.is_Pow:
        return _power(parts[0], parts[1], context)
    if name in _EXACT:
        return _EXACT[name](parts, context)
    wide = [_wide(part, context) for part in parts]
    if any(abs(part) > _HUGE for part in wide):
        raise Unreadable(f"{name} of a huge number")
    if isinstance(tree, AppliedUndef):
        # Nobody knows f, so it is some function: the same for the same name.
        seed = context.mpf(zlib.crc32(name.encode()) + 1) / 2**32
        return context.cos(sum((k + 1 + seed) * (part + seed) for k, part in enumerate(wide))) + seed
    function = _FUNCTIONS.get(name)
    if function is None:
        raise Unreadable(f"an unknown function {name}")
    return function(context, *wide)


def _folded(parts: list[Value], operation: Callable[[Any, Any], Any], context: Any) -> Value:
    """A sum or a product: exact parts first, as far as they stay small."""
    exact = [p for p in parts if isinstance(p, Fraction)]
    result: Value = None
    for part in exact + [p for p in parts if not isinstance(p, Fraction)]:
        if result is None:
            result = part
        elif isinstance(result, Fraction) and isinstance(part, Fraction):
            result = _kept(operation(result, part), context)
        else:
            result = operation(_wide(result, context), _wide(part, context))
    return result


def _kept(value: Fraction, context: Any) -> Value:
    return (
        value
        if max(value.numerator.bit_length(), value.denominator.bit_length()) <= _BITS
        else _wide(value, context)
    )


def _power(base: Value, exponent: Value, context: Any) -> Value:
    if not base:
        if isinstance(exponent, Fraction) and exponent <= 0:
            raise Unreadable("a power of 0")
        return Fraction(0)
    if isinstance(base, Fraction) and isinstance(exponent, Fraction) and exponent.denominator == 1:
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if bits * abs(exponent) <= _BITS:
            return base**exponent.numerator
    base, wide = _wide(base, context), _wide(exponent, context)
    if abs(wide) > _HUGE or abs(context.log(base)) * abs(wide) > _HUGE:
        raise Unreadable("a power with a huge exponent")
    if isinstance(exponent, Fraction) and exponent.denominator == 1:
        return base ** int(exponent)
    return context.power(base, wide)


def _factorial(parts: list[Value], context: Any) -> Value:
    n = parts[0]
    if isinstance(n, Fraction) and n.denominator == 1 and 0 <= n <= 2000:
        return _kept(Fraction(factorial(int(n))), context)
    n = _wide(n, context)
    if abs(n) > 10**9:
        raise Unreadable("the factorial of a huge number")
    return context.gamma(n + 1)


def _binomial(parts: list[Value], context: Any) -> Value:
    if all(isinstance(p, Fraction) and p.denominator == 1 and 0 <= p <= 5000 for p in parts):
        return _kept(Fraction(comb(*map(int, parts))), context)
    if any(abs(_wide(p, context)) > 10**9 for p in parts):
        raise Unreadable("the binomial of a huge number")
    return context.binomial(*[_wide(p, context) for p in parts])


def _whole(name: str) -> Callable[[list[Value], Any], Value]:
    def rounded(parts: list[Value], context: Any) -> Value:
        if isinstance(parts[0], Fraction):
            return Fraction(floor(parts[0]) if name == "floor" else ceil(parts[0]))
        if abs(parts[0]) > _HUGE:
            raise Unreadable(f"the {name} of a huge number")
        return getattr(context, {"floor": "floor", "ceiling": "ceil"}[name])(parts[0])

    return rounded


def _extreme(best: Callable[..., Any]) -> Callable[[list[Value], Any], Value]:
    return lambda parts, context: best(parts, key=lambda p: context.re(_wide(p, context)))


def _modulo(parts: list[Value], context: Any) -> Value:
    a, b = parts
    if not b:
        raise Unreadable("modulo 0")
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a % b
    return context.fmod(_wide(a, context), _wide(b, context))


_CONSTANTS: dict[str, Callable[[Any], Any]] = {
    "Pi": lambda c: +c.pi,
    "Exp1": lambda c: +c.e,
    "ImaginaryUnit": lambda c: c.mpc(0, 1),
    "GoldenRatio": lambda c: +c.phi,
}
_LAZY = {"Sum", "Product", "Integral", "Limit", "Derivative", "Subs", "Determinant", "Trace"}
_EXACT: dict[str, Callable[[list[Value], Any], Value]] = {
    "Abs": lambda parts, c: abs(parts[0]),
    "UnevaluatedExpr": lambda parts, c: parts[0],
    "factorial": _factorial,
    "binomial": _binomial,
    "floor": _whole("floor"),
    "ceiling": _whole("ceiling"),
    "Max": _extreme(max),
    "Min": _extreme(min),
    "Mod": _modulo,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: lambda context, *parts, name=name: getattr(context, name)(*parts)
    for name in (
        *("sin", "cos", "tan", "sec", "csc", "cot", "asin", "acos", "atan", "asec", "acsc", "acot"),
        *(
            "sinh",
            "cosh",
            "tanh",
            "asinh",
            "acosh",
            "atanh",
            "exp",
            "gamma",
            "erf",
            "re",
            "im",
            "arg",
            "sign",
        ),
    )
} | {
    "conjugate": lambda context, part: context.conj(part),
    "log": lambda context, *parts: _logarithm(context, *parts),
}


def _logarithm(context: Any, argument: Any, base: Any = None) -> Any:
    if not argument or base == 1 or base == 0:
        raise Unreadable("a logarithm of 0 or to the base 1 or 0")
    return context.log(argument) if base is None else context.log(argument) / context.log(base)
