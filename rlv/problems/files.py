"""Rows of a local file: JSON Lines or Parquet.

Left out on purpose: CSV, which lacks types and has several kinds of line breaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv import tables
from rlv.errors import DataError, StudyError
from rlv.outside.files import json_lines
from rlv.problems.table import shown
from rlv.study.paths import expand

if TYPE_CHECKING:
    from rlv.study.types import Dataset

_JSON_LINES = (".jsonl", ".json", ".ndjson")


def data_path(name: str, dataset: Dataset) -> Path | None:
    """The file of a study's data set, its environment variables filled in; None if it has none.

    Raises StudyError, naming the key, if a variable is not set or there is no such file.
    """
    if dataset.path is None:
        return None
    key = f"datasets.{name}.path"
    path = expand(dataset.path, key)
    if not path.is_file():
        raise StudyError(f"{key}: no file {path}")
    return path


def file_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, row) of every row of a file; `where` names the file and the line (blank ones count) or row.

    Raises DataError if the file is missing, is of another kind, or has a line that is no JSON object.
    """
    if path.suffix not in (*_JSON_LINES, ".parquet"):
        raise DataError(
            f"{path}: found {path.suffix or 'no suffix'}; {', '.join(_JSON_LINES)} or .parquet would do"
        )
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    yield from _parquet(path) if path.suffix == ".parquet" else _json_lines(path)


def _parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        frame = tables.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({error})") from error
    for number, row in enumerate(frame.iter_rows(named=True), start=1):
        yield f"{path} row {number}", row


def _json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, _, row in json_lines(path):
        where = f"{path} line {number}"
        if not isinstance(row, dict):
            raise DataError(f"{where}: found {shown(row)}; one object a line would do")
        yield where, row
