"""Claims about what training finds, and how soon, on tables whose numbers are known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.evaluation.claims.boundary import boundary, regret, regret_of
from rlv.evaluation.claims.evidence import LENGTHS, Evidence, Pair
from tests.evaluation.claims.tables_for_claims import rows
from tests.evaluation.claims.test_lengths import BUDGETS, at_budgets

PAIR = Pair("grpo", "grpo_v", start="base", cold="base_cold")


@pytest.fixture
def table(per_problem):
    """At N = 16 the base method passes on 100 %, its start on 70 %, RL^V on 60 %."""
    return pl.concat(
        [
            per_problem,
            rows("grpo_v", "", "pass_at_n", [0.5, 0.5, 0.5, 0.6, 0.6]),
            rows("base", "", "pass_at_n", [0.2, 0.7, 0.8, 0.8, 0.7]),
        ]
    )


def test_a_start_that_passes_less_at_the_largest_n(table):
    (row,) = boundary(Evidence("test", (PAIR,), table))  # the cold start is not evaluated
    assert row["ours"] == pytest.approx(-30) and row["verdict"] == "does not hold" and row["bar"] == 0
    assert "70.0 % against 100.0 %; at N = 1 20.0 % against 40.0 %" in row["detail"]
    assert "base is first ahead at N = 2" in row["detail"] and "over grpo_v +10.0" in row["detail"]
    assert "base, untrained, by pass@N over grpo at N = 16 on test" in row["statement"]


def test_a_cold_start_has_a_row_of_its_own(table):
    cold = rows("base_cold", "", "pass_at_n", [1.0] * 5)
    first, second = boundary(Evidence("test", (PAIR,), pl.concat([table, cold])))
    assert "base," in first["statement"] and "base_cold," in second["statement"]
    assert "never ahead" not in second["detail"] and second["ours"] == pytest.approx(0)
    assert second["verdict"] == "undecided"  # equal on every problem
    assert boundary(Evidence("test", (Pair("grpo", "grpo_v"),), table)) == []


def test_regret_is_what_lies_above_the_curve():
    assert regret_of(np.ones(2), (10, 20)) == pytest.approx(0.25)  # nothing is known at 0 tokens
    assert regret_of(np.zeros(2), (10, 20)) == 1
    # Trapezoids 0.2 x 10 / 2 and (0.2 + 0.6) x 30 / 2 of 40.
    assert regret_of(np.array([0.2, 0.6]), (10, 40)) == pytest.approx(1 - (1 + 12) / 40)
    means = np.random.default_rng(0).random((5, 2))
    each = [regret_of(one, (10, 40)) for one in means]
    np.testing.assert_allclose(regret_of(means, (10, 40)), each)
    assert regret_of(means.mean(axis=0), (10, 40)) == pytest.approx(np.mean(each))  # linear, so paired


def test_regret_of_one_solution_and_of_votes():
    (row,) = regret(Evidence("long", (Pair("grpo", "grpo_v"),), at_budgets(), LENGTHS, budgets=BUDGETS))
    # One solution is right in 10 % at every budget on both sides.
    assert row["ours"] == pytest.approx(0) and row["verdict"] == "undecided"
    ours, base = regret_of(np.array([0.3, 0.6, 0.9]), BUDGETS), regret_of(np.array([0.2, 0.5, 0.5]), BUDGETS)
    assert f"against majority) {ours - base:+.3f}" in row["detail"]
    better = at_budgets().with_columns(
        accuracy=pl.when((pl.col("reasoner") == "grpo_v") & (pl.col("strategy") == "majority"))
        .then(0.9)
        .otherwise("accuracy")
    )
    (row,) = regret(Evidence("long", (Pair("grpo", "grpo_v"),), better, LENGTHS, budgets=BUDGETS))
    assert row["ours"] < 0 and row["verdict"] == "holds"
