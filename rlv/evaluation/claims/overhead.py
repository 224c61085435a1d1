"""The claim that verification adds no significant overhead to training; it is about no data set."""

from __future__ import annotations

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.bootstrap import Estimate, paired
from rlv.evaluation.claims.evidence import Evidence
from rlv.evaluation.claims.rows import OURS, row


def overhead(evidence: Evidence) -> list[dict]:
    """Cost of a training step with the verification objective over one without: seconds, and tokens.

    Seconds are those of sampling and updating. Ratio of totals, paired by repeat and resampled over repeats;
    one repeat has no interval and decides nothing. Paper: abstract, "without significant overhead"; that this
    means at most 10 % is our bar. Raises DataError if a repeat lacks one of its two rows.
    """
    if evidence.overhead is None:
        return []
    cost = evidence.overhead.with_columns(seconds=pl.col("seconds_sample") + pl.col("seconds_update"))
    sides = {name: cost.filter(pl.col("objective") == name).sort("repeat") for name in ("rl_v", "rl")}
    repeats = sides["rl"]["repeat"].to_list()
    others = sides["rl_v"]["repeat"].to_list()
    if not repeats or repeats != others or len(set(repeats)) != len(repeats):
        raise DataError(
            f"claims: the overhead table has repeats {repeats} of 'rl' and {others} of 'rl_v'; "
            "every repeat needs one row of each"
        )
    rows = []
    for unit in ("seconds", "tokens"):
        values_PK = np.stack(
            [sides[name][unit].to_numpy().astype(np.float64) for name in ("rl_v", "rl")], axis=1
        )
        ratio = paired(values_PK, lambda m: m[..., 0] / m[..., 1], draws=evidence.draws, seed=evidence.seed)
        if len(repeats) == 1:
            ratio = Estimate(ratio.value, float("nan"), float("nan"))
        with_v, without = values_PK.mean(axis=0)
        statement = f"{unit.capitalize()} of a training step with the verification objective over one without"
        detail = (
            f"{with_v:.4g} against {without:.4g} {unit} a step, {len(repeats)} repeats on the same rollouts"
        )
        rows.append(row("overhead", statement, "no significant overhead", ratio, 1.10, OURS, detail, "below"))
    return rows
