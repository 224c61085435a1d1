"""Claims about allocations: their numbers are those of the savings, with the right bars."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.evaluation.claims.evidence import Evidence, Pair
from rlv.evaluation.claims.registry import CLAIMS, scoreboard

NAMES = {name for name, claim in CLAIMS.items() if claim.about == "allocated"}


def savings(reasoner="grpo_v", unit="flops", prices=("whole", "cached"), verifying=3.0, shuffled=0.9):
    """Ratios of every kind, with an interval of a tenth each way."""
    rows = []
    for price in prices:
        for n in (2, 4, 8, None):
            label = {"dataset": "test", "reasoner": reasoner, "price": price, "unit": unit, "n": n}
            ratios = [
                ("over_choice", "best_of_n", "judge", "none", 1.2),
                ("over_choice", "best_of_n", "judge", "oracle", 2.0 if price == "whole" else 5.0),
                ("over_choice", "best_of_n", "judge", "predicted", 0.5),
                ("over_choice", "best_of_n", "chain", "oracle", 4.0),
                ("over_bins", "", "", "oracle", 1.6),
                ("over_bins", "", "", "shuffled", shuffled),
                ("over_majority", "best_of_n", "chain", "", 9.0),
                ("over_majority", "weighted_voting", "chain", "", verifying),
            ]
            if n is None and price == "whole":
                ratios.append(("solve_faster", "weighted_voting", "chain", "", 0.2))
            for what, strategy, verifier, binning, ratio in ratios:
                row = {"what": what, "strategy": strategy, "verifier": verifier, "binning": binning}
                rows.append(label | row | {"ratio": ratio, "low": ratio - 0.1, "high": ratio + 0.1})
    return tables.frame("savings", rows)


def board(found, chain="chain"):
    reasoners = found["reasoner"].unique(maintain_order=True)
    pairs = tuple(Pair(name, name, "", chain=chain, method=name) for name in reasoners)
    empty = tables.frame("per_problem", [])
    return scoreboard([Evidence("test", (), empty, allocated=pairs, savings=found)])


def test_every_claim_has_a_row_for_each_reasoner():
    found = board(pl.concat([savings("a"), savings("b")]))
    assert set(found["id"]) == NAMES
    assert found.filter(id="compute_optimal")["method"].to_list() == ["a", "b"]
    assert set(found["dataset"]) == {"test"} and set(found["bar"]) == {0.0, 1.0, 1.2}
    assert found["statement"].is_unique().all() and max(map(len, found["statement"])) <= 175


def test_the_best_of_n_by_the_first_verifier_is_set_against_the_choice_by_pass_at_1():
    (row,) = board(savings()).filter(id="compute_optimal").to_dicts()
    assert (row["ours"], row["low"], row["high"]) == pytest.approx((2.0, 1.9, 2.1))
    assert row["verdict"] == "holds" and row["bar_from"] == "ours" and "4" in row["paper"]
    assert row["statement"].startswith("FLOPs (read whole) of") and "told with labels" in row["statement"]
    for said in (
        "one choice for all problems 1.20",
        "by mean scores, which are charged 0.50",
        "at the cached price 5.00",
        "over chain 4.00",
        "over that by difficulty 1.60",
    ):
        assert said in row["detail"]


def test_bins_that_know_nothing_must_not_gain():
    (row,) = board(savings()).filter(id="compute_optimal_null").to_dicts()
    assert (row["ours"], row["bar"], row["verdict"]) == (pytest.approx(0.9), 1.2, "holds")
    for ratio, verdict in ((1.0, "holds"), (1.15, "undecided"), (1.5, "does not hold")):
        (row,) = board(savings(shuffled=ratio)).filter(id="compute_optimal_null").to_dicts()
        assert row["verdict"] == verdict


def test_voting_comes_first_if_verifying_costs_more_or_never_gets_there():
    (row,) = board(savings()).filter(id="voting_first").to_dicts()
    assert (row["ours"], row["verdict"]) == (pytest.approx(3.0), "holds")
    assert "the best of N 9.00" in row["detail"] and "read whole" in row["statement"]
    (row,) = board(savings(verifying=0.5)).filter(id="voting_first").to_dicts()
    assert row["verdict"] == "does not hold"
    (row,) = board(savings(verifying=np.inf)).filter(id="voting_first").to_dicts()
    assert row["ours"] is None and row["verdict"] == "holds" and "2: never" in row["detail"]


def test_solutions_grow_faster_than_verdicts_if_the_difference_of_exponents_is_above_0():
    (row,) = board(savings()).filter(id="solve_faster").to_dicts()
    assert (row["ours"], row["bar"], row["verdict"]) == (pytest.approx(0.2), 0.0, "holds")


def test_without_a_judge_that_reasons_or_a_cached_price_nothing_is_said_of_them():
    found = board(
        savings(prices=("whole",), unit="solutions").filter(pl.col("what") != "solve_faster"), chain=None
    )
    assert set(found["id"]) == NAMES - {"voting_first", "solve_faster"}
    assert not found["detail"].str.contains("cached").any()
    assert found["statement"].str.starts_with("Solutions").all()
