"""Claims about length budgets on tables whose numbers are known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.claims.evidence import LENGTHS, Evidence, Pair
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
    assert row["ours"] == pytest.approx(1.5) and row["verdict"] == "reproduced"
    assert (row["bar"], row["bar_from"], row["paper"]) == (1.2, "paper", "1.2-1.6x")
    assert "range 1.20 to 1.80 over budgets;" in row["detail"]
    assert "16 tokens 1.20 [1.20, 1.20]" in row["detail"]
    assert "N = 4" in row["statement"]


def test_a_budget_at_which_nobody_is_right_is_left_out():
    (row,) = joint_scaling(evidence(at_budgets(ours=(0.0, 0.6, 0.9), base=(0.0, 0.5, 0.5))))
    assert row["ours"] == pytest.approx(1.5) and "8 tokens undefined (0.0 % against 0.0 %)" in row["detail"]
    assert "range 1.20 to 1.80 over budgets (1 of 3 left out" in row["detail"]


def test_a_base_method_that_is_never_right_has_no_ratio():
    (row,) = joint_scaling(evidence(at_budgets(base=(0.0, 0.0, 0.0))))
    assert row["ours"] is None and row["verdict"] == "undecided"
    assert "no ratio over budgets (3 of 3 left out" in row["detail"]
    assert "nan" not in row["detail"] and "inf" not in row["detail"]


def test_a_resample_without_a_right_answer_of_the_base_method_is_unbounded():
    once = np.arange(30) == 0  # right on one problem, which a third of the resamples lack
    (row,) = joint_scaling(evidence(at_budgets(base=(once, once, once))))
    assert row["ours"] == pytest.approx(0.6 * 30) and row["high"] is None and row["verdict"] == "reproduced"
    assert "16 tokens 18.00 [6.00, unbounded]" in row["detail"] and "inf" not in row["detail"]


def test_joint_scaling_at_equal_tokens():
    # At N = 4 RL^V has 4 (budget + 15) tokens, the base method 4 budget: never as many.
    (row,) = joint_scaling(evidence())
    assert "grpo_v at N = 4: 1.50 [1.50, 1.50], though at 3 of 3 budgets" in row["detail"]
    # Reading half as much as was generated, and four times the base method's solutions.
    more = pl.concat(
        rows("grpo", "", "majority", [0.25, 0.5], ns=[8, 16], dataset="long", budget=b, generated=float(b))
        for b in BUDGETS
    )
    price = pl.when(pl.col("verifier") == "unified").then(1.5 * pl.col("budget") * pl.col("n"))
    table = pl.concat([at_budgets(), more]).with_columns(tokens=price.otherwise("tokens"))
    (row,) = joint_scaling(evidence(table))
    # Six solutions: log2(6 / 4) of the way from N = 4 to N = 8 at every budget.
    way = np.log2(6 / 4)
    wanted = np.median([a / (b + way * (0.25 - b)) for a, b in ((0.3, 0.2), (0.6, 0.5), (0.9, 0.5))])
    assert f"at N = 4: {wanted:.2f} [" in row["detail"] and "though" not in row["detail"]
    assert row["ours"] == pytest.approx(1.5)


def test_length_selection_at_equal_mean_length():
    (row,) = length_selection(evidence(selection=selected()))
    # The middle threshold: 70 % at 16 tokens, where a fixed budget has 60 %.
    assert row["ours"] == pytest.approx(10) and row["verdict"] == "holds"
    assert (row["bar"], row["bar_from"], row["paper"]) == (0, "ours", "not stated")
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
    # Two seeds 10 points off their mean: a resample draws one, and Student's t widens it.
    half = 10 * 12.7062 / 1.959964 * np.sqrt(2)
    assert row["ours"] == pytest.approx(0) and (row["low"], row["high"]) == pytest.approx((-half, half))
    assert all("2 training seeds" in r["statement"] for r in (row, *joint_scaling(found)))
    # The second seed was not evaluated at budgets: the statement says so.
    (alone,) = joint_scaling(evidence(at_budgets(), pair=pair))
    assert alone["statement"].endswith("on long with one training seed (grpo_v)")
    (alone,) = length_selection(evidence(at_budgets(), selected(), pair))
    assert alone["statement"].endswith("on long with one training seed (grpo_v)")


def test_a_resample_beyond_the_seeds_is_no_negative_ratio():
    # The base method is right with one of two seeds only: extrapolated, its accuracy may be below 0.
    names = (("grpo", "grpo_v"), ("grpo_seed1", "grpo_v_seed1"))
    other = at_budgets(base=(0.0, 0.0, 0.0)).with_columns(reasoner=pl.col("reasoner") + "_seed1")
    pair = Pair("grpo", "grpo_v", replicas=names)
    (row,) = joint_scaling(evidence(pl.concat([at_budgets(), other]), pair=pair))
    assert row["ours"] == pytest.approx(3.0) and row["low"] > 0 and row["high"] is None
    assert "nan" not in row["detail"] and "-" not in row["detail"]
