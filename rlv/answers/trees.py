"""The value of one tree of sympy at one point: exact fractions while they stay small, else mpmath's numbers.

sympy's own evaluation is used only for sums, products, integrals, limits and derivatives.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from fractions import Fraction
from math import ceil, comb, factorial, floor
from typing import Any

from rlv.errors import RlvError

_BITS = 20_000  # of the largest exact number
_HUGE = 10**15  # beyond it no exponent, factorial or argument of a function is evaluated

Value = Any  # a Fraction, or a number of one of mpmath's contexts


class Unreadable(RlvError):
    """The text is no formula that can be evaluated here; the message is for developers."""


def wide(value: Value, context: Any) -> Any:
    """A value as a number of the context."""
    return context.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def place(name: str, point: int, context: Any) -> Any:
    """What a symbol stands for at a point: its own number, drawn from its name."""
    if name == "i":
        return context.mpc(0, 1)
    draw = context.mpf(zlib.crc32(name.encode()) + 1) / 2**32
    sign = zlib.crc32(b"sign" + name.encode()) % 2
    return (2 + draw, draw, -1 - draw, (1 + 2 * draw) * (-1 if sign else 1))[point]


def value_of(tree: Any, point: int, context: Any) -> Value:
    """One formula at one point. Raises Unreadable if it has no value that can be computed."""
    if tree.is_Symbol:
        return place(str(tree), point, context)
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
        return value_of(done, point, context)
    return _applied(tree, name, [value_of(part, point, context) for part in tree.args], context)


def _applied(tree: Any, name: str, parts: list[Value], context: Any) -> Value:
    """The tree's operation or function (by its name) of the values of its parts."""
    from sympy.core.function import AppliedUndef

    if tree.is_Add:
        return _folded(parts, lambda a, b: a + b, context)
    if tree.is_Mul:
        return _folded(parts, lambda a, b: a * b, context)
    if tree.is_Pow:
        return _power(parts[0], parts[1], context)
    if name in _EXACT:
        return _EXACT[name](parts, context)
    numbers = [wide(part, context) for part in parts]
    if any(abs(part) > _HUGE for part in numbers):
        raise Unreadable(f"{name} of a huge number")
    if isinstance(tree, AppliedUndef):
        # f is unknown, so any function will do: the same for the same name.
        seed = context.mpf(zlib.crc32(name.encode()) + 1) / 2**32
        return context.cos(sum((k + 1 + seed) * (part + seed) for k, part in enumerate(numbers))) + seed
    function = _FUNCTIONS.get(name)
    if function is None:
        raise Unreadable(f"an unknown function {name}")
    return function(context, *numbers)


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
            result = operation(wide(result, context), wide(part, context))
    return result


def _kept(value: Fraction, context: Any) -> Value:
    return (
        value
        if max(value.numerator.bit_length(), value.denominator.bit_length()) <= _BITS
        else wide(value, context)
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
    base, power = wide(base, context), wide(exponent, context)
    if abs(power) > _HUGE or abs(context.log(base)) * abs(power) > _HUGE:
        raise Unreadable("a power with a huge exponent")
    if isinstance(exponent, Fraction) and exponent.denominator == 1:
        return base ** int(exponent)
    return context.power(base, power)


def _factorial(parts: list[Value], context: Any) -> Value:
    n = parts[0]
    if isinstance(n, Fraction) and n.denominator == 1 and 0 <= n <= 2000:
        return _kept(Fraction(factorial(int(n))), context)
    n = wide(n, context)
    if abs(n) > 10**9:
        raise Unreadable("the factorial of a huge number")
    return context.gamma(n + 1)


def _binomial(parts: list[Value], context: Any) -> Value:
    if all(isinstance(p, Fraction) and p.denominator == 1 and 0 <= p <= 5000 for p in parts):
        return _kept(Fraction(comb(*map(int, parts))), context)
    if any(abs(wide(p, context)) > 10**9 for p in parts):
        raise Unreadable("the binomial of a huge number")
    return context.binomial(*[wide(p, context) for p in parts])


def _whole(name: str) -> Callable[[list[Value], Any], Value]:
    def rounded(parts: list[Value], context: Any) -> Value:
        if isinstance(parts[0], Fraction):
            return Fraction(floor(parts[0]) if name == "floor" else ceil(parts[0]))
        if abs(parts[0]) > _HUGE:
            raise Unreadable(f"the {name} of a huge number")
        return getattr(context, {"floor": "floor", "ceiling": "ceil"}[name])(parts[0])

    return rounded


def _extreme(best: Callable[..., Any]) -> Callable[[list[Value], Any], Value]:
    return lambda parts, context: best(parts, key=lambda p: context.re(wide(p, context)))


def _modulo(parts: list[Value], context: Any) -> Value:
    a, b = parts
    if not b:
        raise Unreadable("modulo 0")
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a % b
    return context.fmod(wide(a, context), wide(b, context))


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
