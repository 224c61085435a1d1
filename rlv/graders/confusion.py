"""A grader's verdicts beside those of the rules, and how often it accepts what is wrong by construction."""

from __future__ import annotations

import numpy as np
import polars as pl

from rlv import tables
from rlv.evaluation.bootstrap import Estimate, Floats, mean, paired
from rlv.graders.grader import RIGHT, VERDICTS, WRONG


def confusion(graded: pl.DataFrame, *, draws: int = 1000, seed: int = 0) -> pl.DataFrame:
    """The table `confusion` of one grader: of solutions that the rules find right or wrong, its verdicts.

    `graded`: a table "graded_by". Intervals are over problems. A class without solutions has null shares.
    """
    one = graded.row(0, named=True)
    named = {name: one[name] for name in ("dataset", "reasoner", "grader")}
    rows = []
    for rule in (RIGHT, WRONG):
        of_rule = pl.col("rule") == rule
        for verdict in VERDICTS:
            both = of_rule & (pl.col("verdict") == verdict)
            counts = graded.group_by("problem_id").agg(both.sum().alias("both"), of_rule.sum().alias("of"))
            counts_P2 = counts.sort("problem_id").drop("problem_id").to_numpy().astype(np.float64)
            found = _share(counts_P2, draws, seed)
            numbers = [None if np.isnan(end) else end for end in (found.value, found.low, found.high)]
            row = named | {"rule": rule, "verdict": verdict, "solutions": int(counts_P2[:, 0].sum())}
            rows.append(row | dict(zip(("share", "share_low", "share_high"), numbers, strict=True)))
    return tables.frame("confusion", rows)


def accepted(attacked: pl.DataFrame, *, draws: int = 1000, seed: int = 0) -> pl.DataFrame:
    """The table `grader_attacks` of one grader, in the order of the attacks.

    `attacked`: a row an attack and problem, with the columns dataset, reasoner, grader, attack, baseline,
    problem_id, verdict, right (the probability of that verdict).
    """
    rows = []
    for part in attacked.partition_by("attack", maintain_order=True):
        ordered = part.sort("problem_id")
        one = ordered.row(0, named=True)
        found = mean((ordered["verdict"] == RIGHT).to_numpy(), draws, seed)
        row = {name: one[name] for name in ("dataset", "reasoner", "grader", "attack", "baseline")}
        row |= {"problems": len(part), "mean_right": float(np.mean(ordered["right"].to_numpy()))}
        rows.append(row | {"accepted": found.value, "accepted_low": found.low, "accepted_high": found.high})
    return tables.frame("grader_attacks", rows)


def _share(counts_P2: Floats, draws: int, seed: int) -> Estimate:
    if not counts_P2[:, 1].any():
        return Estimate(np.nan, np.nan, np.nan)
    return paired(counts_P2, lambda means: means[..., 0] / means[..., 1], draws=draws, seed=seed)
