"""Claims at equal N on tables whose numbers are known, and seeds in their intervals."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.evaluation.claims.evidence import HARD, OUT_OF_DOMAIN, Evidence, Pair
from rlv.evaluation.claims.parallel import (
    early_gain,
    easy_to_hard,
    efficiency,
    math_gain,
    out_of_domain,
    rl_gain,
)
from tests.evaluation.claims.tables_for_claims import NS, rows, two_methods

PAIR = Pair("grpo", "grpo_v")


def test_math_gain(per_problem):
    (row,) = math_gain(Evidence("test", (PAIR,), per_problem))
    assert row["ours"] == pytest.approx(125) and row["low"] == pytest.approx(125)
    assert (row["bar"], row["bar_from"], row["verdict"]) == (20, "paper", "reproduced")
    assert "grpo_v" in row["statement"] and "N = 16" in row["statement"] and "test" in row["statement"]
    assert "seeds" not in row["statement"] and "+50.0" in row["detail"]
    # The base method's best vote is by whoever read its solutions, and pass@N is no vote.
    assert (
        "(weighted voting with stranger, 95.0 %) -5.0 [-5.0, -5.0] points, -5.3 [-5.3, -5.3] %"
        in row["detail"]
    )
    judged = per_problem.filter(pl.col("verifier") != "stranger")
    (row,) = math_gain(Evidence("test", (PAIR,), judged))
    assert "(weighted voting with judge, 80.0 %) +10.0 [+10.0, +10.0] points, +12.5" in row["detail"]
    assert "at equal tokens (400 a problem" in row["detail"]


def test_efficiency(per_problem):
    (row,) = efficiency(Evidence("test", (PAIR,), per_problem))
    # N_ref 2, 4, 8, 16 are reached at N = 1, 1, 2, 4.
    assert row["ours"] == pytest.approx(4) and row["bar"] == 8 and row["verdict"] == "not reproduced"
    assert row["bar_from"] == "paper"
    assert "range 2.0 to 4.0" in row["detail"]
    # Majority voting is at N = 2 where it was at N = 1: the ratios to itself are 2, 1, 1 and 1.
    assert "grpo against itself 1.0, above 1 where its curve goes flat" in row["detail"]


@pytest.mark.parametrize(
    ("claim", "role", "name"),
    [(easy_to_hard, HARD, "easy_to_hard"), (out_of_domain, OUT_OF_DOMAIN, "out_of_domain")],
)
def test_generalization_is_the_same_gap_and_the_lead_at_equal_n(claim, role, name):
    gain, points = claim(Evidence("other", (PAIR,), two_methods("other"), role))
    assert gain["id"] == points["id"] == name
    assert gain["ours"] == pytest.approx(125) and gain["bar"] == 20
    assert points["ours"] == pytest.approx(20) and points["bar"] == 0
    # 20 % is what the paper says of MATH: here it is our bar.
    assert all((r["bar_from"], r["verdict"]) == ("ours", "holds") for r in (gain, points))
    assert "N = 16, on other" in points["statement"]
    assert all("at equal tokens (400 a problem" in r["detail"] for r in (gain, points))


def test_gains_in_points(per_problem):
    start = rows("base", "", "majority", [0.3] * 5)
    evidence = Evidence("test", (Pair("grpo", "grpo_v", start="base"),), pl.concat([per_problem, start]))
    # Weighted voting 70 and 80 % over majority 50 and 60 % at N = 4 and 8; 40 % over 30 % at N = 1.
    assert [r["ours"] for r in early_gain(evidence) + rl_gain(evidence)] == pytest.approx([20, 20, 10])
    # No start, or one that was not evaluated here: no claim.
    assert rl_gain(Evidence("test", (PAIR,), per_problem)) == []
    assert rl_gain(Evidence("test", (Pair("grpo", "grpo_v", start="base"),), per_problem)) == []


def test_a_number_without_meaning_decides_nothing(per_problem):
    silent = per_problem.with_columns(
        accuracy=pl.when(pl.col("reasoner") == "grpo").then(0.0).otherwise("accuracy")
    )
    (row,) = math_gain(Evidence("test", (PAIR,), silent))
    assert row["ours"] is None and row["verdict"] == "undecided"
    assert "undefined %" in row["detail"] and "nan" not in row["detail"] and "inf" not in row["detail"]


class TestSeeds:
    """A base method and RL^V, both trained three times."""

    SEEDS = (("grpo", "grpo_v"), ("grpo_seed1", "grpo_v_seed1"), ("grpo_seed2", "grpo_v_seed2"))
    PAIR = Pair("grpo", "grpo_v", replicas=SEEDS)

    def table(self, leads=(0.1, 0.2, 0.3), seed=0):
        """RL^V is ahead by another amount with each seed; problems are noisy but the same for both."""
        base = 0.3 + 0.2 * np.random.default_rng(seed).random(30)
        parts = []
        for (reasoner, unified), lead in zip(self.SEEDS, leads, strict=True):
            parts.append(rows(reasoner, "", "majority", [base] * 5))
            parts.append(rows(unified, "unified", "weighted_voting", [base + lead] * 5))
        return pl.concat(parts)

    def test_numbers_are_means_over_seeds_and_intervals_hold_their_spread(self):
        row = early_gain(Evidence("test", (self.PAIR,), self.table()))[0]
        assert row["ours"] == pytest.approx(20) and row["statement"].endswith("over 3 training seeds")
        # Two seeds out of three: from the worst alone to the best alone, 10 points off, widened.
        half = 10 * 4.3027 / 1.959964 * np.sqrt(3 / 2)
        assert (row["low"], row["high"]) == pytest.approx((20 - half, 20 + half))
        alone = early_gain(Evidence("test", (Pair("grpo", "grpo_v"),), self.table()))[0]
        assert (alone["low"], alone["high"]) == pytest.approx((10, 10)) and "seeds" not in alone["statement"]

    def test_every_claim_takes_seeds(self):
        evidence = Evidence("test", (self.PAIR,), self.table())
        gain = math_gain(evidence)[0]
        assert gain["low"] < gain["ours"] < gain["high"] and "3 training seeds" in gain["statement"]
        assert "3 training seeds" in efficiency(evidence)[0]["statement"]

    def test_a_separate_verifier_that_read_one_seed_alone_is_compared_on_it(self):
        table = pl.concat([self.table(), rows("grpo", "apart", "best_of_n", [0.4, 0.5, 0.6, 0.7, 0.8])])
        detail = math_gain(Evidence("test", (self.PAIR,), table))[0]["detail"]
        assert "best at N = 16 (majority, " in detail
        assert (
            "with one training seed (grpo_v) over the base method's best at N = 16 (best of n with" in detail
        )
        assert "with apart, 80.0 %)" in detail

    def test_an_untrained_side_stands_beside_every_seed(self):
        pair = Pair("grpo", "grpo_v", replicas=tuple(("grpo", unified) for _, unified in self.SEEDS))
        row = early_gain(Evidence("test", (pair,), self.table(leads=(0.0, 0.0, 0.3))))[0]
        assert row["ours"] == pytest.approx(10)

    def test_a_seed_that_is_missing_is_named_but_none_at_all_is_one_seed(self):
        table = self.table()
        first = table.filter(pl.col("reasoner").is_in(["grpo", "grpo_v"]))
        row = early_gain(Evidence("test", (self.PAIR,), first))[0]
        assert row["statement"].endswith("on test with one training seed (grpo_v)")
        lost = table.filter(pl.col("reasoner") != "grpo_v_seed2")
        with pytest.raises(DataError, match="'grpo_v_seed2' on 'test' has budgets"):
            early_gain(Evidence("test", (self.PAIR,), lost))


def test_what_is_missing_is_named(per_problem):
    def refuse(table, match, claim=math_gain, pair=PAIR):
        with pytest.raises(DataError, match=match):
            claim(Evidence("test", (pair,), table))

    refuse(per_problem, "'vine' on 'test' has budgets", pair=Pair("vine", "grpo_v"))
    refuse(per_problem, "a common N is needed", pair=Pair("grpo", "grpo_v", "head"))
    twice = pl.concat([per_problem, per_problem.with_columns(budget=pl.lit(32, pl.Int32))])
    refuse(twice, r"budgets \[32, 64\]")
    fewer = per_problem.filter((pl.col("reasoner") != "grpo") | (pl.col("problem_id") != "p7"))
    refuse(fewer, "problem 'p7' of 'test' is evaluated for only some")
    gap = per_problem.filter(
        (pl.col("reasoner") != "grpo") | (pl.col("problem_id") != "p7") | (pl.col("n") != 4)
    )
    refuse(gap, "lacks rows of 'grpo': majority .* at N = 4: 29 of 30", claim=efficiency)
    assert NS[2] == 4
