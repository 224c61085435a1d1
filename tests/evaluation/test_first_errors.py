"""First errors: ProcessBench's rule and F1 by brute force, ends, baselines, thresholds, what is refused."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.first_errors import (
    NO_STEP,
    best_threshold,
    first_below,
    first_errors,
    harmonic,
    values_beside,
)

RNG = np.random.default_rng(0)


def world(problems: int = 12, solutions: int = 6, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Labels of 1 to 5 steps, and values that are lower from the first wrong step on."""
    rng = np.random.default_rng(seed)
    labels, traces = [], []
    for p in range(problems):
        for s in range(solutions):
            steps = int(rng.integers(1, 6))
            first = int(rng.integers(-1, steps))
            kind = None if first == NO_STEP else ("value", "mark")[int(rng.integers(2))]
            wrong = (np.arange(steps) >= first) & (first != NO_STEP)
            values = np.clip(np.where(wrong, 0.3, 0.7) + rng.normal(0, 0.15, steps), 0, 1)
            key = {"problem_id": f"p{p:02d}", "sample_id": s, "budget": 1}
            labels.append(key | {"steps": steps, "first_wrong": first, "kind": kind})
            traces.append(dict.fromkeys(tables.SCHEMAS["traces"]) | key | {"values": values.tolist()})
    return tables.frame("step_labels", labels), tables.frame("traces", traces)


def found(labels, traces, tuned=None, **more):
    return first_errors(labels, {"prm": traces}, tuned or {}, dataset="d", reasoner="r", draws=200, **more)


def by_hand(labels: pl.DataFrame, traces: pl.DataFrame, threshold: float, kind: str) -> tuple[float, float]:
    """Shares of right predictions, one solution after the other."""
    hits: dict[bool, list[bool]] = {True: [], False: []}
    for label, trace in zip(labels.iter_rows(named=True), traces.iter_rows(named=True), strict=True):
        below = [k for k, value in enumerate(trace["values"]) if value < threshold]
        predicted = below[0] if below else NO_STEP
        wrong = label["first_wrong"] != NO_STEP
        if not wrong or kind in ("all", label["kind"]):
            hits[wrong].append(predicted == label["first_wrong"])
    return float(np.mean(hits[True])), float(np.mean(hits[False]))


def test_agrees_with_the_rule_one_solution_after_the_other() -> None:
    labels, traces = world()
    rows, by_problem = found(labels, traces, {"prm": 0.4})
    tables.check(rows, "first_errors", "test")
    tables.check(by_problem, "first_errors_per_problem", "test")
    for rule, threshold in (("fixed", 0.5), ("tuned", 0.4)):
        for kind in ("all", "mark", "value"):
            row = rows.filter(rule=rule, kind=kind).row(0, named=True)
            wrong, right = by_hand(labels, traces, threshold, kind)
            assert (row["accuracy_wrong"], row["accuracy_right"]) == pytest.approx((wrong, right))
            assert row["f1"] == pytest.approx(2 * wrong * right / (wrong + right))
            assert row["f1_low"] <= row["f1"] <= row["f1_high"] and row["threshold"] == threshold
        sums = by_problem.filter(rule=rule)
        assert sums["found"].sum() / sums["wrong"].sum() == pytest.approx(
            by_hand(labels, traces, threshold, "all")[0]
        )
    kinds = rows.filter(rule="fixed")
    assert kinds.filter(kind="all")["wrong"].item() == kinds.filter(pl.col("kind") != "all")["wrong"].sum()


def test_order_of_rows_and_traces_of_others_change_nothing() -> None:
    labels, traces = world()
    expected = found(labels, traces)
    more = pl.concat([traces, traces.with_columns(problem_id=pl.lit("other"))])
    mixed = found(
        labels.sample(fraction=1, shuffle=True, seed=1), more.sample(fraction=1, shuffle=True, seed=2)
    )
    for before, after in zip(expected, mixed, strict=True):
        assert_frame_equal(before, after)


def test_baselines_have_no_f1_and_chance_is_the_best_guess() -> None:
    labels, traces = world()
    rows, _ = found(labels, traces)
    at = {row["rule"]: row for row in rows.filter(kind="all").iter_rows(named=True)}
    assert at["never"]["f1"] == at["first"]["f1"] * 0 == 0
    assert (at["never"]["accuracy_wrong"], at["never"]["accuracy_right"]) == (0, 1)
    assert at["first"]["accuracy_right"] == 0
    wrong = labels.filter(pl.col("first_wrong") != NO_STEP)
    any_step = float((1 / wrong["steps"]).mean())
    tried = [float(harmonic((1 - q) * any_step, q)) for q in np.linspace(0, 1, 100_001)]
    assert at["chance"]["f1"] == pytest.approx(max(tried), abs=1e-8)


def test_who_knows_everything_has_one() -> None:
    labels, traces = world()
    exact = [
        [float(first == NO_STEP or k < first) for k in range(steps)]
        for first, steps in labels.select("first_wrong", "steps").rows()
    ]
    oracle = traces.with_columns(values=pl.Series("values", exact, pl.List(pl.Float64)))
    row = found(labels, oracle)[0].filter(rule="fixed", kind="all")
    assert row.select("f1", "f1_low", "f1_high").row(0) == (1, 1, 1)
    assert best_threshold(labels, oracle, "x") == 0.5  # all between 0 and 1 are alike: the nearest


def test_the_threshold_is_the_best_of_what_can_differ() -> None:
    labels, traces = world(seed=3)
    threshold = best_threshold(labels, traces, "x")
    f1 = [harmonic(*by_hand(labels, traces, t, "all")) for t in np.linspace(0, 1, 101)]
    assert harmonic(*by_hand(labels, traces, threshold, "all")) >= max(f1) - 0.02


def test_first_below_and_padding() -> None:
    values = np.array([[0.9, 0.2, 0.1], [0.4, 0.9, 0.0], [0.5, 0.6, 0.0], [0.0, 0.0, 0.0]])
    exists = np.array([[1, 1, 1], [1, 1, 0], [1, 1, 0], [0, 0, 0]], dtype=bool)
    assert first_below(values, exists, 0.5).tolist() == [1, 0, NO_STEP, NO_STEP]
    assert first_below(np.empty((2, 0)), np.empty((2, 0), dtype=bool), 0.5).tolist() == [NO_STEP] * 2


def test_one_kind_of_solutions_has_no_f1() -> None:
    labels, traces = world()
    right = labels.with_columns(first_wrong=pl.lit(NO_STEP, pl.Int32), kind=pl.lit(None, pl.String))
    row = found(right, traces)[0].filter(rule="fixed", kind="all").row(0, named=True)
    assert row["accuracy_wrong"] is None and row["f1"] is None and row["accuracy_right"] is not None
    assert np.isnan(harmonic(np.nan, 0.5)) and harmonic(0.0, 0.0) == 0


def test_what_does_not_belong_together_is_refused() -> None:
    labels, traces = world(2, 2)
    with pytest.raises(DataError, match=r"traces of 'prm': problem 'p00', sample 0 .* is not read.*1 such"):
        found(labels, traces[1:])
    longer = traces.with_columns(values=pl.concat_list("values", pl.lit(0.5)))
    with pytest.raises(
        DataError, match=r"another number of places than it has steps; 4 such rows; .*step rule"
    ):
        values_beside(labels, longer, "x")
    with pytest.raises(DataError, match="no solution has labels"):
        found(labels.clear(), traces)
