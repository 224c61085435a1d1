"""Tables of first errors: exact labels of steps, and whether verifiers name the first wrong one."""

from __future__ import annotations

import polars as pl

FIRST_ERRORS: dict[str, dict[str, pl.DataType]] = {
    # The first wrong step of each solution, from whoever knows.
    "step_labels": {
        "problem_id": pl.String(),
        "sample_id": pl.Int32(),
        "budget": pl.Int32(),
        "steps": pl.Int32(),  # how many the solution has
        "first_wrong": pl.Int32(),  # from 0; -1: none is wrong
        "kind": pl.String(),  # of the error; null: none, or nobody says
    },
    # Whether verifiers name the first wrong step (rlv/evaluation/first_errors.py).
    "first_errors": {
        "dataset": pl.String(),
        "reasoner": pl.String(),  # that wrote the solutions
        "verifier": pl.String(),  # "" of what reads nothing
        # "fixed": below 1/2; "tuned": below a threshold from training problems; "never", always no step;
        # "first", always the first; "chance", no step at the best rate, else any
        "rule": pl.String(),
        "threshold": pl.Float64(),  # null if nothing is read
        "kind": pl.String(),  # "all", or solutions whose first error is of this kind, beside those without
        "wrong": pl.Int64(),  # solutions with an error
        "right": pl.Int64(),  # without
        "accuracy_wrong": pl.Float64(),  # share whose first wrong step is named; null: there is none
        "accuracy_wrong_low": pl.Float64(),
        "accuracy_wrong_high": pl.Float64(),
        "accuracy_right": pl.Float64(),  # share of which no step is named
        "accuracy_right_low": pl.Float64(),
        "accuracy_right_high": pl.Float64(),
        "f1": pl.Float64(),  # harmonic mean of both
        "f1_low": pl.Float64(),
        "f1_high": pl.Float64(),
    },
    # The same before averaging over problems, all kinds together.
    "first_errors_per_problem": {
        "problem_id": pl.String(),
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "verifier": pl.String(),
        "rule": pl.String(),
        "wrong": pl.Float64(),  # solutions with an error
        "found": pl.Float64(),  # of those, first wrong steps that are named; in expectation by chance
        "right": pl.Float64(),
        "kept": pl.Float64(),
    },
}
