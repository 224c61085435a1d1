"""Measurements in an artifact's files: seconds, and what is computed from them. No second run repeats them.

Everything else in these files follows from the artifact's key, its code and its device. So a file that holds
measurements has a second digest, of all of it but for those, and two runs agree if these digests do. There is
no tolerance (amounts.py has the size of a difference).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from rlv import tables
from rlv.errors import DataError
from rlv.outside.files import parse_json
from rlv.run.stages import STAGES

# Columns that hold seconds, by the table's name.
MEASURED_COLUMNS = {
    "steps": ("seconds_sample", "seconds_update"),
    "overhead": ("seconds_sample", "seconds_update"),
}
# The claims that are computed from them: the row of `overhead` that compares seconds (evaluation/claims).
MEASURED_CLAIM = ("overhead", "Seconds ")


def is_measured_claim(row: dict[str, Any]) -> bool:
    """Whether a row of the scoreboard is computed from seconds."""
    return row["id"] == MEASURED_CLAIM[0] and str(row["statement"]).startswith(MEASURED_CLAIM[1])


def lasting(stage: str, name: str, path: Path) -> str | None:
    """SHA-256 in hex of a file without its measurements; None if it contains none.

    `stage` and `name` are the artifact's stage and the file's name in it. Tables are compared by their
    values, so another version of the library that wrote them changes nothing. Raises DataError if a file
    of that name is no such file of this stage.
    """
    if stage not in STAGES or name not in STAGES[stage].measured:
        return None
    try:
        content = _READERS[path.suffix](path)
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: not the {name} of the stage {stage} ({error})") from error
    return hashlib.sha256(content.encode()).hexdigest()


def describe(name: str) -> str:
    """The measurements in a file that contains some, in words."""
    columns = MEASURED_COLUMNS.get(Path(name).stem)
    return ", ".join(columns) if columns else "the claim of seconds"


def without_measurements(frame: pl.DataFrame, table: str) -> pl.DataFrame:
    """A table without its measured columns and measured claims."""
    if table == "claims":
        kept = [not is_measured_claim(row) for row in frame.iter_rows(named=True)]
        return frame.filter(pl.Series(kept, dtype=pl.Boolean))
    return frame.drop(MEASURED_COLUMNS.get(table, ()), strict=False)


def _parquet(path: Path) -> str:
    return _text(without_measurements(tables.read_parquet(path), path.stem))


def _csv(path: Path) -> str:
    # As text, so that values are compared as they were written.
    return _text(without_measurements(tables.read_csv(path, infer_schema=False), "claims"))


def _text(frame: pl.DataFrame) -> str:
    """Columns, types and rows; floats by their shortest spelling, so that equal text is equal values."""
    return repr([(name, str(kind)) for name, kind in frame.schema.items()]) + repr(frame.rows())


def _json(path: Path) -> str:
    rows = parse_json(path.read_bytes())
    return json.dumps([row for row in rows if not is_measured_claim(row)], sort_keys=True)


def _page(path: Path) -> str:
    """A page has one line a claim, which begins with the statement (evaluation/claims/page.py)."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith(f"<tr><td>{MEASURED_CLAIM[1]}"))


_READERS: dict[str, Callable[[Path], str]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".json": _json,
    ".html": _page,
}
