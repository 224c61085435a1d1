r"""The shape of an answer: a formula, a list, a tuple, a set, an interval, an equation, … and their equality.

A respelled answer (spelling.py) is taken apart at its outermost signs, down to formulas, which values.py
reads. `same` compares two shapes. It is symmetric. Answers of different shapes are the same by these rules
only:

- a named value is its value: `x = 5` is 5, but neither `y = 5` nor the solution of an equation (`2x + z = 1`
  is not 1); several named values are the tuple of their values by name, or the list;
- a list is the set of its elements, with their multiplicity, and the tuple written in the same order;
- an open interval with two ends is the pair of these; inequalities in one name are the numbers that they
  allow; a list of disjoint intervals is their union;
- a percentage is its number with the sign, or without; a ratio of two is their quotient;
- a number with a mark (a base) is the number without, if the digits are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from math import gcd

from rlv.answers import values
from rlv.answers.values import Grid, Number, Value


@dataclass(frozen=True)
class Words:
    """Text that is no formula."""

    text: str


@dataclass(frozen=True)
class Percent:
    """A number with a percent sign."""

    number: Number


@dataclass(frozen=True)
class Marked:
    """A number in some base, or a time of day; `digits` as they are written."""

    digits: str
    mark: str


@dataclass(frozen=True)
class Ratio:
    """`a:b:…`; `time` (hours, minutes) if it may be one."""

    parts: tuple[Number, ...]
    time: tuple[int, int] | None = None


@dataclass(frozen=True)
class Several:
    """Elements in their written order. "list": in no brackets, with multiplicity; "tuple"; "set"."""

    kind: str
    items: tuple[Shape, ...]


@dataclass(frozen=True)
class Span:
    """An interval of the real line: its ends, and whether they belong to it."""

    low: Number
    high: Number
    closed: tuple[bool, bool]


@dataclass(frozen=True)
class Region:
    """A set of real numbers as disjoint spans in order; `name` of the variable that lies in it."""

    spans: tuple[Span, ...]
    name: str | None = None
    merged: bool = True  # false: ends with symbols, whose order is unknown


@dataclass(frozen=True)
class Named:
    """`name = value`; `difference` (left - right) as in Relation, if the value is a number."""

    name: str
    value: Shape
    difference: tuple[Value, ...] | None = None


@dataclass(frozen=True)
class Record:
    """Several named values, by name; `written` has the order in which they stand."""

    items: tuple[Named, ...]
    written: tuple[Named, ...]


@dataclass(frozen=True)
class Relation:
    """An equation or inequality that gives no value: left - right at the points, and its sign."""

    sign: str  # "=", "≠", "<" or "≤"
    difference: tuple[Value, ...]


Shape = Number | Grid | Words | Percent | Marked | Ratio | Several | Region | Named | Record | Relation


def same(one: Shape, other: Shape) -> bool:
    """Whether two shapes are the same answer, by the rules of this module. Symmetric; takes microseconds."""
    for rule, swapped in _fitting(type(one), type(other)):
        if rule(other, one) if swapped else rule(one, other):
            return True
    return False


@cache
def _fitting(one: type, other: type) -> list[tuple[Callable[..., bool], bool]]:
    """The rules for two kinds of shapes, and whether each takes them the other way round."""
    found = []
    for (first, second), rule in _RULES:
        if issubclass(one, first) and issubclass(other, second):
            found.append((rule, False))
        elif issubclass(one, second) and issubclass(other, first):
            found.append((rule, True))
    return found


def united(regions: Sequence[Region], name: str | None) -> Region:
    """The union of regions."""
    spans = [span for region in regions for span in region.spans]
    if not all(_real(span) for span in spans):
        return Region(tuple(spans), name, merged=False)
    spans.sort(key=lambda span: (_end(span.low), not span.closed[0]))
    merged: list[Span] = []
    for span in spans:
        last = merged[-1] if merged else None
        if last is not None and (
            _end(span.low) < _end(last.high)
            or (values.equal(span.low, last.high) and (span.closed[0] or last.closed[1]))
        ):
            if values.equal(span.high, last.high):
                merged[-1] = replace(last, closed=(last.closed[0], last.closed[1] or span.closed[1]))
            elif _end(span.high) > _end(last.high):
                merged[-1] = replace(last, high=span.high, closed=(last.closed[0], span.closed[1]))
        else:
            merged.append(span)
    return Region(tuple(merged), name)


def complement(region: Region) -> Region:
    """All real numbers outside a region. Raises Unreadable for ends with symbols."""
    if not region.merged:
        raise values.Unreadable("the complement of a set whose ends are unknown")
    low, closed = Number((), infinite=-1), False
    spans = []
    for span in region.spans:
        if not low.infinite or not span.low.infinite:
            spans.append(Span(low, span.low, (closed, not span.closed[0])))
        low, closed = span.high, not span.closed[1]
    if low.infinite != 1:
        spans.append(Span(low, Number((), infinite=1), (closed, False)))
    return Region(tuple(s for s in spans if not _empty(s)), region.name)


def points(items: Sequence[Shape]) -> Region:
    """The region of single numbers. Raises Unreadable for anything else."""
    numbers = [item for item in items if isinstance(item, Number) and not item.infinite]
    if len(numbers) < len(items):
        raise values.Unreadable("a set of something else than numbers")
    return united([Region((Span(n, n, (True, True)),)) for n in numbers], None)


def region(found: Shape) -> Region:
    """The real numbers in a set, an interval or a pair of ends. Raises Unreadable for anything else."""
    if isinstance(found, Region):
        return found
    if isinstance(found, Several) and found.kind == "set":
        return points(found.items)
    if isinstance(found, Several) and found.kind == "tuple" and len(found.items) == 2:
        low, high = found.items
        if isinstance(low, Number) and isinstance(high, Number):
            return interval(low, high, (False, False))
    raise values.Unreadable("no set of real numbers")


def union_of(items: Sequence[Shape]) -> Region | None:
    """The union of sets and of values with their name, as in `x < 3 or x = 5`; None if they make none."""
    if len({item.name for item in items if isinstance(item, Region | Named)} - {None}) > 1:
        return None
    try:
        sets = [points([i.value]) if isinstance(i, Named) else region(i) for i in items]
        return united(sets, None)
    except values.Unreadable:
        return None


def interval(low: Number, high: Number, closed: tuple[bool, bool], name: str | None = None) -> Region:
    """One interval; empty if its ends are in the wrong order."""
    span = Span(low, high, (closed[0] and not low.infinite, closed[1] and not high.infinite))
    return Region(() if _empty(span) else (span,), name, merged=_real(span))


def matched(these: Sequence[Shape], those: Sequence[Shape]) -> bool:
    """Whether the elements are the same in some order, one by one."""
    if len(these) != len(those):
        return False
    left = list(those)
    for item in these:
        for k, other in enumerate(left):
            if same(item, other):
                del left[k]
                break
        else:
            return False
    return True


def _end(number: Number) -> float:
    return number.infinite * float("inf") if number.infinite else float(values.real(number.values[0]))


def _real(span: Span) -> bool:
    return all(end.infinite or values.is_real(end) for end in (span.low, span.high))


def _empty(span: Span) -> bool:
    if not _real(span):
        return False
    if values.equal(span.low, span.high):
        return not all(span.closed)
    return _end(span.low) > _end(span.high)


def _in_order(these: Sequence[Shape], those: Sequence[Shape]) -> bool:
    return len(these) == len(those) and all(same(a, b) for a, b in zip(these, those, strict=True))


def _several(a: Several, b: Several) -> bool:
    kinds = {a.kind, b.kind}
    if kinds == {"set"}:
        return all(any(same(x, y) for y in b.items) for x in a.items) and all(
            any(same(x, y) for x in a.items) for y in b.items
        )
    if kinds == {"set", "tuple"}:
        return False
    return _in_order(a.items, b.items) if "tuple" in kinds else matched(a.items, b.items)


def _single(a: Several, b: Shape) -> bool:
    return a.kind == "set" and len(a.items) == 1 and same(a.items[0], b)


def _regions(a: Region, b: Region) -> bool:
    if a.name is not None and b.name is not None and a.name != b.name:
        return False
    return len(a.spans) == len(b.spans) and all(
        p.closed == q.closed and values.equal(p.low, q.low) and values.equal(p.high, q.high)
        for p, q in zip(a.spans, b.spans, strict=True)
    )


def _region_several(a: Region, b: Several) -> bool:
    if b.kind == "tuple":
        return (
            len(b.items) == 2
            and len(a.spans) == 1
            and not any(a.spans[0].closed)
            and _in_order((a.spans[0].low, a.spans[0].high), b.items)
        )
    if b.kind == "list" and any(isinstance(item, Region) for item in b.items):
        union = union_of(b.items)
        # Intervals that overlap are no other way to write their union.
        return union is not None and len(union.spans) == len(b.items) and _regions(a, union)
    single = [span.low for span in a.spans if all(span.closed) and values.equal(span.low, span.high)]
    return len(single) == len(a.spans) and _several(Several("set", tuple(single)), replace(b, kind="set"))


def _named(a: Named, b: Named) -> bool:
    if a.difference is not None and b.difference is not None:
        if values.proportional(a.difference, b.difference) is not None:
            return True
        functions = [name == "y" or name.endswith("(x)") for name in (a.name, b.name)]
        varies = isinstance(a.value, Number) and len(a.value.values) > 1
        return varies and all(functions) and same(a.value, b.value)
    return a.name == b.name and same(a.value, b.value)


def _record_several(a: Record, b: Several) -> bool:
    by_name, written = [n.value for n in a.items], [n.value for n in a.written]
    if b.kind == "list" and len({n.name.partition("_")[0] for n in a.items}) == 1:
        return matched(written, b.items)  # x_1 and x_2 are the solutions, whichever comes first
    return b.kind != "set" and (
        _in_order(by_name, b.items) or (b.kind == "list" and _in_order(written, b.items))
    )


def _relations(a: Relation, b: Relation) -> bool:
    if a.sign != b.sign:
        return False
    ratio = values.proportional(a.difference, b.difference)
    return ratio is not None and (a.sign in ("=", "≠") or values.positive(ratio))


def _relation_named(a: Relation, b: Named) -> bool:
    return (
        a.sign == "="
        and b.difference is not None
        and values.proportional(a.difference, b.difference) is not None
    )


def _percent_number(a: Percent, b: Number) -> bool:
    return values.equal(a.number, b) or values.equal(values.scaled(a.number, Fraction(1, 100)), b)


def _marked_number(a: Marked, b: Number) -> bool:
    return a.digits.isascii() and a.digits.isdigit() and values.equal(Number((Fraction(int(a.digits)),)), b)


def _ratios(a: Ratio, b: Ratio) -> bool:
    if _clock(a) or _clock(b):
        return a.time == b.time
    return (
        len(a.parts) == len(b.parts)
        and values.proportional(tuple(_one(p) for p in a.parts), tuple(_one(p) for p in b.parts)) is not None
    )


def _clock(ratio: Ratio) -> bool:
    """Hours and minutes, for a ratio would be in lowest terms, and without a leading zero."""
    return ratio.time is not None and (ratio.time[1] < 10 or gcd(*ratio.time) > 1)


def _ratio_number(a: Ratio, b: Number) -> bool:
    if len(a.parts) != 2 or _clock(a):
        return False
    return values.equal(values.quotient(*a.parts), b)


def _one(number: Number) -> Value:
    return number.values[0]


def _grids(a: Grid, b: Grid) -> bool:
    return [len(row) for row in a.rows] == [len(row) for row in b.rows] and all(
        values.equal(x, y) for p, q in zip(a.rows, b.rows, strict=True) for x, y in zip(p, q, strict=True)
    )


# Shapes of any other pair of kinds differ.
_RULES: list[tuple[tuple[type, type | tuple[type, ...]], Callable[..., bool]]] = [
    ((Number, Number), values.equal),
    ((Several, Several), _several),
    ((Words, Words), lambda a, b: a.text == b.text),
    ((Percent, Percent), lambda a, b: values.equal(a.number, b.number)),
    ((Percent, Number), _percent_number),
    ((Marked, Marked), lambda a, b: a == b),
    ((Marked, Number), _marked_number),
    ((Ratio, Ratio), _ratios),
    ((Ratio, Number), _ratio_number),
    ((Grid, Grid), _grids),
    ((Region, Region), _regions),
    ((Region, Several), _region_several),
    ((Relation, Relation), _relations),
    ((Relation, Named), _relation_named),
    ((Named, Named), _named),
    ((Named, (Number, Grid, Words, Percent, Marked, Ratio, Several, Region)), lambda a, b: same(a.value, b)),
    (
        (Record, Record),
        lambda a, b: [n.name for n in a.items] == [n.name for n in b.items] and _in_order(a.items, b.items),
    ),
    ((Record, Several), _record_several),
    ((Several, (Number, Grid, Words, Percent, Marked, Ratio, Named)), _single),
]
