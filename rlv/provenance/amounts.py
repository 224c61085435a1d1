"""By how much two files of one name differ: rows and columns of tables, weights, lines of text.

Numbers are compared one by one, in the order in which they stand, without measurements (measured.py). Nothing
counts as near enough: the reader gets the largest difference and decides. Of a picture its CSV is compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from rlv import tables
from rlv.errors import ModelError
from rlv.models.headers import read_header
from rlv.outside.files import parse_json
from rlv.provenance.measured import without_measurements

# What a tensor's numbers are read as; bfloat16 is the upper half of a float32.
_TENSORS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4"}


def amount(old: Path, new: Path) -> str:
    """In words, by how much two files with different bytes differ; "" if only their bytes do.

    A file that cannot be read as its name promises is compared as bytes.
    """
    compare = _KINDS.get(old.suffix, _bytes)
    try:
        return compare(old, new)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, ModelError, pl.exceptions.PolarsError):
        return _bytes(old, new)


def table_amount(old: pl.DataFrame, new: pl.DataFrame) -> str:
    """By how much two tables differ: in rows and columns, else each column's rows and largest difference."""
    if old.columns != new.columns:
        gone = [c for c in old.columns if c not in new.columns]
        come = [c for c in new.columns if c not in old.columns]
        return f"columns {gone} are gone and {come} are new" if gone or come else "columns in another order"
    if old.height != new.height:
        return f"{new.height} rows, there were {old.height}"
    return "; ".join(_columns(old, new))


def _columns(old: pl.DataFrame, new: pl.DataFrame) -> Iterator[str]:
    for name in old.columns:
        x, y = old[name], new[name]
        if x.dtype != y.dtype:
            yield f"{name} is {y.dtype}, it was {x.dtype}"
            continue
        differ = ~x.eq_missing(y)
        if not differ.any():
            continue
        line = f"{name} in {differ.sum()} of {old.height} rows"
        if x.dtype.is_numeric():
            gaps = (x.cast(pl.Float64) - y.cast(pl.Float64)).abs().drop_nulls()
            line += f", by up to {gaps.max():.3g}" if len(gaps) else ""
        yield line


def _parquet(old: Path, new: Path) -> str:
    return table_amount(*(without_measurements(tables.read_parquet(path), path.stem) for path in (old, new)))


def _csv(old: Path, new: Path) -> str:
    frames = [tables.read_csv(path, infer_schema_length=None) for path in (old, new)]
    if old.stem == "claims":
        frames = [without_measurements(frame, "claims") for frame in frames]
    return table_amount(*frames)


def _json(old: Path, new: Path) -> str:
    x, y = (parse_json(path.read_bytes()) for path in (old, new))
    if isinstance(x, list) and old.stem == "claims":
        return table_amount(*(without_measurements(pl.DataFrame(rows), "claims") for rows in (x, y)))
    if isinstance(x, dict) and isinstance(y, dict):
        return ", ".join(key for key in {**x, **y} if x.get(key) != y.get(key))
    return "" if x == y else "other content"


def _text(old: Path, new: Path) -> str:
    x, y = (path.read_text(encoding="utf-8").splitlines() for path in (old, new))
    differ = sum(a != b for a, b in zip(x, y, strict=False)) + abs(len(x) - len(y))
    return f"{differ} of {max(len(x), len(y))} lines"


def _bytes(old: Path, new: Path) -> str:
    return f"{new.stat().st_size:,} bytes, there were {old.stat().st_size:,}, and not the same"


def _weights(old: Path, new: Path) -> str:
    x, y = _tensors(old), _tensors(new)
    if {n: (k, v.shape) for n, (k, v) in x.items()} != {n: (k, v.shape) for n, (k, v) in y.items()}:
        return "other tensors, types or shapes"
    differ, largest, where = 0, 0.0, ""
    for name, (_, before) in x.items():
        after = y[name][1]
        if not np.array_equal(before, after, equal_nan=True):
            differ += 1
            gap = float(np.nanmax(np.abs(after.astype(np.float64) - before.astype(np.float64))))
            if gap >= largest:
                largest, where = gap, name
    return f"{differ} of {len(x)} tensors, by up to {largest:.3g} ({where})" if differ else ""


def _tensors(path: Path) -> dict[str, tuple[str, np.ndarray]]:
    """Tensors of a safetensors file with their types, as views of the file."""
    header = read_header(path)
    data = np.memmap(path, dtype=np.uint8, mode="r")
    found = {}
    for name, tensor in header.items():
        values = data[tensor.start : tensor.stop].view(_TENSORS[tensor.dtype])
        if tensor.dtype == "BF16":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        found[name] = (tensor.dtype, values.reshape(tensor.shape))
    return found


_KINDS = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".json": _json,
    ".safetensors": _weights,
    **dict.fromkeys((".html", ".md", ".rst", ".tex", ".txt", ".jinja"), _text),
}
