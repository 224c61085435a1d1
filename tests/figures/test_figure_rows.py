"""Rows of tables: once each, errors that say what is there instead, and paired numbers."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.evaluation.bootstrap import paired
from rlv.figures.rows import compared, curve, metric
from tests.figures.tables_for_tests import make_reasoners

PARAMS = {"figure": "some_figure", "draws": 200, "seed": 3}


@pytest.fixture(scope="module")
def tables():
    reasoners = {"one": (0.0, {"a": 3.0, "b": 1.0}), "two": (0.1, {"a": 2.0})}
    return make_reasoners(reasoners, {"test": 0.4}, ns=(1, 4, 8), problems=20)


def wanted(**more):
    return {"dataset": "test", "reasoner": "one", "verifier": "a", **more}


def test_votes_without_scores_come_once(tables):
    rows = curve(tables["curves"], wanted(strategy="majority"), figure="f", name="curves")
    assert tables["curves"].filter(pl.col("strategy") == "majority", pl.col("reasoner") == "one").height == 9
    assert rows["n"].to_list() == [1, 4, 8]
    assert set(rows["verifier"]) == {""}


def test_scores_are_those_of_the_verifier(tables):
    rows = curve(tables["curves"], wanted(strategy="weighted_voting"), figure="f", name="curves")
    assert set(rows["verifier"]) == {"a"} and rows.height == 3


def test_a_missing_verifier_is_named_with_what_is_there(tables):
    with pytest.raises(DataError, match=r"'two' on 'test' by best_of_n, verifier 'b'.*best_of_n with 'a'"):
        asked = wanted(reasoner="two", verifier="b", strategy="best_of_n")
        curve(tables["curves"], asked, figure="f", name="curves")


def test_a_missing_reasoner_is_named_with_those_that_are_there(tables):
    with pytest.raises(DataError, match=r"'three' on 'test'.*has reasoners one, two"):
        curve(tables["curves"], wanted(reasoner="three", strategy="majority"), figure="f", name="curves")


def test_several_budgets_need_asking_for(tables):
    longer = tables["curves"].with_columns(budget=pl.lit(128, pl.Int32))
    both, asked = pl.concat([tables["curves"], longer]), wanted(strategy="majority")
    with pytest.raises(DataError, match=r"budgets \[64, 128\]"):
        curve(both, asked, figure="f", name="curves")
    assert curve(both, asked, figure="f", name="curves", budgets=True).height == 6


def test_metric_is_the_row_and_a_missing_one_is_named(tables):
    found = metric(tables["verification"], wanted(), "auroc", figure="f")
    same = tables["verification"].filter(
        pl.col("reasoner") == "one", pl.col("verifier") == "a", pl.col("metric") == "auroc"
    )
    every, answered = (same.filter(over=which) for which in ("all", "answered"))
    assert found == answered.select("budget", "value", "low", "high").row(0, named=True)
    found = metric(tables["verification"], wanted(), "auroc", figure="f", over="all")
    assert found == every.select("budget", "value", "low", "high").row(0, named=True)
    assert every["value"][0] != answered["value"][0]
    with pytest.raises(DataError, match=r"'two' on 'test', verifier 'b'.*no auroc.*`verifiers`"):
        metric(tables["verification"], wanted(reasoner="two", verifier="b"), "auroc", figure="f")


def test_compared_is_the_paired_bootstrap(tables):
    one, two = (
        curve(
            tables["per_problem"],
            wanted(reasoner=r, strategy="weighted_voting"),
            figure="f",
            name="per_problem",
        )
        for r in ("one", "two")
    )
    found = compared(one, two, ["n"], np.subtract, "gap", PARAMS)
    assert found["n"].to_list() == [1, 4, 8]
    for row in found.iter_rows(named=True):
        first, other = (
            {p: a for p, n, a in t.select("problem_id", "n", "accuracy").rows() if n == row["n"]}
            for t in (one, two)
        )
        values_P2 = np.array([[first[p], other[p]] for p in sorted(first)])
        expected = paired(values_P2, lambda m: m[..., 0] - m[..., 1], draws=200, seed=3)
        assert row["gap"] == pytest.approx(expected.value)
        assert (row["gap_low"], row["gap_high"]) == pytest.approx((expected.low, expected.high))


def test_compared_refuses_other_problems(tables):
    one = curve(tables["per_problem"], wanted(strategy="majority"), figure="f", name="per_problem")
    with pytest.raises(DataError, match="'p0002' of 'test' is evaluated for only one"):
        compared(one, one.filter(pl.col("problem_id") != "p0002"), ["n"], np.subtract, "gap", PARAMS)
    holes = one.filter((pl.col("problem_id") != "p0002") | (pl.col("n") == 1))
    with pytest.raises(DataError, match="every problem at every n"):
        compared(one, holes, ["n"], np.subtract, "gap", PARAMS)
