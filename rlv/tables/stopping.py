"""What replays of stopping rules leave (rlv/evaluation/stopping)."""

from __future__ import annotations

import polars as pl

STOPPING: dict[str, dict[str, pl.DataType]] = {
    # Stopping rules replayed along random orders of the recorded solutions.
    "adaptive": {
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "verifier": pl.String(),  # "" if neither the rule nor its vote reads scores
        "rule": pl.String(),  # "fixed:8", "beta:0.95", ...; or a prune, "group_below:10"
        # by which the answer is taken where the rule stops; of prunes "lowest_window"
        "vote": pl.String(),
        "n_max": pl.Int32(),  # where it stops in any case; of a prune how many solutions are begun
        "budget": pl.Int32(),
        "accuracy": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "samples": pl.Float64(),  # mean solutions drawn a problem
        "tokens": pl.Float64(),  # mean a problem: generated, and read of all drawn if scores are read
        "flops": pl.Float64(),
        "tokens_new": pl.Float64(),  # if sampling's keys and values are kept for reading; null: not known
        "flops_new": pl.Float64(),
        "rounds": pl.Float64(),  # mean batches of solutions that are drawn one after the other
        "fitted": pl.String(),  # what the rule takes from which problems, besides its name; "": nothing
    },
    # The same before averaging over problems.
    "adaptive_per_problem": {
        "problem_id": pl.String(),
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "verifier": pl.String(),
        "rule": pl.String(),
        "vote": pl.String(),
        "n_max": pl.Int32(),
        "budget": pl.Int32(),
        "accuracy": pl.Float64(),
        "samples": pl.Float64(),
        "tokens": pl.Float64(),
        "flops": pl.Float64(),
        "tokens_new": pl.Float64(),
        "flops_new": pl.Float64(),
        "rounds": pl.Float64(),
    },
}
