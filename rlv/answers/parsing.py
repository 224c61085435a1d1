r"""A respelled answer -> its shape (shapes.py): lists, brackets, sets, relations, ratios, down to formulas.

Everything is split at signs outside all brackets, down to formulas, which formulas.py reads. Answers without
mathematics (words) are read only as elements of a list.
"""

from __future__ import annotations

import re

from rlv.answers import spelling, values
from rlv.answers.brackets import DEPTH, bracketed, joining, pieces, separator, unbraced
from rlv.answers.formulas import THOUSANDS, formula
from rlv.answers.names import canonical, is_name, is_variable
from rlv.answers.shapes import (
    Grid,
    Marked,
    Named,
    Percent,
    Ratio,
    Record,
    Region,
    Relation,
    Several,
    Shape,
    Words,
    complement,
    interval,
    points,
    region,
    same,
    union_of,
    united,
)
from rlv.answers.systems import is_row
from rlv.answers.values import Number, Unreadable

_SIGNS = {
    **dict.fromkeys(("=", ":=", r"\equiv"), "="),
    **dict.fromkeys(("<", r"\lt"), "<"),
    **dict.fromkeys((">", r"\gt"), ">"),
    **dict.fromkeys((r"\le", r"\leq", r"\leqslant", r"\leqq", "<="), "≤"),
    **dict.fromkeys((r"\ge", r"\geq", r"\geqslant", r"\geqq", ">="), "≥"),
    **dict.fromkeys((r"\ne", r"\neq", "!="), "≠"),
    **dict.fromkeys((r"\in",), "∈"),
    **dict.fromkeys((r"\approx", r"\simeq", r"\doteq"), "≈"),
    **dict.fromkeys((r"\Rightarrow", r"\implies", r"\Longrightarrow", r"\iff", r"\Leftrightarrow"), "⇒"),
}
_FLIPPED = {"<": ">", ">": "<", "≤": "≥", "≥": "≤"}
_SET_SIGNS = {r"\cup": "∪", r"\cap": "∩", r"\setminus": "∖", r"\backslash": "∖"}
_DOTS = re.compile(r"\\[lc]?dots(?![a-z])|\.\.\.")
_MATRIX = re.compile(r"\\begin\{([pb]?matrix|array)\}(?:\{[lcr|]*\})?(.*)\\end\{\1\}", re.DOTALL)
_NOTHING = re.compile(
    r"(?:there (?:is|are) )?no (?:real )?solutions?(?: exists?)?|(?:the )?(?:empty|null) set", re.IGNORECASE
)
_WORD = re.compile(
    r"\\(?:text|mbox|textbf|textit|textrm|mathrm)\s*\{([^{}]*[A-Za-z\u0080-\uffff][^{}]*)\}|[A-Za-z ]{4,}"
)


def shape(text: str, depth: int = 0) -> Shape:
    """The shape of a respelled answer. Slow; its formulas may never end. Raises Unreadable."""
    text = unbraced(text.strip())
    if not text or depth > DEPTH:
        raise Unreadable("nothing, or too deep")
    if THOUSANDS.fullmatch(text):
        return values.formula(text.replace(",", ""))  # a number
    if _DOTS.search(text):
        raise Unreadable("dots")
    groups = pieces(text, lambda token: ";" if token == ";" else None)
    if len(groups) > 1:
        return _listed([(";", shape(part, depth + 1)) for _, part in groups if part.strip()])
    rows = [part for _, part in pieces(text, lambda token: token if token == r"\\" else None) if part.strip()]
    if len(rows) > 1 and all(map(is_row, rows)):
        return _listed([("and", shape(row, depth + 1)) for row in rows])
    items = [(sign, part) for sign, part in pieces(text, separator) if part.strip()]
    if len(items) > 1:
        return _listed([(sign, shape(part, depth + 1)) for sign, part in items])
    if not items:
        raise Unreadable("nothing but separators")
    return _one(spelling.without_units(items[0][1].strip()), depth)


def _one(text: str, depth: int) -> Shape:
    text = unbraced(text)
    if r"\pm" in text or r"\mp" in text:
        return _both_signs(text, depth)
    relation = [(sign, part.strip()) for sign, part in pieces(text, _SIGNS.get)]
    if len(relation) > 1:
        return _related(relation, depth)
    parts = pieces(text, _SET_SIGNS.get)
    if len(parts) > 1:
        return _combined(parts, depth)
    return _known_set(text) or _written(text, depth)


def _known_set(text: str) -> Region | None:
    if re.fullmatch(r"\\mathbb\s*\{?R\}?|\\(?:Reals|R)", text):
        return interval(Number((), infinite=-1), Number((), infinite=1), (False, False))
    return Region(()) if re.fullmatch(r"\\emptyset|\\varnothing", text) else None


def _written(text: str, depth: int) -> Shape:
    """The shape of a text without relations and set signs outside all brackets."""
    whole = bracketed(text)
    if whole is not None:
        return _in_brackets(*whole, depth)
    mark = spelling.marked(text)
    if mark is not None:
        return Marked(*mark)
    percent = re.fullmatch(r"(.+?)\s*\\?%", text, re.DOTALL)
    if percent:
        number = shape(percent[1], depth + 1)
        if not isinstance(number, Number):
            raise Unreadable("a percentage of no number")
        return Percent(number)
    ratio = [
        part
        for _, part in pieces(text, lambda token: ":" if token == ":" or joining(token) == "to" else None)
    ]
    if len(ratio) > 1:
        return _ratio([part.strip() for part in ratio])
    return _matrix(text) or _words(text) or formula(text)


def _matrix(text: str) -> Grid | None:
    matrix = _MATRIX.fullmatch(text)
    if matrix:
        rows = [row for row in re.split(r"\\\\", matrix[2]) if row.strip()]
        cells = [[formula(cell) for cell in row.split("&")] for row in rows]
        if all(isinstance(cell, Number) for row in cells for cell in row):
            return Grid(tuple(tuple(row) for row in cells))  # pyright: ignore[reportArgumentType]
    return None


def _words(text: str) -> Region | Number | Grid | Words | None:
    word = _WORD.fullmatch(text)
    if not word:
        return None
    words = (word[1] or text).strip()
    if _NOTHING.fullmatch(words):
        return Region(())
    letter = re.fullmatch(r"\(?([A-Za-z])\)?", words)
    return formula(letter[1]) if letter else Words(" ".join(words.split()).casefold())


def _both_signs(text: str, depth: int) -> Shape:
    signs = re.findall(r"\\(?:pm|mp)(?![a-z])", text)
    if len(signs) > 3:
        raise Unreadable("too many signs")
    plain = r"\pm" not in signs or r"\mp" not in signs
    # Signs of one kind are independent; with \mp among them, they go together.
    choices = (
        [[bool(k >> j & 1) for j in range(len(signs))] for k in range(2 ** len(signs))]
        if plain
        else [
            [False] * len(signs),
            [True] * len(signs),
        ]
    )
    found = []
    for choice in choices:
        flips = iter(choice)
        spelled = re.sub(
            r"\\(pm|mp)(?![a-z])", lambda m, flips=flips: "+" if (m[1] == "pm") != next(flips) else "-", text
        )
        found.append(("or", shape(re.sub(r"(^|[(,=])\s*\+", r"\1", spelled), depth + 1)))
    return _listed(found)


def _listed(items: list[tuple[str, Shape]]) -> Shape:
    """A list, or the one thing that its elements make: a record of named values, a region of inequalities."""
    shapes: list[Shape] = []
    for _, item in items:
        shapes += item.items if isinstance(item, Several) and item.kind == "list" else [item]
    signs = {sign for sign, _ in items[1:]}
    if ";" in signs and any(isinstance(item, Several) and item.kind == "list" for _, item in items):
        # "1, 2; 3, 4" is a list of pairs.
        shapes = [
            Several("tuple", i.items) if isinstance(i, Several) and i.kind == "list" else i for _, i in items
        ]
    regions = [s for s in shapes if isinstance(s, Region)]
    if len(regions) == len(shapes) and all(r.name for r in regions) and len({r.name for r in regions}) == 1:
        name = regions[0].name
        if signs == {"and"}:
            both = complement(united([complement(r) for r in regions], name))
            if both.spans:
                return both
        return united(regions, name)
    union = union_of(shapes) if signs == {"or"} and regions else None
    if union is not None:
        return union
    named = [s for s in shapes if isinstance(s, Named)]
    if len(named) > 1 and len({n.name for n in named}) == 1:
        return Several("list", tuple(s.value if isinstance(s, Named) else s for s in shapes))
    if len(named) == len(shapes) and len({n.name for n in named}) == len(named) > 1:
        return Record(tuple(sorted(named, key=lambda n: n.name)), tuple(named))
    if named and isinstance(shapes[0], Named) and len(named) == 1 and not isinstance(named[0].value, Several):
        shapes = [named[0].value, *shapes[1:]]  # x = 2, 3
    if signs == {"or"} and all(same(shapes[0], other) for other in shapes[1:]):
        return shapes[0]  # another way to write it
    return shapes[0] if len(shapes) == 1 else Several("list", tuple(shapes))


def _related(parts: list[tuple[str, str]], depth: int) -> Shape:
    parts = _concluding(parts)
    texts, signs = [text for _, text in parts], ["=" if sign == "≈" else sign for sign, _ in parts[1:]]
    if not all(texts):
        raise Unreadable("a relation without a side")
    if not signs:
        return shape(texts[0], depth + 1)
    if signs[-1] == "∈" and set(signs[:-1]) <= {"="}:
        return _member(texts, depth)
    if set(signs) == {"="}:
        return _equated(texts, depth)
    allowed = _inequality(texts, signs) if len(signs) <= 2 else None
    return _compared(texts, signs) if allowed is None else allowed


def _concluding(parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The relation after the last arrow, without an empty left side and without approximations of values."""
    last = max((k for k, (sign, _) in enumerate(parts) if sign == "⇒"), default=0)
    parts = [("", parts[last][1]), *parts[last + 1 :]]
    if len(parts) > 1 and not parts[0][1]:
        parts = [("", parts[1][1]), *parts[2:]]  # "= 5"
    if len(parts) > 2 or (len(parts) == 2 and not is_name(parts[0][1])):
        about = next((k for k, (sign, _) in enumerate(parts) if sign == "≈"), len(parts))
        parts = parts[: max(about, 1)]
    return parts


def _member(texts: list[str], depth: int) -> Shape:
    """What `x ∈ S` allows."""
    if not _names(texts[0]):
        raise Unreadable("a set around no name")
    inside, name = shape(texts[-1], depth + 1), canonical(texts[0])
    return Region(inside.spans, name, inside.merged) if isinstance(inside, Region) else Named(name, inside)


def _compared(texts: list[str], signs: list[str]) -> Relation:
    """A relation of two formulas other than an equation."""
    if len(signs) > 1:
        raise Unreadable("a chain of relations")
    left, right = (formula(text) for text in texts)
    if isinstance(left, Grid) or isinstance(right, Grid):
        raise Unreadable("an inequality of matrices")
    if signs[0] in (">", "≥"):
        left, right = right, left
    return Relation({">": "<", "≥": "≤"}.get(signs[0], signs[0]), values.minus(left, right))


def _equated(texts: list[str], depth: int) -> Shape:
    left, right = texts[0], texts[-1]
    if len(texts) == 2 and is_name(right) and not is_name(left) and _constant(left):
        left, right = right, left
    named, tuple_of_names = is_name(left), _names(left) and not is_name(left)
    ratio = pieces(left, lambda token: ":" if token == ":" else None)
    if not named and len(ratio) > 1 and all(is_name(part) for _, part in ratio):
        value = shape(right, depth + 1)
        if isinstance(value, Ratio) and len(value.parts) == len(ratio):
            return Named(canonical(left), value)
    if named or tuple_of_names:
        value = shape(right, depth + 1)
        if isinstance(value, Percent | Words | Grid | Region | Several | Marked | Ratio) or tuple_of_names:
            return Named(canonical(left), value)
        return Named(canonical(left), value, _difference(left, value))
    sides = [formula(text) for text in texts]
    if any(isinstance(side, Grid) for side in sides):
        raise Unreadable("an equation of matrices")
    numbers = [side for side in sides if isinstance(side, Number)]
    if all(len(n.values) == 1 for n in numbers) and all(values.equal(n, numbers[-1]) for n in numbers):
        return numbers[-1]  # a calculation
    difference = values.minus(numbers[0], numbers[-1])
    if all(d is not None and not d for d in difference):
        return numbers[-1]  # an identity gives what it ends with
    return Relation("=", difference)


def _names(text: str) -> bool:
    """Whether the text is a name, or several in brackets."""
    whole = bracketed(text)
    parts = [] if whole is None else pieces(whole[1], separator)
    return is_name(text) or (len(parts) > 1 and all(is_name(part) for _, part in parts))


def _constant(text: str) -> bool:
    return re.search(r"[A-Za-z]", re.sub(r"\\[a-zA-Z]+", "", text)) is None


def _difference(left: str, value: Shape) -> tuple[values.Value, ...] | None:
    try:
        side = formula(left)
        return values.minus(side, value) if isinstance(side, Number) and isinstance(value, Number) else None
    except Unreadable:
        return None


def _inequality(texts: list[str], signs: list[str]) -> Region | None:
    """The region of `x < b`, `a < x` or `a < x < b`; None for any other inequality."""
    if len(signs) == 1:
        if is_variable(texts[0]) and not is_variable(texts[1]):
            return _ray(texts[0], signs[0], texts[1])
        if is_variable(texts[1]) and signs[0] in _FLIPPED:
            return _ray(texts[1], _FLIPPED[signs[0]], texts[0])
        return None
    low, name, high = texts
    if not is_variable(name) or not set(signs) <= set(_FLIPPED):
        return None
    if {s in (">", "≥") for s in signs} == {True}:
        low, high, signs = high, low, [_FLIPPED[s] for s in reversed(signs)]
    if not set(signs) <= {"<", "≤"}:
        return None
    return interval(_end(low), _end(high), (signs[0] == "≤", signs[1] == "≤"), canonical(name))


def _ray(name: str, sign: str, text: str) -> Region:
    end = _end(text)
    if sign == "≠":
        return Region(complement(points([end])).spans, canonical(name))
    if sign in ("<", "≤"):
        return interval(Number((), infinite=-1), end, (False, sign == "≤"), canonical(name))
    return interval(end, Number((), infinite=1), (sign == "≥", False), canonical(name))


def _end(text: str) -> Number:
    number = formula(text)
    if isinstance(number, Grid):
        raise Unreadable("an interval that ends with a matrix")
    return number


def _combined(parts: list[tuple[str, str]], depth: int) -> Shape:
    """A union, intersection or difference of sets, from left to right."""
    sets = [shape(text, depth + 1) for _, text in parts]
    if all(isinstance(s, Several) and s.kind == "set" for s in sets) and {sign for sign, _ in parts[1:]} == {
        "∪"
    }:
        return Several("set", tuple(item for s in sets if isinstance(s, Several) for item in s.items))
    result = region(sets[0])
    for (sign, _), other in zip(parts[1:], map(region, sets[1:]), strict=True):
        if sign == "∪":
            result = united([result, other], None)
        elif sign == "∩":
            result = complement(united([complement(result), complement(other)], None))
        else:
            result = complement(united([complement(result), other], None))
    return result


def _in_brackets(opening: str, inside: str, closing: str, depth: int) -> Shape:
    if opening == r"\{":
        return _set(inside, depth)
    items = [part for _, part in pieces(inside, lambda token: "," if token in (",", ";") else None)]
    if len(items) == 1:
        if opening + closing == "[]":
            raise Unreadable("one element in square brackets")
        return shape(inside, depth + 1)
    shapes = tuple(shape(part, depth + 1) for part in items)
    if len(shapes) == 2 and all(isinstance(s, Number) for s in shapes):
        low, high = shapes
        assert isinstance(low, Number) and isinstance(high, Number)
        if opening + closing != "()" or low.infinite or high.infinite:
            return interval(low, high, (opening == "[", closing == "]"))
    return Several("tuple", shapes)


def _set(inside: str, depth: int) -> Shape:
    if not inside.strip():
        return Region(())
    condition = pieces(inside, lambda token: "|" if token in ("|", r"\mid", r"\vert", ":") else None)
    if len(condition) == 2 and is_name(re.sub(r"\\in.*", "", condition[0][1])):
        found = shape(condition[1][1], depth + 1)
        return Region(found.spans, None, found.merged) if isinstance(found, Region) else found
    found = shape(inside, depth + 1)
    if isinstance(found, Record):
        return found
    return Several("set", found.items if isinstance(found, Several) and found.kind == "list" else (found,))


def _ratio(parts: list[str]) -> Ratio:
    numbers = [formula(part) for part in parts]
    if any(isinstance(n, Grid) or len(n.values) != 1 for n in numbers):
        raise Unreadable("a ratio of something else than numbers")
    if any(not n.values[0] for n in numbers if isinstance(n, Number)):
        raise Unreadable("a ratio with 0")
    clock = re.fullmatch(r"([01]?\d|2[0-4]):([0-5]\d)", ":".join(parts))
    return Ratio(
        tuple(n for n in numbers if isinstance(n, Number)), (int(clock[1]), int(clock[2])) if clock else None
    )
