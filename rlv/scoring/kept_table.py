"""A "samples" table scored by what sampling kept of its solutions. Loads no model, and no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from rlv import tables
from rlv.errors import DataError
from rlv.scoring.kept import COLUMNS, Column, Kept, confidence_by


def sharpened(kept: Kept, sharpness: float) -> Kept:
    """The confidence u ** sharpness: votes weigh differences between sure solutions by more above 1."""

    def power(token_ids: Sequence[int], *known: Any) -> float:
        return kept(token_ids, *known) ** sharpness

    return power


def kept_table(kept: Kept, needs: Column | None, samples: pl.DataFrame) -> pl.DataFrame:
    """The "scores" table of a "samples" table (its COLUMNS), row for row: nothing is read, at no cost.

    Raises DataError, naming the first row, if it lacks the column that `kept` needs, has no tokens, or gets
    a score that is not in [0, 1].
    """
    scores = []
    for problem_id, sample_id, budget, *known in samples.select(COLUMNS).iter_rows():
        row = f"samples: problem {problem_id!r}, sample {sample_id}, budget {budget}"
        try:
            score = confidence_by(kept, needs, *known)
        except DataError as error:
            raise DataError(f"{row}: {error}") from error
        if not 0 <= score <= 1:
            raise DataError(f"{row}: its score is {score}; it must be in [0, 1]")
        scores.append(score)
    return tables.frame(
        "scores",
        {
            **{c: samples[c].to_list() for c in ("problem_id", "sample_id", "budget")},
            "score": scores,
            "n_tokens_read": [0] * len(scores),
            "flops": [0.0] * len(scores),
            "n_tokens_new": [0] * len(scores),
            "flops_new": [0.0] * len(scores),
        },
    )
