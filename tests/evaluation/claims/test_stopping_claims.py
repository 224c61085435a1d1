"""Claims about stopping rules: the numbers are those of the tables, with the right bars."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.evaluation.claims.evidence import Evidence
from rlv.evaluation.claims.registry import CLAIMS, scoreboard
from rlv.evaluation.claims.stage import replayed_on
from rlv.evaluation.claims.stopping import SAVING
from rlv.evaluation.stopping.rules import STOPS
from rlv.evaluation.stopping.seen import Seen

NAMES = {name for name, claim in CLAIMS.items() if claim.about == "replayed"}
NS = (1, 2, 4, 8)
PROBLEMS = 30


def table(reasoner="grpo_v", accuracy=0.7, samples=4.0, new=0.5, fitted="Platt scaling on training problems"):
    """Accuracies of fixed numbers rise by .1 from .5; every rule has the same accuracy and samples."""
    cells = [("", f"fixed:{n}", "majority", 0.5 + 0.1 * k, n) for k, n in enumerate(NS)]
    cells += [("unified", f"fixed:{n}", "weighted_voting", 0.5 + 0.1 * k, n) for k, n in enumerate(NS)]
    cells += [("", rule, "majority", accuracy, samples) for rule in ("beta:0.95", "window:5")]
    cells += [
        ("unified", rule, "log_odds", accuracy, samples) for rule in ("posterior:0.95", "posterior:0.99")
    ]
    away = np.random.default_rng(0).normal(0, 0.01, PROBLEMS)
    away -= away.mean()
    rows = [
        {
            **{"problem_id": f"p{p:02d}", "dataset": "test", "reasoner": reasoner, "verifier": verifier},
            **{"rule": rule, "vote": vote, "n_max": 8, "budget": 64, "accuracy": mean + away[p]},
            **{"samples": float(drawn), "tokens": 20.0 * drawn, "flops": 1.0, "flops_new": 1.0},
            **{"tokens_new": 20.0 * drawn * new if verifier else None, "rounds": float(drawn)},
        }
        for verifier, rule, vote, mean, drawn in cells
        for p in range(PROBLEMS)
    ]
    found = tables.frame("adaptive_per_problem", rows)
    return found.with_columns(
        fitted=pl.when(pl.col("vote") == "log_odds").then(pl.lit(fitted)).otherwise(pl.lit(""))
    )


def board(found):
    empty = tables.frame("per_problem", [])
    return scoreboard([Evidence("test", (), empty, replayed=replayed_on("test", found), adaptive=found)])


def test_every_claim_has_rows_for_each_reasoner():
    found = board(pl.concat([table("a"), table("b")]))
    assert set(found["id"]) == NAMES
    assert found.filter(id="stop_saving")["method"].to_list() == ["a"] * 4 + ["b"] * 4
    assert found.filter(id="stop_verifier")["method"].to_list() == ["a", "b"]
    assert found["statement"].is_unique().all() and max(map(len, found["statement"])) <= 175
    assert board(table().clear()).is_empty()


def test_savings_are_at_equal_accuracy_and_losses_beside_them():
    asc, lost, esc, also = board(table()).filter(id="stop_saving").to_dicts()
    # A fixed 4 is as accurate as each rule, which draws as many: nothing is saved.
    assert asc["ours"] == esc["ours"] == pytest.approx(1.0) and asc["verdict"] == "undecided"
    assert {(row["bar"], row["bar_from"]) for row in (asc, esc)} == {(1.0, "ours")}
    assert "up to 7.9x" in asc["paper"] and "33.8 %" in esc["paper"]
    assert "n_max = 8 over them 2.00 [2.00, 2.00], at most 2.0 (n_max / 4)" in asc["detail"]
    assert "at most 1.6 (n_max / 5)" in esc["detail"]
    assert lost["ours"] == pytest.approx(10) and lost["verdict"] == "does not hold"
    assert also["verdict"] == "does not hold" and lost["bar"] == also["bar"] == 0.1
    asc, lost, *_ = board(table(accuracy=0.8)).filter(id="stop_saving").to_dicts()
    assert asc["ours"] == pytest.approx(2.0) and asc["verdict"] == "holds"
    assert lost["ours"] == pytest.approx(0) and lost["verdict"] == "holds"
    (dear, *_) = board(table(accuracy=0.6)).filter(id="stop_saving").to_dicts()
    assert dear["ours"] == pytest.approx(0.5) and dear["verdict"] == "does not hold"


@pytest.mark.parametrize("rule", SAVING)
def test_a_rule_draws_as_few_as_the_ceiling_assumes(rule):
    agreed = Seen(np.zeros((1, 16), dtype=np.int64), np.arange(1.0, 17.0)[None])
    assert STOPS[rule].stops(agreed)[0].argmax() + 1 == SAVING[rule][3]


def test_a_posterior_is_compared_at_its_own_accuracy():
    (row,) = board(table(accuracy=0.7, samples=3.0)).filter(id="stop_verifier").to_dicts()
    assert row["ours"] == pytest.approx(0.75) and row["verdict"] == "holds" and row["bar"] == 1
    assert "Platt scaling on training problems" in row["detail"] and "posterior:0.99" in row["detail"]
    assert "of tokens read whole 0.75" in row["detail"] and "keys and values kept 0.75" in row["detail"]
    # Never reached: charged the largest number, which is too little.
    (row,) = board(table(accuracy=0.95, samples=4.0)).filter(id="stop_verifier").to_dicts()
    assert row["ours"] == pytest.approx(0.5) and "not as accurate within 8" in row["detail"]
    (row,) = board(table(fitted="not calibrated")).filter(id="stop_verifier").to_dicts()
    assert "not calibrated" in row["detail"]


def test_costs_that_nobody_knows_are_left_out():
    unknown = table().with_columns(tokens=pl.lit(None, pl.Float64), tokens_new=pl.lit(None, pl.Float64))
    (row,) = board(unknown).filter(id="stop_verifier").to_dicts()
    assert row["ours"] == pytest.approx(1.0) and "tokens" not in row["detail"]
