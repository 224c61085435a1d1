"""Claims at equal tokens: a verifier that reads pays for it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.evaluation.claims import Evidence, Pair
from rlv.evaluation.claims.equal_compute import token_efficiency, token_gain
from rlv.evaluation.claims.parallel import early_gain, efficiency
from tests.evaluation.claims.tables_for_claims import rows

PAIR = Pair("grpo", "grpo_v")


def test_token_efficiency_is_efficiency_at_the_price_of_a_solution(per_problem):
    (row,) = token_efficiency(Evidence("test", (PAIR,), per_problem))
    # Four times fewer solutions, of 25 tokens (10 generated, 15 read) against 10.
    assert row["ours"] == pytest.approx(4 * 10 / 25) and row["bar"] == 1 and row["verdict"] == "reproduced"
    assert "in FLOPs 1.60 [1.60, 1.60]" in row["detail"] and "25.0 tokens" in row["detail"]


def test_reading_for_nothing_is_efficiency(per_problem):
    free = per_problem.with_columns(tokens=10.0 * pl.col("n"), flops=20.0 * pl.col("n"))
    evidence = Evidence("test", (PAIR,), free)
    assert token_efficiency(evidence)[0]["ours"] == pytest.approx(efficiency(evidence)[0]["ours"])
    for ours, same in zip(token_gain(evidence), early_gain(evidence), strict=True):
        assert ours["ours"] == pytest.approx(same["ours"])


def test_token_gain_interpolates_the_base_method(per_problem):
    four, eight = token_gain(Evidence("test", (PAIR,), per_problem))
    # At N = 4 RL^V has 100 tokens, the base method's N = 10: between 60 % at 8 and 70 % at 16.
    at_ten = 0.6 + 0.1 * np.log2(10 / 8)
    assert four["ours"] == pytest.approx(100 * (0.7 - at_ten)) and "N = 10.0" in four["detail"]
    # At N = 8 it has 200, more than the base method's 160 at N = 16, which stands in.
    assert eight["ours"] == pytest.approx(100 * (0.8 - 0.7)) and "beyond the 160 tokens" in eight["detail"]


def test_intervals_are_paired_in_tokens_too():
    rng = np.random.default_rng(0)
    level = rng.random(30)
    table = pl.concat(
        [
            rows("grpo", "", "majority", [level] * 5),
            rows("grpo_v", "unified", "weighted_voting", [level + 0.05] * 5),
        ]
    )
    row = token_gain(Evidence("test", (PAIR,), table))[0]
    assert (row["low"], row["high"]) == pytest.approx((5, 5))
