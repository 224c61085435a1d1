"""Claims at equal N on tables whose numbers are known, and seeds in their intervals."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.evaluation.claims import HARD, OUT_OF_DOMAIN, Evidence, Pair
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
    assert row["bar"] == 20 and row["verdict"] == "reproduced"
    assert "grpo_v" in row["statement"] and "N = 16" in row["statement"] and "test" in row["statement"]
    assert "seeds" not in row["statement"] and "+50.0" in row["detail"]
    # The base method's best vote is by its own judge's scores, and pass@N is no vote.
    assert "+10.0" in row["detail"] and "weighted_voting with judge, 80.0 %" in row["detail"]


def test_efficiency(per_problem):
    (row,) = efficiency(Evidence("test", (PAIR,), per_problem))
    # N_ref 2, 4, 8, 16 are reached at N = 1, 1, 2, 4.
    assert row["ours"] == pytest.approx(4) and row["bar"] == 8 and row["verdict"] == "not reproduced"
    assert "range 2.0 to 4.0" in row["detail"]


@pytest.mark.parametrize(
    ("claim", "role", "name"),
    [(easy_to_hard, HARD, "easy_to_hard"), (out_of_domain, OUT_OF_DOMAIN, "out_of_domain")],
)
def test_generalization_is_the_same_gap_and_the_lead_at_equal_n(claim, role, name):
    gain, points = claim(Evidence("other", (PAIR,), two_methods("other"), role))
    assert gain["id"] == points["id"] == name
    assert gain["ours"] == pytest.approx(125) and gain["bar"] == 20
    assert points["ours"] == pytest.approx(20) and points["bar"] == 0
    assert "N = 16 on other" in points["statement"]


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
        # Two seeds out of three, each with half the weight: from the worst alone to the best alone.
        assert (row["low"], row["high"]) == pytest.approx((10, 30))
        alone = early_gain(Evidence("test", (Pair("grpo", "grpo_v"),), self.table()))[0]
        assert (alone["low"], alone["high"]) == pytest.approx((10, 10)) and "seeds" not in alone["statement"]

    def test_every_claim_takes_seeds(self):
        evidence = Evidence("test", (self.PAIR,), self.table())
        gain = math_gain(evidence)[0]
        assert gain["low"] < gain["ours"] < gain["high"] and "3 training seeds" in gain["statement"]
        assert "3 training seeds" in efficiency(evidence)[0]["statement"]

    def test_an_untrained_side_stands_beside_every_seed(self):
        pair = Pair("grpo", "grpo_v", replicas=tuple(("grpo", unified) for _, unified in self.SEEDS))
        row = early_gain(Evidence("test", (pair,), self.table(leads=(0.0, 0.0, 0.3))))[0]
        assert row["ours"] == pytest.approx(10)

    def test_a_seed_that_is_missing_is_named_but_none_at_all_is_one_seed(self):
        table = self.table()
        first = table.filter(pl.col("reasoner").is_in(["grpo", "grpo_v"]))
        assert "seeds" not in early_gain(Evidence("test", (self.PAIR,), first))[0]["statement"]
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
