"""Claims about length budgets on tables whose numbers are known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.claims import LENGTHS, Evidence, Pair
from rlv.evaluation.claims.lengths import joint_scaling, length_selection
from tests.evaluation.claims.tables_for_claims import rows

PAIR = Pair("grpo", "grpo_v")
BUDGETS = (8, 16, 32)
NS = [1, 4]


def at_budgets(ours=(0.3, 0.6, 0.9), base=(0.2, 0.5, 0.5), dataset="long"):
    """Solutions as long as their budget."""
    parts = []
    for budget, a, b in zip(BUDGETS, ours, base, strict=True):
        cost = {"dataset": dataset, "budget": budget, "ns": NS, "generated": float(budget)}
        parts += [
            rows("grpo_v", "unified", "weighted_voting", [0.1, a], **cost),
            rows("grpo_v", "", "majority", [0.1, 0.2], **cost),
            rows("grpo", "", "majority", [0.1, b], **cost),
        ]
    return pl.concat(parts)


def selected(found=((0.0, 0.3, 8.0), (0.5, 0.7, 16.0), (1.0, 0.9, 32.0)), dataset="long", reasoner="grpo_v"):
    """(threshold, accuracy, length) at N = 4; ten tokens a token of length are spent."""
    return tables.frame(
        "selection_per_problem",
        [
            {"problem_id": f"p{p}", "dataset": dataset, "reasoner": reasoner, "verifier": "unified", "n": 4}
            | {"threshold": threshold, "accuracy": accuracy, "length": length, "tokens": 10 * length}
            | {"flops": 1.0, "confident": 1.0}
            for threshold, accuracy, length in found
            for p in range(30)
        ],
    )


def evidence(per_problem=None, selection=None, pair=PAIR):
    table = at_budgets() if per_problem is None else per_problem
    return Evidence("long", (pair,), table, LENGTHS, selection=selection, budgets=BUDGETS)


def test_joint_scaling_is_the_median_over_budgets():
    (row,) = joint_scaling(evidence())
    # 1.5, 1.2 and 1.8 times as accurate.
    assert row["ours"] == pytest.approx(1.5) and row["bar"] == 1.2 and row["verdict"] == "reproduced"
    assert "range 1.20 to 1.80" in row["detail"] and "16: 1.20 [1.20, 1.20]" in row["detail"]
    assert "N = 4" in row["statement"]


def test_a_budget_at_which_nobody_is_right_is_left_out():
    (row,) = joint_scaling(evidence(at_budgets(ours=(0.0, 0.6, 0.9), base=(0.0, 0.5, 0.5))))
    assert row["ours"] == pytest.approx(1.5) and "8: undefined (0.0 % against 0.0 %)" in row["detail"]


def test_length_selection_at_equal_mean_length():
    (row,) = length_selection(evidence(selection=selected()))
    # The middle threshold: 70 % at 16 tokens, where a fixed budget has 60 %.
    assert row["ours"] == pytest.approx(10) and row["bar"] == 0 and row["verdict"] == "reproduced"
    assert "threshold 0.5, the middle" in row["detail"] and "160 tokens a problem" in row["detail"]
    # Read and generated at budget 16: four solutions of 16 + 15.
    assert "against 124" in row["detail"]


def test_between_two_budgets_accuracy_is_that_of_a_mixture():
    (row,) = length_selection(evidence(selection=selected([(0.4, 0.7, 12.0)])))
    assert row["ours"] == pytest.approx(100 * (0.7 - 0.45))


def test_selection_is_paired_with_fixed_budgets():
    level = np.random.default_rng(0).random(30) / 2
    noisy = [level, level + 0.1, level + 0.2]
    table = at_budgets(ours=noisy)
    chosen = selected([(0.5, 0.0, 16.0)]).with_columns(accuracy=pl.Series(level + 0.15))
    (row,) = length_selection(evidence(table, chosen))
    assert (row["low"], row["high"]) == pytest.approx((5, 5))


def test_without_selection_there_is_no_claim_and_without_rows_an_error():
    assert length_selection(evidence()) == []
    with pytest.raises(DataError, match=r"selection_per_problem table has N = \[\] of 'grpo_v'"):
        length_selection(evidence(selection=selected(dataset="other")))
    fewer = selected().filter((pl.col("problem_id") != "p3") | (pl.col("threshold") != 0.5))
    with pytest.raises(DataError, match=r"'grpo_v': length selection .*threshold 0.5\) at N = 4: 29 of 30"):
        length_selection(evidence(selection=fewer))


def test_a_budget_that_is_missing_is_named():
    with pytest.raises(DataError, match=r"'grpo' on 'long' has budgets \[8, 16\].*\[8, 16, 32\] are needed"):
        joint_scaling(evidence(at_budgets().filter((pl.col("reasoner") != "grpo") | (pl.col("budget") < 32))))


def test_seeds():
    copies = [
        at_budgets().with_columns(reasoner=pl.col("reasoner") + "_seed1"),
        selected().with_columns(reasoner=pl.col("reasoner") + "_seed1", accuracy=pl.col("accuracy") - 0.2),
    ]
    pair = Pair("grpo", "grpo_v", replicas=(("grpo", "grpo_v"), ("grpo_seed1", "grpo_v_seed1")))
    found = evidence(pl.concat([at_budgets(), copies[0]]), pl.concat([selected(), copies[1]]), pair)
    (row,) = length_selection(found)
    assert row["ours"] == pytest.approx(0) and (row["low"], row["high"]) == pytest.approx((-10, 10))
    assert all("2 training seeds" in r["statement"] for r in (row, *joint_scaling(found)))
