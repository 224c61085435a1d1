"""Does a verifier know where a solution goes wrong? ProcessBench's question, of any table of step labels.

    rows, by_problem = first_errors(labels, {"unified": traces}, {"unified": 0.31}, dataset=…, reasoner=…)

A verifier that was read at the end of every step names the first one whose value is below a threshold, or no
step. On solutions with an error it must name the very first wrong step, on the others none, and F1 is the
harmonic mean of the two shares (Zheng et al. 2024, arXiv 2412.06559): 0 if both are 0. A threshold of 1/2
means little at steps that a verifier was never trained on, so that of each is chosen on training problems,
too. What it is compared with: always no step, always the first step (both have F1 0), and `chance`, which
names no step at the best rate and otherwise any of them. Intervals are over problems.

Labels are a table "step_labels" (rlv/tables.py), one row a solution: those of the mini tasks are exact
(rlv/mini/labels.py); for others any such table does, as of ProcessBench's or PRM800K's files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.bootstrap import Floats, all_and_resamples, interval
from rlv.evaluation.recorded import KEY
from rlv.scoring.along import padded

NO_STEP = -1
FIXED, TUNED, NEVER, FIRST, CHANCE = "fixed", "tuned", "never", "first", "chance"
BASELINES = (NEVER, FIRST, CHANCE)
HALF = 0.5
# All kinds of errors together.
ALL = "all"
# Thresholds that are tried on training problems: quantiles of the values there.
_CANDIDATES = 201


@dataclass(frozen=True)
class Labelled:
    """B solutions: number of the problem, of the steps, the first wrong one (NO_STEP: none), and its kind."""

    problem_ids: list[str]
    problem_B: NDArray[np.int64]
    steps_B: NDArray[np.int64]
    first_B: NDArray[np.int64]
    kind_B: NDArray[np.str_]


def labelled(labels: pl.DataFrame) -> Labelled:
    """A "step_labels" table as arrays, in its order."""
    ids = labels["problem_id"].unique().sort()
    number = pl.DataFrame({"problem_id": ids, "number": np.arange(len(ids))})
    problem_B = labels.join(number, "problem_id", "left", maintain_order="left")["number"].to_numpy()
    return Labelled(
        ids.to_list(),
        problem_B.astype(np.int64),
        labels["steps"].to_numpy().astype(np.int64),
        labels["first_wrong"].to_numpy().astype(np.int64),
        labels["kind"].fill_null("").to_numpy().astype(np.str_),
    )


def values_beside(labels: pl.DataFrame, traces: pl.DataFrame, where: str) -> tuple[Floats, NDArray[np.bool_]]:
    """Values at the steps of the labelled solutions, in the labels' order: values_BK and which exist.

    Rows of `traces` without a label are left out. Raises DataError, naming the first row, for a label without
    a trace, and for a trace of another number of places than the solution has steps.
    """
    found = labels.join(traces.select(*KEY, "values"), KEY, "left", maintain_order="left")
    sizes = pl.col("values").list.len()
    for wrong, said in (
        (pl.col("values").is_null(), "is not read by the verifier"),
        (sizes != pl.col("steps"), "was read at another number of places than it has steps"),
    ):
        rows = found.filter(wrong)
        if len(rows):
            problem, sample, steps = rows.select("problem_id", "sample_id", "steps").row(0)
            raise DataError(
                f"{where}: problem {problem!r}, sample {sample} ({steps} steps) {said}; {len(rows)} such "
                "rows; read it at `steps`, with the step rule of the labels"
            )
    return padded(found["values"])


def first_below(values_BK: Floats, exists_BK: NDArray[np.bool_], threshold: float) -> NDArray[np.int64]:
    """The first place of each row with a value below the threshold; NO_STEP if there is none."""
    below_BK = (values_BK < threshold) & exists_BK
    return np.where(below_BK.any(axis=1), below_BK.argmax(axis=1) if below_BK.size else 0, NO_STEP)


def harmonic(first: ArrayLike, second: ArrayLike) -> Floats:
    """The harmonic mean; 0 if both are 0, NaN if one is NaN."""
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    both = first + second
    return np.divide(2 * first * second, both, out=np.where(np.isnan(both), np.nan, 0.0), where=both > 0)


def best_threshold(labels: pl.DataFrame, traces: pl.DataFrame, where: str) -> float:
    """The threshold with the highest F1, of equals the one nearest to 1/2: for training problems."""
    known = labelled(labels)
    values_BK, exists_BK = values_beside(labels, traces, where)
    tried = np.unique(np.append(np.quantile(values_BK[exists_BK], np.linspace(0, 1, _CANDIDATES)), HALF))
    wrong_B = known.first_B != NO_STEP
    scores = []
    for threshold in tried:
        hit_B = first_below(values_BK, exists_BK, float(threshold)) == known.first_B
        shares = [hit_B[kept_B].mean() if kept_B.any() else 0.0 for kept_B in (wrong_B, ~wrong_B)]
        scores.append(float(harmonic(*shares)))
    best = [t for t, f1 in zip(tried, scores, strict=True) if f1 >= max(scores) - 1e-12]
    return float(min(best, key=lambda t: abs(t - HALF)))


def first_errors(
    labels: pl.DataFrame,
    traces: Mapping[str, pl.DataFrame],
    tuned: Mapping[str, float],
    *,
    dataset: str,
    reasoner: str,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables "first_errors" and "first_errors_per_problem" of one reasoner's labelled solutions.

    `traces`: by verifier; `tuned`: its threshold from other problems, if there is one. Raises DataError as
    `values_beside`, and if there are no labels.
    """
    if labels.is_empty():
        raise DataError(f"first errors of {reasoner!r} on {dataset!r}: no solution has labels of its steps")
    known = labelled(labels)
    weights_DP = all_and_resamples(len(known.problem_ids), draws, seed)
    rows, parts = [], []
    for verifier, rule, threshold, hit_B in _predictions(known, labels, traces, tuned):
        label = {"dataset": dataset, "reasoner": reasoner, "verifier": verifier, "rule": rule}
        kinds = [ALL, *sorted(set(known.kind_B[known.first_B != NO_STEP].tolist()))]
        rows += [
            label | {"threshold": threshold, "kind": kind} | _row(known, hit_B, kind, weights_DP)
            for kind in kinds
        ]
        parts.append(_by_problem(known, hit_B, label))
    return tables.frame("first_errors", rows), pl.concat(parts)


def _predictions(
    known: Labelled,
    labels: pl.DataFrame,
    traces: Mapping[str, pl.DataFrame],
    tuned: Mapping[str, float],
) -> list[tuple[str, str, float | None, Floats]]:
    """(Verifier, rule, threshold, how often each solution's first error is found) of all that is compared."""
    wrong_B = known.first_B != NO_STEP
    found: list[tuple[str, str, float | None, Floats]] = []
    for verifier, table in traces.items():
        values_BK, exists_BK = values_beside(labels, table, f"traces of {verifier!r}")
        thresholds = {FIXED: HALF} | ({TUNED: tuned[verifier]} if verifier in tuned else {})
        for rule, threshold in thresholds.items():
            named_B = first_below(values_BK, exists_BK, threshold)
            found.append((verifier, rule, threshold, (named_B == known.first_B).astype(np.float64)))
    any_B = 1 / np.maximum(known.steps_B, 1)
    guessed = np.sqrt(any_B[wrong_B].mean()) if wrong_B.any() else 0.0
    silent = guessed / (1 + guessed)  # the rate of naming no step that has the highest F1
    chance_B = np.where(wrong_B, (1 - silent) * any_B, silent)
    return [
        *found,
        ("", NEVER, None, (~wrong_B).astype(np.float64)),
        ("", FIRST, None, (known.first_B == 0).astype(np.float64)),
        ("", CHANCE, None, chance_B),
    ]


def _sums(known: Labelled, amounts_B: Floats) -> Floats:
    return np.bincount(known.problem_B, amounts_B, minlength=len(known.problem_ids)).astype(np.float64)


def _row(known: Labelled, hit_B: Floats, kind: str, weights_DP: Floats) -> dict:
    """Numbers of all solutions without an error, and of those whose first error is of a kind."""
    right_B = known.first_B == NO_STEP
    wrong_B = ~right_B if kind == ALL else (known.kind_B == kind) & ~right_B
    shares_D = []
    for kept_B in (wrong_B, right_B):
        count_D = weights_DP @ _sums(known, kept_B.astype(np.float64))
        hits_D = weights_DP @ _sums(known, hit_B * kept_B)
        shares_D.append(np.divide(hits_D, count_D, out=np.full_like(hits_D, np.nan), where=count_D > 0))
    numbers: dict[str, float | None] = {}
    for name, value_D in zip(
        ("accuracy_wrong", "accuracy_right", "f1"), [*shares_D, harmonic(*shares_D)], strict=True
    ):
        low, high = interval(value_D[1:])
        ends = {name: value_D[0], f"{name}_low": low, f"{name}_high": high}
        numbers |= {key: None if np.isnan(value) else float(value) for key, value in ends.items()}
    return {"wrong": int(wrong_B.sum()), "right": int(right_B.sum())} | numbers


def _by_problem(known: Labelled, hit_B: Floats, label: Mapping[str, str]) -> pl.DataFrame:
    right_B = known.first_B == NO_STEP
    sums = {
        "wrong": _sums(known, (~right_B).astype(np.float64)),
        "found": _sums(known, hit_B * ~right_B),
        "right": _sums(known, right_B.astype(np.float64)),
        "kept": _sums(known, hit_B * right_B),
    }
    frame = pl.DataFrame({"problem_id": known.problem_ids, **sums})
    said = {name: pl.lit(value, pl.String) for name, value in label.items()}
    return frame.with_columns(**said).select(list(tables.SCHEMAS["first_errors_per_problem"]))
