"""Claims against controls on tables whose numbers are known."""

from __future__ import annotations

import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.claims.controls import (
    majority_stalls,
    over_best,
    over_brevity,
    over_chain,
    over_confidence,
    over_judge,
    over_majority,
    rl_over_cold,
    within_problem,
)
from rlv.evaluation.claims.evidence import Evidence, Pair
from tests.evaluation.claims.tables_for_claims import NS, rows

PAIR = Pair("grpo", "grpo_v", cold="base_cold", confidence="free", brevity="brevity", chain="chain")
SEEDS = (("grpo", "grpo_v"), ("grpo_seed1", "grpo_v_seed1"))


@pytest.fixture
def controlled(per_problem):
    """At N = 8 RL^V has 80 %, by confidence 72 %; its base method 60, 66, 61, 60 and 70 %."""
    return pl.concat(
        [
            per_problem,
            rows("base_cold", "", "majority", [0.3, 0.35, 0.45, 0.55, 0.6]),
            rows("grpo", "free", "weighted_voting", [0.4, 0.4, 0.6, 0.66, 0.8], read=0.0),
            rows("grpo", "brevity", "weighted_voting", [0.4, 0.4, 0.6, 0.61, 0.8], read=0.0),
            rows("grpo", "chain", "weighted_voting", [0.4, 0.5, 0.6, 0.7, 0.8], read=90.0),
            rows("grpo_v", "free", "weighted_voting", [0.5, 0.5, 0.6, 0.72, 0.8], read=0.0),
        ]
    )


def on(table, pair=PAIR, **more):
    return Evidence("test", (pair,), table, **more)


def test_rl_over_cold(controlled):
    one, voted = rl_over_cold(on(controlled))
    assert one["ours"] == pytest.approx(10) and "by one solution, on test" in one["statement"]
    assert voted["ours"] == pytest.approx(5) and "by majority voting at N = 8" in voted["statement"]
    assert voted["detail"] == "60.0 % against 55.0 %"
    assert all((r["bar"], r["bar_from"], r["verdict"]) == (0, "ours", "holds") for r in (one, voted))
    # It need not have as many N; at one solution alone there is one row.
    cold = pl.col("reasoner") == "base_cold"
    assert "N = 4" in rl_over_cold(on(controlled.filter(~cold | (pl.col("n") < 8))))[1]["statement"]
    assert len(rl_over_cold(on(controlled.filter(~cold | (pl.col("n") == 1))))) == 1
    assert rl_over_cold(on(controlled.filter(~cold))) == []
    assert rl_over_cold(on(controlled, Pair("grpo", "grpo_v"))) == []


def test_over_each_verifier_of_the_base_method(controlled):
    found = {c: c(on(controlled))[0] for c in (over_confidence, over_brevity, over_judge, over_chain)}
    wanted = {over_confidence: 14, over_brevity: 19, over_judge: 20, over_chain: 10}
    for claim, row in found.items():
        assert row["id"] == claim.__name__ and row["ours"] == pytest.approx(wanted[claim])
        assert (row["bar"], row["bar_from"], row["verdict"]) == (0, "ours", "holds")
        assert "grpo_v over grpo with " in row["statement"]
        assert "both by weighted voting at N = 8, on test" in row["statement"]
        assert claim(on(controlled, Pair("grpo", "grpo_v", judge="nobody"))) == []


def test_on_the_same_solutions_own_scores_stand_against_majority(controlled):
    (own,) = over_majority(on(controlled))
    assert own["ours"] == pytest.approx(30) and own["detail"] == "80.0 % against 50.0 %"
    assert "grpo_v by weighted voting with its own scores over majority voting, N = 8" in own["statement"]
    plain = (pl.col("reasoner") == "grpo_v") & (pl.col("verifier") == "")
    assert over_majority(on(controlled.filter(~plain))) == []


def test_on_the_same_solutions_own_scores_stand_against_the_confidence(controlled):
    _, own = over_confidence(on(controlled))
    assert own["ours"] == pytest.approx(8)
    assert "grpo_v by weighted voting with its own scores over free's, N = 8" in own["statement"]
    without = controlled.filter((pl.col("reasoner") != "grpo_v") | (pl.col("verifier") != "free"))
    assert len(over_confidence(on(without))) == 1


def test_at_equal_tokens_each_pays_for_its_own_reading(controlled):
    # At N = 8 RL^V has 200 tokens: as many as the judge with 25 each at N = 8, ...
    assert "over weighted voting with judge at N = 8.0 (60.0 %)" in over_judge(on(controlled))[0]["detail"]
    # ... the chain with 100 each at N = 2, which has 50 %, ...
    (row,) = over_chain(on(controlled))
    assert "+30.0 [+30.0, +30.0] points over weighted voting with chain at N = 2.0 (50.0 %)" in row["detail"]
    # ... and a confidence, for 10 each, not even at N = 16.
    detail = over_brevity(on(controlled))[0]["detail"]
    assert "its largest N = 16 with 160 tokens stands in: +0.0" in detail
    # RL^V at N = 4 has 100 tokens, the rival's N = 10.
    assert "that it has (100, N = 4 against 10.0)" in detail
    dear = controlled.with_columns(
        tokens=pl.when(pl.col("verifier") == "chain").then(500.0 * pl.col("n")).otherwise("tokens")
    )
    detail = over_chain(on(dear))[0]["detail"]
    assert "is not possible; its N = 1 with 500 tokens stands in: +40.0" in detail


def test_what_a_control_lacks_is_named(controlled):
    other = controlled.with_columns(n=pl.when(pl.col("verifier") == "chain").then(3).otherwise("n"))
    with pytest.raises(DataError, match=r"on 'test' there is no N .* \(verifier 'chain'\)"):
        over_chain(on(other.unique(["problem_id", "reasoner", "verifier", "strategy", "n"])))


def test_over_the_best_untrained_vote(controlled):
    weighted, best = over_best(on(controlled))
    # At N = 16: 90 % by own scores; of the base method 80 % by judge, chain, confidence and brevity.
    assert weighted["ours"] == best["ours"] == pytest.approx(10)
    assert weighted["detail"].startswith(
        "by weighted voting with unified over weighted voting with brevity: 90"
    )
    assert (
        "grpo_v by weighted voting over grpo's best untrained vote, N = 16 on test" in weighted["statement"]
    )
    # A verifier that is trained apart is no such rival, nor one that the comparison does not name.
    assert on(controlled).rows("grpo").filter(pl.col("verifier") == "stranger")["accuracy"].max() == 0.95
    # Best of N is one, and on the other side, too.
    chosen = [
        rows("grpo", "judge", "best_of_n", [0.4, 0.5, 0.6, 0.7, 0.95]),
        rows("grpo_v", "unified", "best_of_n", [0.5, 0.6, 0.7, 0.8, 0.97]),
    ]
    weighted, best = over_best(on(pl.concat([controlled, *chosen])))
    assert weighted["ours"] == pytest.approx(-5) and weighted["verdict"] == "does not hold"
    assert best["ours"] == pytest.approx(2)
    assert best["detail"].startswith(
        "by best of n with unified over best of n with judge: 97.0 % against 95.0 %"
    )
    assert over_best(on(controlled, Pair("grpo", "grpo_v", judge="nobody"))) == []


def test_majority_stalls(controlled):
    (row,) = majority_stalls(on(controlled))
    # pass@16 is 100 %, majority voting 70 %; at N = 4 it was 50 %.
    assert row["ours"] == pytest.approx(30) and (row["bar"], row["verdict"]) == (5, "holds")
    assert row["detail"] == (
        "100.0 % against 70.0 %; from N = 4 to 16 majority voting changes by +20.0 [+20.0, +20.0] points"
    )
    few = controlled.filter(pl.col("n") <= 2)
    assert majority_stalls(on(few))[0]["detail"] == "60.0 % against 40.0 %"


def measured(*found):
    """A verification table: (reasoner, verifier, value), all give or take 0.05, of answered solutions."""
    return tables.frame(
        "verification",
        [
            {"dataset": "test", "reasoner": reasoner, "verifier": verifier, "budget": 64, "over": over}
            | {"metric": "within_auroc", "value": value, "low": value - 0.05, "high": value + 0.05}
            for reasoner, verifier, value in found
            for over, value in (("answered", value), ("all", 0.99))
        ],
    )


def test_within_problem(controlled):
    table = measured(
        ("grpo_v", "unified", 0.8), ("grpo", "judge", 0.6), ("grpo", "brevity", 0.7), ("grpo_v", "free", 0.75)
    )
    (row,) = within_problem(on(controlled, verification=table))
    assert (row["ours"], row["low"], row["high"]) == pytest.approx((0.8, 0.75, 0.85))
    assert (row["bar"], row["verdict"]) == (0.5, "holds")
    assert row["detail"] == (
        "on solutions of grpo: judge 0.600 [0.550, 0.650], brevity 0.700 [0.650, 0.750]; "
        "on solutions of grpo_v: free 0.750 [0.700, 0.800]"
    )
    assert within_problem(on(controlled)) == []
    assert within_problem(on(controlled, verification=measured(("grpo", "judge", 0.6)))) == []


def test_controls_take_training_seeds(controlled):
    again = controlled.filter(pl.col("reasoner") != "base_cold").with_columns(pl.col("reasoner") + "_seed1")
    pair = Pair("grpo", "grpo_v", replicas=SEEDS, cold="base_cold", confidence="free")
    evidence = on(pl.concat([controlled, again]), pair)
    claims = (rl_over_cold, over_majority, over_confidence, majority_stalls)
    found = [row for claim in claims for row in claim(evidence)]
    assert all(row["statement"].endswith("over 2 training seeds") for row in found)
    assert [row["ours"] for row in found] == pytest.approx([10, 5, 30, 14, 8, 30])
    # Each seed by itself, the first one first: the second is 20 points better by its own scores.
    better = (pl.col("reasoner") == "grpo_v_seed1") & (pl.col("verifier") == "unified")
    raised = again.with_columns(accuracy=pl.col("accuracy") + pl.when(better).then(0.2).otherwise(0.0))
    (row,) = over_majority(on(pl.concat([raised, controlled]), pair))
    assert row["ours"] == pytest.approx(40)
    assert row["detail"] == "90.0 % against 50.0 %; by seed +30.0, +50.0"
    # A seed whose solutions nobody scored is no seed with another number.
    lost = again.filter((pl.col("reasoner") != "grpo_seed1") | (pl.col("verifier") != "free"))
    with pytest.raises(DataError, match="no N at which"):
        over_confidence(on(pl.concat([controlled, lost]), pair))
    table = measured(("grpo_v", "unified", 0.8), ("grpo_v_seed1", "unified", 0.6))
    (row,) = within_problem(on(pl.concat([controlled, again]), pair, verification=table))
    assert row["ours"] == pytest.approx(0.7) and row["low"] < 0.6


def test_accuracies_stand_beside_the_share_of_unfinished_solutions(controlled):
    shares = {"grpo": 0.05, "grpo_v": 0.1, "grpo_seed1": 0.15, "grpo_v_seed1": 0.3, "base_cold": 0.25}
    curves = pl.DataFrame(
        [
            {"dataset": dataset, "reasoner": name, "n": n, "unfinished": share if dataset == "test" else 0.9}
            for name, share in shares.items()
            for dataset in ("test", "hard")
            for n in NS
        ]
    )
    (row,) = over_brevity(on(controlled, curves=curves))
    assert "60.0 %" not in row["detail"]
    assert "against 61.0 %; unfinished solutions: 10.0 % of grpo_v, 5.0 % of grpo; at equal" in row["detail"]
    _, own = over_confidence(on(controlled, curves=curves))
    assert own["detail"].endswith("; unfinished solutions: 10.0 % of grpo_v")
    assert rl_over_cold(on(controlled, curves=curves))[0]["detail"].endswith(
        "5.0 % of grpo, 25.0 % of base_cold"
    )
    again = controlled.filter(pl.col("reasoner") != "base_cold").with_columns(pl.col("reasoner") + "_seed1")
    pair = Pair("grpo", "grpo_v", replicas=SEEDS)
    (row,) = over_judge(on(pl.concat([controlled, again]), pair, curves=curves))
    assert "unfinished solutions: 20.0 % of grpo_v, 10.0 % of grpo;" in row["detail"]
    old = curves.with_columns(unfinished=pl.lit(None, pl.Float64))
    assert "unfinished" not in over_brevity(on(controlled, curves=old))[0]["detail"]
