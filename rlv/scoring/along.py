"""From traces to scores, without a model: one aggregation of the values of every solution.

scores = aggregated(traces, AGGREGATIONS["min"], where="…")
"""

from __future__ import annotations

import numpy as np
import polars as pl

from rlv import tables
from rlv.errors import DataError
from rlv.scoring.aggregations import Aggregation

KEY = ["problem_id", "sample_id", "budget"]
# Solutions that are aggregated at a time: of tokens there may be thousands of places.
_ROWS = 4096


def padded(values: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Lists of numbers as values_BK, padded with 0, and exists_BK."""
    sizes_B = values.list.len().to_numpy()
    exists_BK = np.arange(int(sizes_B.max()) if len(sizes_B) else 0) < sizes_B[:, None]
    values_BK = np.zeros(exists_BK.shape)
    values_BK[exists_BK] = values.filter(values.list.len() > 0).explode().to_numpy()
    return values_BK, exists_BK


def aggregated(traces: pl.DataFrame, aggregation: Aggregation, where: str) -> pl.DataFrame:
    """The "scores" table of a "traces" table, row for row; what it costs is what the trace costs.

    `where` names the table in messages. Raises DataError, naming the first row, for values outside [0, 1].
    """
    check_values(traces, where)
    parts = [
        aggregation.compute(*padded(traces["values"][start : start + _ROWS]))
        for start in range(0, len(traces), _ROWS)
    ]
    scores = pl.Series("score", np.concatenate([np.empty(0), *parts]))
    return traces.with_columns(scores).select(list(tables.SCHEMAS["scores"]))


def check_values(traces: pl.DataFrame, where: str) -> None:
    """Raises DataError, naming the first row, for values that are null, no number, or outside [0, 1]."""
    values = pl.col("values").list
    sound = values.eval(pl.element().is_between(0.0, 1.0).fill_null(False)).list.all()
    wrong = traces.filter(pl.col("values").is_null() | ~sound)
    if wrong.is_empty():
        return
    problem, sample, found = wrong.select("problem_id", "sample_id", "values").row(0)
    shown = "none" if found is None else next(x for x in found if x is None or not 0 <= x <= 1)
    raise DataError(
        f"{where}: problem {problem!r}, sample {sample}: a value along the solution is {shown}, expected "
        f"probabilities in [0, 1]; {len(wrong)} such rows; use a verifier whose numbers of steps are such"
    )
