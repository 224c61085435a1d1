"""Claims about verifiers that are read along solutions, on tables whose numbers are known."""

from __future__ import annotations

import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.claims.along import first_error, worst_step
from rlv.evaluation.claims.evidence import Evidence, Pair
from tests.evaluation.claims.tables_for_claims import rows

PAIR = Pair("grpo", "grpo_v")


def counts(reasoner, verifier, rule, found, kept, problems=20):
    """Ten solutions with an error and ten without in every problem."""
    row = {"dataset": "test", "reasoner": reasoner, "verifier": verifier, "rule": rule}
    numbers = {"wrong": 10.0, "found": float(found), "right": 10.0, "kept": float(kept)}
    return tables.frame(
        "first_errors_per_problem", [{"problem_id": f"p{p}"} | row | numbers for p in range(problems)]
    )


TABLE = pl.concat(
    [
        counts("grpo_v", "unified", "fixed", 1, 1),
        counts("grpo_v", "unified", "tuned", 6, 6),
        counts("grpo_v", "", "chance", 2, 2),
        counts("grpo", "judge", "tuned", 3, 3),
        counts("grpo", "judge", "fixed", 9, 9),
    ]
)


def test_first_errors_of_the_unified_verifier_over_the_judge_and_over_chance(per_problem):
    judge, chance = first_error(Evidence("test", (PAIR,), per_problem, first_errors=TABLE))
    assert (judge["ours"], chance["ours"]) == pytest.approx((30, 40))
    assert judge["verdict"] == chance["verdict"] == "holds" and judge["bar"] == 0
    assert "F1 60.0 against 30.0; at the threshold 1/2 10.0" in judge["detail"]
    assert "has F1 0" in chance["detail"] and "over chance on test" in chance["statement"]


def test_without_training_problems_thresholds_are_a_half(per_problem):
    fixed = TABLE.filter(pl.col("rule") != "tuned")
    judge, _ = first_error(Evidence("test", (PAIR,), per_problem, first_errors=fixed))
    assert judge["ours"] == pytest.approx(10 - 90) and judge["verdict"] == "does not hold"


def test_first_errors_that_nobody_compared_have_no_row(per_problem):
    assert first_error(Evidence("test", (PAIR,), per_problem)) == []
    others = TABLE.filter(pl.col("reasoner") == "grpo")
    assert first_error(Evidence("test", (PAIR,), per_problem, first_errors=others)) == []
    assert first_error(Evidence("hard", (PAIR,), per_problem, first_errors=TABLE)) == []
    odd = TABLE.filter((pl.col("reasoner") == "grpo_v") | (pl.col("problem_id") != "p3"))
    with pytest.raises(DataError, match=r"first errors on 'test' .* of different problems"):
        first_error(Evidence("test", (PAIR,), per_problem, first_errors=odd))


def test_the_worst_step_against_all_together_of_the_same_reading(per_problem):
    made = [
        rows("grpo_v", name, "weighted_voting", [0.5, 0.5, 0.5, at_8, 0.9])
        for name, at_8 in (("low", 0.7), ("soft", 0.9), ("total", 0.6), ("end", 0.8))
    ]
    group = {"low": "min", "soft": "softmin:0.05", "total": "sum", "end": "last"}
    evidence = Evidence(
        "test",
        (PAIR,),
        pl.concat([per_problem, *made]),
        aggregates=(group, {"alone": "mean", "absent": "min"}),
    )
    first, second = worst_step(evidence)
    assert (first["ours"], second["ours"]) == pytest.approx((10, 30))
    assert "`min` of its values along a solution over `sum`, N = 8" in first["statement"]
    assert "trained at ends only" in second["detail"] and "Cheng" in second["paper"]
    assert worst_step(Evidence("test", (PAIR,), per_problem, aggregates=(group,))) == []
