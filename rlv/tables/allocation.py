"""What an allocation leaves (rlv/evaluation/allocation): which strategy for which problem, at what price."""

from __future__ import annotations

import polars as pl

ALLOCATION: dict[str, dict[str, pl.DataType]] = {
    # What a judge that reasons said of each solution in each of its chains; its scores are the means.
    "verdicts": {
        "problem_id": pl.String(),
        "sample_id": pl.Int32(),
        "budget": pl.Int32(),
        "draw": pl.Int32(),  # from 0
        "verdict": pl.Float64(),  # probability of Yes against No where it stands; null: the chain has none
        "n_tokens": pl.Int32(),  # of the chain, up to its verdict
        "flops": pl.Float64(),  # of generating these
        "n_tokens_read": pl.Int32(),  # problem, solution and instruction, read once for all draws
        "flops_read": pl.Float64(),
        "n_tokens_new": pl.Int32(),  # of these, what is left if sampling's keys and values are kept
        "flops_new": pl.Float64(),
    },
    # Accuracy and cost of N solutions with V verdicts each, of judges with several.
    "surface": {
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "verifier": pl.String(),
        "strategy": pl.String(),
        "n": pl.Int32(),
        "v": pl.Int32(),  # a divisor of the recorded ones: all blocks of so many are averaged
        "accuracy": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "tokens": pl.Float64(),  # mean a problem, generated and read whole
        "flops": pl.Float64(),
    },
    # Cells (a strategy, its verifier and N) and choices among them, on halves of the recorded solutions.
    "frontier": {
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "price": pl.String(),  # of reading: "whole", or "cached" if sampling's keys and values are kept
        "unit": pl.String(),  # what `cost` is: "flops", "tokens", or "solutions" if neither is known
        # "" of a cell; else how difficulty was told for the choice: "none", the same cell for all problems,
        # a name of DIFFICULTIES, or "shuffled", bins that know nothing
        "binning": pl.String(),
        "lambda": pl.Float64(),  # accuracy that a unit of cost must bring to be chosen; null of a cell
        "strategy": pl.String(),  # "" of a choice, as the verifier
        "verifier": pl.String(),
        "n": pl.Float64(),  # solutions a problem, in the mean
        "accuracy": pl.Float64(),  # of a choice: on problems that it was not made on
        "low": pl.Float64(),  # of a choice: of the accuracy at this cost, chosen anew in every resample
        "high": pl.Float64(),
        "cost": pl.Float64(),  # mean a problem, as the rest
        "tokens": pl.Float64(),
        "flops": pl.Float64(),
        "on_hull": pl.Boolean(),  # whether some price chooses this cell for all problems; null of a choice
    },
    # The cell that problems of a bin choose at a price; chosen on all problems.
    "allocation": {
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "price": pl.String(),
        "unit": pl.String(),
        "binning": pl.String(),
        "lambda": pl.Float64(),
        "bin": pl.Int32(),  # from 1, the easiest
        "hardness_low": pl.Float64(),  # in this bin: 1 - pass@1, 1 - score, or the level
        "hardness_high": pl.Float64(),
        "problems": pl.Float64(),  # mean of both halves
        "strategy": pl.String(),
        "verifier": pl.String(),
        "n": pl.Int32(),
        "accuracy": pl.Float64(),  # of the cell on the bin's problems
        "low": pl.Float64(),
        "high": pl.Float64(),
        "cost": pl.Float64(),
        "stable": pl.Float64(),  # share of resamples that choose the same strategy and verifier
    },
    # The most accurate strategy of each bin of problems, at what N of its solutions cost without reading.
    "winners": {
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "price": pl.String(),
        "unit": pl.String(),
        "binning": pl.String(),
        "bin": pl.Int32(),
        "problems": pl.Float64(),
        "n": pl.Int32(),
        "budget": pl.Float64(),
        "strategy": pl.String(),
        "verifier": pl.String(),
        "accuracy": pl.Float64(),
        "second": pl.String(),  # null: the budget affords no other
        "second_verifier": pl.String(),
        "lead": pl.Float64(),  # over the second, as the interval
        "low": pl.Float64(),
        "high": pl.Float64(),
    },
    # What one way to answer pays for the accuracy of another, over what that pays.
    "savings": {
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "price": pl.String(),
        "unit": pl.String(),
        # "over_choice": the best of N over the choice by `binning`; "over_bins": one choice for all problems
        # over that by `binning`; "over_majority": the vote over majority voting
        "what": pl.String(),
        "strategy": pl.String(),
        "verifier": pl.String(),
        "binning": pl.String(),
        "n": pl.Int32(),  # at the accuracy of so many solutions; null: the median
        "ratio": pl.Float64(),  # infinite or 0 where an accuracy is never reached
        "low": pl.Float64(),
        "high": pl.Float64(),
    },
}
