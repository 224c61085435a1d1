"""The files that solutions come in: JSON Lines, JSON, Parquet, CSV, and folders of `datasets.save_to_disk`.

A container is told by its first bytes; the suffix matters only for CSV (.csv, .tsv). Each file is a `Part`:
its plain columns (columns.py) with their types, read when asked for. Parquet hands over only the columns
asked for; the others are read once, as they cannot be looked at without it.

JSON goes through Python's parser and not through that of polars, which replaces half a surrogate pair
by NUL, refuses NaN (as Python writes it) and true beside 1, and names no line.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from rlv import tables
from rlv.errors import DataError
from rlv.imported.columns import flat_columns, frame, stacked
from rlv.outside.files import json_lines, kind_of, open_regular, parse_json
from rlv.problems.table import shown

# The row of a file that a row of a frame comes from: a line of JSON Lines, else the row's number from 1.
ROW = "\0row"
# Rows of JSON that are Python objects at the same time, and bytes of them.
_ROWS, _BYTES = 20_000, 64 * 2**20
_JSON_LINES = (".jsonl", ".ndjson")
_CSV = {".csv": ",", ".tsv": "\t"}
_CONTAINERS = "JSON Lines, JSON, Parquet, CSV (.csv, .tsv) or a folder of datasets.save_to_disk"


@dataclass(frozen=True)
class Part:
    """One file of solutions: what it is called, its plain columns, and how they are read.

    `unit`: what the number of a row counts, "line" or "row". `read(names)` returns the columns of these
    names and ROW. `notes`: what the container did to the content, in words.
    """

    path: Path
    unit: str
    schema: dict[str, pl.DataType]
    read: Callable[[Sequence[str]], pl.DataFrame]
    notes: tuple[str, ...] = ()

    def row(self, number: int) -> str:
        """A row's name in messages."""
        return f"{self.path} {self.unit} {number}"


def open_part(path: Path) -> Part:
    """The file as a part. Raises DataError if it is missing, of another kind, damaged, or has no rows."""
    if str(path) == "-":
        raise DataError("-: standard input cannot be read twice; a file would do")
    try:
        if path.is_dir():
            return held(path, "row", *_arrow_folder(path))
        with open_regular(path) as file:
            start = file.read(4096)
        part = _opened(path, start)
    except OSError as error:
        found = f"found {kind_of(path.stat().st_mode)}" if path.exists() else "no such file"
        raise DataError(f"{path}: {error.strerror or found}; {_CONTAINERS} would do") from error
    except RecursionError:
        raise DataError(f"{path}: JSON that is nested too deeply; rows of plain values would do") from None
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: cannot be read ({_brief(error)}); {_CONTAINERS} would do") from error
    return part


def _opened(path: Path, start: bytes) -> Part:
    if start[:4] == b"PAR1":
        return _parquet(path)
    if path.suffix == ".parquet":
        raise DataError(f"{path}: not a Parquet file, it does not begin with PAR1; the whole file would do")
    if start[:2] == b"\x1f\x8b" or start[:4] == b"\x28\xb5\x2f\xfd" or start[:2] == b"PK":
        raise DataError(f"{path}: compressed; unpack it first, or save it as Parquet")
    if path.suffix in _CSV:
        data = tables.read_csv(path, separator=_CSV[path.suffix], infer_schema=False)
        return held(path, "row", data, ())
    return _json(path, start)


def _parquet(path: Path) -> Part:
    with open_regular(path) as file:
        schema = tables.parquet_schema(file)
    columns = flat_columns(schema)

    def read(names: Sequence[str]) -> pl.DataFrame:
        roots = list(dict.fromkeys(columns[name][0] for name in names)) or [next(iter(schema))]
        try:
            data = tables.read_parquet(path, columns=roots)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise DataError(
                f"{path}: not a readable Parquet file ({_brief(error)}); the whole file would do"
            ) from error
        return _numbered(data.select(columns[name][1] for name in names), len(data))

    if not columns:
        raise DataError(f"{path}: no columns; one row a solution or a problem would do")
    return Part(path, "row", {name: kind for name, (_, _, kind) in columns.items()}, read)


def held(path: Path, unit: str, data: pl.DataFrame, notes: tuple[str, ...]) -> Part:
    """A part whose rows are in memory already; `data` may have ROW."""
    if data.is_empty():
        raise DataError(f"{path}: no rows; one row a solution or a problem would do")
    columns = flat_columns({name: kind for name, kind in data.schema.items() if name != ROW})
    numbers = data[ROW] if ROW in data.schema else None

    def read(names: Sequence[str]) -> pl.DataFrame:
        chosen = data.select(columns[name][1] for name in names)
        if numbers is None:
            return _numbered(chosen, len(data))
        return pl.DataFrame([*chosen.get_columns(), numbers])

    return Part(path, unit, {name: kind for name, (_, _, kind) in columns.items()}, read, notes)


def _numbered(data: pl.DataFrame, rows: int) -> pl.DataFrame:
    numbers = pl.int_range(1, rows + 1, dtype=pl.UInt32, eager=True).alias(ROW)
    return pl.DataFrame([*data.get_columns(), numbers])


def _arrow_folder(path: Path) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The rows of a folder that `datasets` saved."""
    if not any((path / name).is_file() for name in ("dataset_info.json", "dataset_dict.json")):
        raise DataError(f"{path}: found a folder, not of datasets.save_to_disk; its files would do")
    from datasets import Dataset, load_from_disk  # takes seconds, and few files need it

    try:
        data = load_from_disk(path)
        if isinstance(data, Dataset):
            found = data.to_polars()
            assert isinstance(found, pl.DataFrame)
            return found, ()
    except DataError:
        raise
    except Exception as error:  # whatever a damaged folder makes it raise
        raise DataError(
            f"{path}: datasets.load_from_disk cannot read it ({type(error).__name__}: {_brief(error)}); "
            "save it again, or as Parquet"
        ) from error
    splits = " or ".join(f"{path}/{name}" for name in data)
    raise DataError(f"{path}: several splits, expected one; {splits} would do")


def _json(path: Path, start: bytes) -> Part:
    text = start.removeprefix(BOM_UTF8).lstrip()
    if not text:
        raise DataError(f"{path}: no rows; one row a solution or a problem would do")
    in_lines = _is_lines(path, text)
    frames, mended = [], 0
    for chunk in _chunks(_lines(path) if in_lines else _rows_of(path)):
        data, count = frame([row for _, row in chunk], str(path))
        numbers = pl.Series(ROW, [number for number, _ in chunk], dtype=pl.UInt32)
        frames.append(pl.DataFrame([numbers, *(one for one in data if one.name != ROW)]))
        mended += count
    notes = (f"{path}: half of a surrogate pair in {mended:,} texts, read as \ufffd",) if mended else ()
    return held(path, "line" if in_lines else "row", stacked(frames) if frames else pl.DataFrame(), notes)


def _is_lines(path: Path, start: bytes) -> bool:
    """Whether a file of JSON has one object a line; by its suffix, else by its first line."""
    if path.suffix in _JSON_LINES or start[:1] != b"{":
        return path.suffix in _JSON_LINES
    with open_regular(path) as file:
        first = next((line for line in file if line.strip()), b"")
        more = any(line.strip() for line in file)
    try:
        return more and isinstance(parse_json(first.removeprefix(BOM_UTF8)), dict)
    except ValueError:
        return False


def _lines(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """(line, its bytes, row) of a file of JSON Lines."""
    for number, size, row in json_lines(path):
        yield number, size, _object(row, f"{path} line {number}")


def _chunks(lines: Iterator[tuple[int, int, Any]]) -> Iterator[list[tuple[int, Any]]]:
    chunk: list[tuple[int, Any]] = []
    size = 0
    for number, length, row in lines:
        chunk.append((number, row))
        size += length
        if len(chunk) == _ROWS or size >= _BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _rows_of(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """(number, 0, row) of a file that is one JSON value: an array of objects, an object of arrays, a row."""
    with open_regular(path) as file:
        text = file.read()
    try:
        found = parse_json(text.removeprefix(BOM_UTF8))
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({_brief(error)}); {_CONTAINERS} would do") from error
    del text
    if isinstance(found, dict) and (columns := _columns_of(found)) is not None:
        found = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if not isinstance(found, dict | list):
        raise DataError(f"{path}: found {shown(found)}; an array of objects would do")
    for number, row in enumerate([found] if isinstance(found, dict) else found, start=1):
        yield number, 0, _object(row, f"{path} row {number}")


def _columns_of(found: dict[str, Any]) -> dict[str, list[Any]] | None:
    """The columns of an object of arrays; None if it is one row."""
    if not found or not all(isinstance(value, list) for value in found.values()):
        return None
    return found if len({len(value) for value in found.values()}) == 1 else None


def _object(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise DataError(f"{where}: found {shown(row)}; an object with the columns as keys would do")
    return row


def _brief(error: BaseException) -> str:
    text = " ".join("".join(islice(str(error), 300)).split())
    return text if len(text) <= 200 else f"{text[:200]}…"
