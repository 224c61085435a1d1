"""The tables that stages hand to each other: their columns are a contract, checked on write and read.

One schema a table, Parquet through polars. A column's meaning stands beside it; some tables of one stage have
a module of their own here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import polars as pl

from rlv.errors import DataError
from rlv.tables.allocation import ALLOCATION
from rlv.tables.attacks import ATTACKS
from rlv.tables.first_errors import FIRST_ERRORS
from rlv.tables.graders import GRADED
from rlv.tables.stopping import STOPPING
from rlv.tables.training import TRAINING

SCHEMAS: dict[str, dict[str, pl.DataType]] = {
    "problems": {
        "problem_id": pl.String(),
        "question": pl.String(),
        "answer": pl.String(),
        "level": pl.Int32(),  # null if the data set has no levels
        "subject": pl.String(),  # null if the data set has no subjects
    },
    # Problems that a data set that is evaluated on shares with one that is trained on; one row a pair.
    "overlap": {
        "trained_id": pl.String(),
        "evaluated_id": pl.String(),
        "equal": pl.Boolean(),  # the same normalised text
        "ngrams": pl.Int32(),  # distinct 13-grams of words that both have
        "share": pl.Float64(),  # ngrams over those of the evaluated problem; null if it has none
    },
    # What an engine produced, before it was judged; one table a shard. Of solutions that others sampled only
    # ids, text and budget are sure: the rest is null if their files do not say it.
    "samples": {
        "problem_id": pl.String(),
        "sample_id": pl.Int32(),
        "budget": pl.Int32(),  # tokens that this solution was allowed; 0: of solutions that others sampled
        "text": pl.String(),
        "token_ids": pl.List(pl.Int32()),  # the solution's tokens, its end token included
        "n_prompt_tokens": pl.Int32(),  # x, shared by all solutions of the problem
        "n_tokens": pl.Int32(),  # generated: with a forced answer also what was cut off
        "flops": pl.Float64(),  # of generating n_tokens (rlv/models/flops.py)
        "finish_reason": pl.String(),  # "stop", "length", or "forced": cut at its budget, answer forced
        # ln π of each of token_ids, in nats, at temperature 1; null for a solution whose answer was forced:
        # no model has said how probable the words around it are
        "token_logprobs": pl.List(pl.Float32()),
        # the mean over token_ids of KL(uniform || p_t) = -1/V Σ_a ln(V p_t(a)), over the model's whole
        # vocabulary, at temperature 1; null where the answer was forced, or the engine is vLLM
        "self_certainty": pl.Float32(),
    },
    # What the files of others state of the solutions in the table "samples" beside this one.
    "given": {
        "problem_id": pl.String(),
        "sample_id": pl.Int32(),
        "answer": pl.String(),  # null: none is stated
        "correct": pl.Boolean(),  # null: they do not say
    },
    "given_scores": {
        "problem_id": pl.String(),
        "sample_id": pl.Int32(),
        "verifier": pl.String(),
        "score": pl.Float64(),  # in [0, 1]
        # of the solution's steps, as the file has them, from which it was made; null: of none
        "steps": pl.List(pl.Float64()),
    },
    # The samples of one reasoner on one data set, graded.
    "solutions": {
        "problem_id": pl.String(),
        "sample_id": pl.Int32(),
        "budget": pl.Int32(),
        "text": pl.String(),
        "n_prompt_tokens": pl.Int32(),
        "n_tokens": pl.Int32(),
        "flops": pl.Float64(),
        "finish_reason": pl.String(),
        "answer": pl.String(),  # null: no answer, casts no vote
        "answer_class": pl.Int32(),  # equivalence class within the problem; null: casts no vote
        "correct": pl.Boolean(),
    },
    "scores": {
        "problem_id": pl.String(),
        "sample_id": pl.Int32(),
        "budget": pl.Int32(),
        "score": pl.Float64(),  # in [0, 1]
        "n_tokens_read": pl.Int32(),  # by the verifier, tokens of chains that it generated itself included
        "flops": pl.Float64(),  # of reading and generating them
        # of n_tokens_read, what is left if the keys and values that sampling computed are kept: all of them
        # unless the verifier is the very reasoner that wrote the solution; null: nobody knows
        "n_tokens_new": pl.Int32(),
        "flops_new": pl.Float64(),  # of reading and generating those
    },
    # What a verifier read along each solution, before it became one score (rlv/scoring/aggregations.py).
    "traces": {
        "problem_id": pl.String(),
        "sample_id": pl.Int32(),
        "budget": pl.Int32(),
        # tokens of the solution before each value, ascending; null: of steps that others scored
        "places": pl.List(pl.Int32()),
        "values": pl.List(pl.Float64()),  # in [0, 1]
        "n_tokens_read": pl.Int32(),  # for all values together
        "flops": pl.Float64(),
        "n_tokens_new": pl.Int32(),  # as in "scores"
        "flops_new": pl.Float64(),
    },
    # Accuracy against N with 95 % intervals over problems.
    "curves": {
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "verifier": pl.String(),  # "" for strategies that need no score
        "strategy": pl.String(),
        "n": pl.Int32(),
        "budget": pl.Int32(),
        "accuracy": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "tokens": pl.Float64(),  # mean tokens a problem at this n: generated + read by the verifier
        "flops": pl.Float64(),  # the same in FLOPs
        "tokens_new": pl.Float64(),  # as tokens, of the read ones n_tokens_new; null: not known
        "flops_new": pl.Float64(),
        # share of all recorded solutions at this budget that ran into its end: finish_reason "length"
        "unfinished": pl.Float64(),
    },
    # The same before averaging over problems, so that two methods can be compared problem by problem.
    "per_problem": {
        "problem_id": pl.String(),
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "verifier": pl.String(),
        "strategy": pl.String(),
        "n": pl.Int32(),
        "budget": pl.Int32(),
        "accuracy": pl.Float64(),
        "tokens": pl.Float64(),  # n times the problem's mean a solution
        "flops": pl.Float64(),
        "tokens_new": pl.Float64(),  # as in "curves"
        "flops_new": pl.Float64(),
    },
    # How good the scores are as a classifier of correctness.
    "verification": {
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "verifier": pl.String(),
        "budget": pl.Int32(),
        "over": pl.String(),  # which solutions count: "all", or "answered", those that cast a vote
        "metric": pl.String(),  # balanced_accuracy, auroc, within_auroc, ...
        "value": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
    },
    # Votes whose number was chosen on training problems: which one `strategy` stands for here.
    "fitted": {
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "verifier": pl.String(),
        "strategy": pl.String(),  # "softmax:fit"
        "vote": pl.String(),  # "softmax:0.1"
    },
    # Whether two members of a panel err together (rlv/evaluation/agreement.py).
    "members": {
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "verifier": pl.String(),  # the panel
        "budget": pl.Int32(),
        "member": pl.String(),
        "other": pl.String(),
        "correlation": pl.Float64(),  # of their errors; null if one of them never errs
        "low": pl.Float64(),
        "high": pl.Float64(),
    },
    # How many solutions cast no vote, having no answer.
    "answered": {
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "budget": pl.Int32(),
        "solutions": pl.Int64(),
        "without_vote": pl.Int64(),
        "never_voting": pl.Int64(),  # of those, without a vote at every budget
        "problems": pl.Int64(),
        "unanswered": pl.Int64(),  # problems without a single vote
    },
    # Whether a score is the chance of being right: solutions in bins of their score.
    "reliability": {
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "verifier": pl.String(),
        "budget": pl.Int32(),
        "bin_low": pl.Float64(),
        "bin_high": pl.Float64(),
        "solutions": pl.Int64(),
        "mean_score": pl.Float64(),  # null in an empty bin, as the rest
        "fraction_correct": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
    },
    # The budget raised problem by problem until the verifier is confident in the voted answer.
    "selection": {
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "verifier": pl.String(),
        "n": pl.Int32(),
        "threshold": pl.Float64(),
        "accuracy": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "length": pl.Float64(),  # mean generated tokens a solution, at the budget where its problem stopped
        "length_low": pl.Float64(),
        "length_high": pl.Float64(),
        "tokens": pl.Float64(),  # mean tokens a problem: generated and read at every budget it went through
        "flops": pl.Float64(),
        "confident": pl.Float64(),  # fraction of problems that passed the threshold at some budget
    },
    # The same before averaging over problems.
    "selection_per_problem": {
        "problem_id": pl.String(),
        "dataset": pl.String(),
        "reasoner": pl.String(),
        "verifier": pl.String(),
        "n": pl.Int32(),
        "threshold": pl.Float64(),
        "accuracy": pl.Float64(),
        "length": pl.Float64(),
        "tokens": pl.Float64(),
        "flops": pl.Float64(),
        "confident": pl.Float64(),
    },
    "claims": {
        "id": pl.String(),
        "statement": pl.String(),
        "paper": pl.String(),  # what the paper states of it, or another one, by its authors
        "ours": pl.Float64(),  # null: undefined
        "low": pl.Float64(),
        "high": pl.Float64(),  # null beside a low: unbounded
        "bar": pl.Float64(),
        "bar_from": pl.String(),  # "paper" or "ours"
        "verdict": pl.String(),  # (not) reproduced: the paper's bar; holds, does not hold: ours; undecided
        "detail": pl.String(),
        # the study's prediction and whether `ours` lies in it, "20 to 35: hit"; null: none for this row
        "predicted": pl.String(),
        # the comparison and the data set that it is about; "" if it is about none
        "method": pl.String(),
        "dataset": pl.String(),
    },
    **TRAINING,
    **ALLOCATION,
    **STOPPING,
    **FIRST_ERRORS,
    **ATTACKS,
    **GRADED,
}


# The columns of "solutions" but the text, which takes most of the table and which only some readers need.
WITHOUT_TEXT = tuple(column for column in SCHEMAS["solutions"] if column != "text")
# Tables that an evaluation (or an allocation) leaves only if it is made with these parameters.
LEFT_WITH = {
    **dict.fromkeys(("verification", "reliability"), ("verifier",)),
    "fitted": ("verifier", "fitted"),
    "members": ("verifier", "members"),
    **dict.fromkeys(("selection", "selection_per_problem"), ("verifier", "thresholds")),
    "surface": ("chains",),
}
# Columns younger than tables that stores hold: if a table that is read lacks them, they are null.
YOUNG = {
    "steps": ("policy_grad_norm", "verification_grad_norm"),
    "samples": ("token_logprobs", "self_certainty"),
    "scores": ("n_tokens_new", "flops_new"),
    "curves": ("unfinished", "tokens_new", "flops_new"),
    "per_problem": ("tokens_new", "flops_new"),
    "claims": ("predicted", "method", "dataset"),
}


def leaves(params: Mapping[str, Any], table: str) -> bool:
    """Whether an evaluation with these parameters leaves a table."""
    return all(params.get(name) for name in LEFT_WITH.get(table, ()))


def read_parquet(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """One Parquet file: `*`, `?` and `[` in a path are parts of names, not patterns."""
    return pl.read_parquet(path, columns=columns, glob=False)


def parquet_schema(file: IO[bytes]) -> dict[str, pl.DataType]:
    """Names and types of the columns of an open Parquet file, from its footer."""
    return pl.read_parquet_schema(file)


def read_csv(path: Path, **how: Any) -> pl.DataFrame:
    """One CSV file, named as `read_parquet` does; `how`: as for `polars.read_csv`."""
    return pl.read_csv(path, glob=False, **how)


def check(frame: pl.DataFrame, table: str, where: str) -> pl.DataFrame:
    """The frame with exactly the table's columns, in order; DataError names the column that differs."""
    _check_schema(frame.schema, table, where)
    return frame.select(list(SCHEMAS[table]))


def _check_schema(found: Mapping[str, pl.DataType], table: str, where: str) -> None:
    schema = SCHEMAS[table]
    missing = [c for c in schema if c not in found]
    extra = [c for c in found if c not in schema]
    if missing or extra:
        raise DataError(f"{where}: a {table} table lacks columns {missing} and has unknown columns {extra}")
    for column, wanted in schema.items():
        if found[column] != wanted:
            raise DataError(
                f"{where}: column {column!r} of a {table} table is {found[column]}, it should be {wanted}"
            )


def frame(table: str, rows: list[dict] | dict[str, list]) -> pl.DataFrame:
    """Rows (or columns) as a frame with the table's own types; young columns that are left out are null."""
    if isinstance(rows, dict) and rows:
        absent = [None] * len(next(iter(rows.values())))
        rows = dict.fromkeys(YOUNG.get(table, ()), absent) | rows
    return pl.DataFrame(rows, schema=SCHEMAS[table])


def write(data: pl.DataFrame, path: Path, table: str) -> None:
    """Write one table, checked. Raises DataError if columns break the contract, OSError for the disk."""
    sound = check(data, table, str(path))
    try:
        sound.write_parquet(path, compression="zstd")
    except pl.exceptions.ComputeError as error:
        # The system's own errors come as text.
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def read(path: Path, table: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """Read one table, checked: all of it, or some `columns`, in this order.

    Raises DataError if the file is no such table, in whatever column: names and types of all of them stand
    in its footer. Raises ValueError if the table has no such column.
    """
    wanted = list(SCHEMAS[table] if columns is None else columns)
    unknown = [c for c in wanted if c not in SCHEMAS[table]]
    if unknown:
        raise ValueError(f"a {table} table has no columns {unknown}")
    try:
        with open(path, "rb") as file:
            schema = parquet_schema(file)
        young = [c for c in YOUNG.get(table, ()) if c not in schema]
        _check_schema({**schema, **{c: SCHEMAS[table][c] for c in young}}, table, str(path))
        # One column at least, which has the number of rows.
        there = [c for c in wanted if c not in young] or [next(iter(schema))]
        found = read_parquet(path, columns=there)
        nulls = [pl.lit(None, SCHEMAS[table][c]).alias(c) for c in young]
        return found.with_columns(nulls).select(wanted)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path}: not a readable {table} table ({error})") from error
