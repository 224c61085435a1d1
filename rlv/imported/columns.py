"""Rows of JSON, and structs of Parquet, as plain columns: one name a value, `doc.question`, `choices[].text`.

A dictionary in a row becomes the columns `outer.inner`; a list of dictionaries becomes lists,
`outer[].inner`. So dialects and `--map` name a value in the same way in whatever
container it stands. Left out on purpose: lists of dictionaries inside lists of dictionaries, such as the
log-probabilities of each token.

Rows of one column may differ in type, since JSON has no schema: whole numbers beside fractions are numbers,
a single value beside lists is a list of one, and other mixtures are text as JSON spells it. A whole number
that 64 bits do not hold is text, too, digit by digit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import polars as pl

from rlv.errors import DataError

# Columns that rows of one file may have together; a file whose rows have keys of their own has no columns.
MOST_COLUMNS = 2000
# Dictionaries inside dictionaries that become columns; what is deeper is left out.
_DEEPEST = 6
# Lists inside lists that keep their types; deeper ones are text.
_DEEPEST_LIST = 4
# Whole numbers up to here are exact as fractions.
_EXACT = 2**53
_SURROGATE = re.compile("[\ud800-\udfff]")


def flat(
    row: Mapping[str, Any], prefix: str = "", depth: int = 0, *, in_list: bool = False
) -> Iterator[tuple[str, Any]]:
    """(name, value) of everything in a row, dictionaries inside it as in the module's header."""
    for key, value in row.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            if depth < _DEEPEST:
                yield from flat(value, f"{name}.", depth + 1, in_list=in_list)
        elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
            if not in_list:
                yield from _transposed(name, value, depth)
        else:
            yield name, value


def _transposed(name: str, values: list[Any], depth: int) -> Iterator[tuple[str, list[Any]]]:
    rows = [dict(flat(v, depth=depth + 1, in_list=True)) if isinstance(v, dict) else {} for v in values]
    for key in dict.fromkeys(chain.from_iterable(rows)):
        yield f"{name}[].{key}", [row.get(key) for row in rows]


def frame(rows: Sequence[Mapping[str, Any]], where: str) -> tuple[pl.DataFrame, int]:
    """Rows as a frame of plain columns, and how many of its texts had half of a surrogate pair.

    Such a half, which no UTF-8 has, becomes U+FFFD. Raises DataError, naming `where`, for rows that have too
    many different keys.
    """
    columns: dict[str, list[Any]] = {}
    for number, row in enumerate(rows):
        for name, value in flat(row):
            column = columns.get(name)
            if column is None:
                if len(columns) == MOST_COLUMNS:
                    raise DataError(
                        f"{where}: more than {MOST_COLUMNS:,} different keys; one object a row with the same "
                        "keys in every row would do"
                    )
                column = columns[name] = []
            if len(column) <= number:  # a name can come twice: "a.b" beside {"a": {"b": …}}
                column += [None] * (number - len(column))
                column.append(value)
    mended = [0]
    series = [
        _series(_whole(name, mended), column + [None] * (len(rows) - len(column)), mended)
        for name, column in columns.items()
    ]
    unique = {one.name: one for one in reversed(series)}
    return pl.DataFrame(list(reversed(unique.values()))), mended[0]


def _series(name: str, values: list[Any], mended: list[int]) -> pl.Series:
    wanted, plain = _type_of(values)
    if not plain:
        values = [_as(value, wanted) for value in values]
    try:
        return pl.Series(name, values, dtype=wanted)
    except UnicodeEncodeError:
        return pl.Series(name, [_whole(value, mended) for value in values], dtype=wanted)


def _whole(value: Any, mended: list[int]) -> Any:
    """A value whose texts can be written as UTF-8; counts the texts that could not."""
    if isinstance(value, list):
        return [_whole(one, mended) for one in value]
    if not isinstance(value, str) or _SURROGATE.search(value) is None:
        return value
    mended[0] += 1
    return _SURROGATE.sub("\ufffd", value)


def _type_of(values: Iterable[Any], depth: int = 0) -> tuple[pl.DataType, bool]:
    """The type of a column, and whether its values are of that type as they are."""
    kinds = set(map(type, values)) - {type(None)}
    if not kinds:
        return pl.Null(), True
    if kinds == {str}:
        return pl.String(), True
    if kinds == {bool}:
        return pl.Boolean(), True
    if kinds == {float}:
        return pl.Float64(), True
    if kinds <= {int, float}:
        return _number_type(values, fractions=float in kinds)
    if list in kinds and depth < _DEEPEST_LIST:
        within = chain.from_iterable(v if isinstance(v, list) else (v,) for v in values if v is not None)
        inner, plain = _type_of(list(within), depth + 1)
        return pl.List(inner), plain and kinds == {list}
    return pl.String(), False


def _number_type(values: Iterable[Any], *, fractions: bool) -> tuple[pl.DataType, bool]:
    whole = [value for value in values if isinstance(value, int)]
    limit = _EXACT if fractions else 2**63 - 1
    if max(map(abs, whole)) > limit:
        return pl.String(), False
    return (pl.Float64(), False) if fractions else (pl.Int64(), True)


def _as(value: Any, wanted: pl.DataType) -> Any:
    if value is None:
        return None
    if isinstance(wanted, pl.List):
        inner = wanted.inner
        assert isinstance(inner, pl.DataType)
        return [_as(one, inner) for one in (value if isinstance(value, list) else [value])]
    if isinstance(wanted, pl.Float64):
        return float(value)
    if isinstance(wanted, pl.String) and not isinstance(value, str):
        return json.dumps(value)
    return value


def flat_columns(schema: Mapping[str, pl.DataType]) -> dict[str, tuple[str, pl.Expr, pl.DataType]]:
    """Plain name -> (column of a typed frame that it stands in, how it is taken from there, its type)."""
    found: dict[str, tuple[str, pl.Expr, pl.DataType]] = {}
    for name, kind in schema.items():
        for inner, expression, inner_kind in _flat_type(name, pl.col(name), kind):
            found.setdefault(inner, (name, expression.alias(inner), inner_kind))
    return found


def _flat_type(name: str, at: pl.Expr, kind: pl.DataType) -> Iterator[tuple[str, pl.Expr, pl.DataType]]:
    if isinstance(kind, pl.Struct):
        for field in kind.fields:
            yield from _flat_type(f"{name}.{field.name}", at.struct.field(field.name), _instance(field.dtype))
    elif isinstance(kind, pl.Array):
        yield from _flat_type(name, at.arr.to_list(), pl.List(kind.inner))
    elif isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct):
        for inner, element, inner_kind in _flat_type(f"{name}[]", pl.element(), _instance(kind.inner)):
            if inner.count("[]") == 1:
                yield inner, at.list.eval(element), pl.List(inner_kind)
    elif isinstance(kind, pl.Binary | pl.Object):
        return
    else:
        yield name, at, kind


def _instance(kind: Any) -> pl.DataType:
    return kind() if isinstance(kind, type) else kind


def stacked(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Frames one below the other: columns that one lacks are null there, types are joined as in JSON rows."""
    types: dict[str, pl.DataType] = {}
    for one in frames:
        for name, kind in one.schema.items():
            types[name] = _joined(types[name], kind) if name in types else kind
    return pl.concat(
        [
            one.select(
                _cast(pl.col(name), one.schema[name], kind).alias(name)
                if name in one.schema
                else pl.lit(None, kind).alias(name)
                for name, kind in types.items()
            )
            for one in frames
        ]
    )


def _joined(one: pl.DataType, other: pl.DataType) -> pl.DataType:
    if one == other or isinstance(other, pl.Null):
        return one
    if isinstance(one, pl.Null):
        return other
    if isinstance(one, pl.List) or isinstance(other, pl.List):
        inner = [_instance(kind.inner) if isinstance(kind, pl.List) else kind for kind in (one, other)]
        return pl.List(_joined(*inner))
    return pl.Float64() if {one, other} == {pl.Int64(), pl.Float64()} else pl.String()


def _cast(at: pl.Expr, found: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    if found == wanted:
        return at
    if isinstance(found, pl.Null):
        return at.cast(wanted)
    if isinstance(wanted, pl.List):
        inner = _instance(wanted.inner)
        if isinstance(found, pl.List):
            return at.list.eval(_cast(pl.element(), _instance(found.inner), inner))
        one = _cast(at, found, inner)
        return pl.when(one.is_not_null()).then(pl.concat_list(one))
    return text_of(at, found) if isinstance(wanted, pl.String) else at.cast(wanted)


def text_of(at: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """A scalar column as text: a fraction that is whole as a whole number, since tables with gaps hold whole
    numbers as fractions; what is not a number is null."""
    if not kind.is_float():
        return at.cast(pl.String)
    whole = (at == at.round()) & (at.abs() < _EXACT)
    as_whole = at.cast(pl.Int64, strict=False).cast(pl.String)
    return pl.when(whole).then(as_whole).when(at.is_not_nan()).then(at.cast(pl.String))
