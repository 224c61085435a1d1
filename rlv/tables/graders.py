"""What a grading model leaves (rlv/graders): its verdicts, beside those of the rules, and on attacks."""

from __future__ import annotations

import polars as pl

_NAMES = {name: pl.String() for name in ("dataset", "reasoner", "grader")}

GRADED: dict[str, dict[str, pl.DataType]] = {
    "graded_by": {
        "problem_id": pl.String(),
        "sample_id": pl.Int32(),
        **_NAMES,
        "rule": pl.String(),  # "right" or "wrong", as the rules have it
        "verdict": pl.String(),  # "right", "wrong" or "invalid", that of the most probable label
        "p_right": pl.Float64(),  # of the labels, given that one of them comes next
        "p_wrong": pl.Float64(),
        "p_invalid": pl.Float64(),  # null if no label says so
    },
    # Of the solutions that the rules find right, and wrong, the share with each verdict.
    "confusion": {
        **_NAMES,
        "rule": pl.String(),
        "verdict": pl.String(),
        "solutions": pl.Int64(),
        "share": pl.Float64(),  # null if the rules find none so, as the ends of its interval over problems
        "share_low": pl.Float64(),
        "share_high": pl.Float64(),
    },
    # Of texts that are wrong by construction (rlv/attacks), the share that is called right.
    "grader_attacks": {
        **_NAMES,
        "attack": pl.String(),
        "baseline": pl.Boolean(),  # no attack, but what attacks are compared with
        "problems": pl.Int64(),
        "mean_right": pl.Float64(),  # probability
        "accepted": pl.Float64(),
        "accepted_low": pl.Float64(),
        "accepted_high": pl.Float64(),
    },
}
