"""Verdicts, and claims on tables whose numbers are known."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.claims import Evidence, Pair, scoreboard, verdict

NS = [1, 2, 4, 8, 16]
PAIR = Pair("grpo", "grpo_v")


def rows(reasoner, verifier, strategy, accuracies, problems=30, dataset="test", budget=64):
    """The same accuracy for every problem, N by N."""
    return tables.frame(
        "per_problem",
        [
            {"problem_id": f"p{p}", "dataset": dataset, "reasoner": reasoner, "verifier": verifier}
            | {"strategy": strategy, "n": n, "budget": budget, "accuracy": accuracy}
            for n, accuracy in zip(NS, accuracies, strict=True)
            for p in range(problems)
        ],
    )


@pytest.fixture
def per_problem():
    return pl.concat(
        [
            rows("grpo_v", "unified", "weighted_voting", [0.5, 0.6, 0.7, 0.8, 0.9]),
            rows("grpo_v", "", "majority", [0.5, 0.5, 0.5, 0.5, 0.5]),
            rows("grpo", "", "majority", [0.4, 0.4, 0.5, 0.6, 0.7]),
            rows("grpo", "judge", "weighted_voting", [0.4, 0.4, 0.5, 0.6, 0.8]),
            rows("grpo", "", "pass_at_n", [0.4, 0.6, 0.8, 0.9, 1.0]),
            rows("grpo", "", "majority", [0.0] * 5, dataset="hard"),
        ]
    )


@pytest.fixture
def overhead():
    return tables.frame(
        "overhead",
        [
            {"repeat": i, "objective": name, "tokens": tokens, "seconds_sample": 1.0}
            | {"seconds_update": 1.0 + extra + 0.01 * i}
            for i in range(6)
            for name, tokens, extra in (("rl", 1000, 0.0), ("rl_v", 1050, 0.1))
        ],
    )


@pytest.mark.parametrize(
    ("low", "high", "direction", "wanted"),
    [
        (21, 30, "above", "reproduced"),
        (20, 30, "above", "reproduced"),
        (10, 19, "above", "not reproduced"),
        (10, 20, "above", "undecided"),
        (10, 30, "above", "undecided"),
        (10, 19, "below", "reproduced"),
        (10, 20, "below", "reproduced"),
        (21, 30, "below", "not reproduced"),
        (20, 30, "below", "undecided"),
        (float("nan"), 30, "above", "undecided"),
        (10, float("nan"), "below", "undecided"),
    ],
)
def test_verdict(low, high, direction, wanted):
    assert verdict(low, high, 20, direction) == wanted


def test_math_gain(per_problem):
    row = scoreboard(Evidence("test", (PAIR,), per_problem), ["math_gain"]).row(0, named=True)
    assert row["ours"] == pytest.approx(125) and row["low"] == pytest.approx(125)
    assert row["bar"] == 20 and row["verdict"] == "reproduced"
    assert "grpo_v" in row["statement"] and "N = 16" in row["statement"] and "test" in row["statement"]
    assert "+50.0" in row["detail"]
    # The base method's best vote is the judge's, and pass@N is no vote.
    assert "+10.0" in row["detail"] and "weighted_voting with judge, 80.0 %" in row["detail"]


def test_efficiency(per_problem):
    row = scoreboard(Evidence("test", (PAIR,), per_problem), ["efficiency"]).row(0, named=True)
    # N_ref 2, 4, 8, 16 are reached at N = 1, 1, 2, 4.
    assert row["ours"] == pytest.approx(4) and row["bar"] == 8 and row["verdict"] == "not reproduced"
    assert "range 2.0 to 4.0" in row["detail"]


def test_several_pairs_and_rows_that_come_twice(per_problem, overhead):
    others = per_problem.with_columns(pl.col("reasoner").str.replace("grpo", "leave_one_out"))
    pairs = (PAIR, Pair("leave_one_out", "leave_one_out_v"))
    evidence = Evidence("test", pairs, pl.concat([per_problem, others, others]), overhead)
    table = tables.check(scoreboard(evidence), "claims", "test")
    assert (
        table["id"].to_list()
        == ["math_gain"] * 2 + ["early_gain"] * 4 + ["efficiency"] * 2 + ["overhead"] * 2
    )
    assert table["ours"][0] == pytest.approx(table["ours"][1])


def test_a_number_without_meaning_decides_nothing(per_problem):
    silent = per_problem.with_columns(
        accuracy=pl.when(pl.col("reasoner") == "grpo").then(0.0).otherwise("accuracy")
    )
    row = scoreboard(Evidence("test", (PAIR,), silent), ["math_gain"]).row(0, named=True)
    assert row["ours"] is None and row["verdict"] == "undecided"


def test_overhead(overhead):
    table = scoreboard(Evidence("test", (), pl.DataFrame(), overhead), ["overhead"])
    seconds, tokens = table.rows(named=True)
    assert seconds["statement"].startswith("Seconds") and 1.04 < seconds["ours"] < 1.05
    assert seconds["low"] <= seconds["ours"] <= seconds["high"] and seconds["verdict"] == "reproduced"
    assert tokens["ours"] == pytest.approx(1.05) and tokens["verdict"] == "reproduced"
    single = overhead.filter(pl.col("repeat") == 0)
    once = scoreboard(Evidence("test", (), pl.DataFrame(), single), ["overhead"])
    assert once["verdict"].to_list() == ["undecided"] * 2
    with pytest.raises(DataError, match="repeats"):
        scoreboard(Evidence("test", (), pl.DataFrame(), overhead[1:]), ["overhead"])


def test_what_is_missing_is_named(per_problem):
    def refuse(table, match, names=("math_gain",), pair=PAIR):
        with pytest.raises(DataError, match=match):
            scoreboard(Evidence("test", (pair,), table), names)

    refuse(per_problem, "unknown claim 'gain'", names=["gain"])
    refuse(per_problem, "needs the overhead table", names=["overhead"])
    refuse(per_problem, "'vine' on 'test' has budgets", pair=Pair("vine", "grpo_v"))
    refuse(per_problem, "a common N is needed", pair=Pair("grpo", "grpo_v", "head"))
    twice = pl.concat([per_problem, per_problem.with_columns(budget=pl.lit(32, pl.Int32))])
    refuse(twice, r"budgets \[32, 64\]")
    fewer = per_problem.filter((pl.col("reasoner") != "grpo") | (pl.col("problem_id") != "p7"))
    refuse(fewer, "problem 'p7' of 'test' is evaluated for only one")
    gap = per_problem.filter(
        (pl.col("reasoner") != "grpo") | (pl.col("problem_id") != "p7") | (pl.col("n") != 4)
    )
    refuse(gap, "lacks majority .* at N = 4", names=["efficiency"])
    assert np.isfinite(scoreboard(Evidence("test", (PAIR,), per_problem))["ours"].to_numpy()).all()


def test_evaluation_loads_no_models():
    modules = ["votes", "recorded", "bootstrap", "curves", "verifier_metrics", "efficiency", "claims"]
    code = "".join(f"import rlv.evaluation.{name}\n" for name in modules)
    code += "import sys; assert not {'torch', 'transformers', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_gains_in_points_and_the_verifiers_accuracy(per_problem):
    start = rows("base", "", "majority", [0.3, 0.3, 0.3, 0.3, 0.3])
    metrics = [("balanced_accuracy", 0.95, 0.93, 0.97), ("auroc", 0.98, 0.97, 0.99)]
    verification = tables.frame(
        "verification",
        [
            {"dataset": "test", "reasoner": "grpo_v", "verifier": "unified"}
            | {"metric": metric, "value": value, "low": low, "high": high}
            for metric, value, low, high in metrics
        ],
    )
    pair = Pair("grpo", "grpo_v", start="base")
    evidence = Evidence("test", (pair,), pl.concat([per_problem, start]), verification=verification)
    board = scoreboard(evidence, ["early_gain", "rl_gain", "verifier_accuracy"])
    # Weighted voting 70 and 80 % over majority 50 and 60 % at N = 4 and 8; 40 % over 30 % at N = 1.
    assert board["ours"].to_list() == pytest.approx([20.0, 20.0, 10.0, 0.95])
    assert board["verdict"].to_list() == ["reproduced"] * 4
    assert "auroc 0.980 [0.970, 0.990]" in board["detail"][3]
    with pytest.raises(DataError, match="started from"):
        scoreboard(Evidence("test", (PAIR,), per_problem), ["rl_gain"])
