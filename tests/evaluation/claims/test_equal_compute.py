"""Claims at equal tokens: a verifier that reads pays for it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.evaluation.claims.equal_compute import token_efficiency, token_gain
from rlv.evaluation.claims.equal_tokens import beside, cached, covered_n, match
from rlv.evaluation.claims.evidence import Evidence, Pair
from rlv.evaluation.claims.parallel import early_gain, efficiency
from tests.evaluation.claims.tables_for_claims import rows

PAIR = Pair("grpo", "grpo_v")


def test_token_efficiency_is_efficiency_at_the_price_of_a_solution(per_problem):
    (row,) = token_efficiency(Evidence("test", (PAIR,), per_problem))
    # Four times fewer solutions, of 25 tokens (10 generated, 15 read) against 10.
    assert row["ours"] == pytest.approx(4 * 10 / 25) and (row["bar"], row["bar_from"], row["verdict"]) == (
        1,
        "ours",
        "holds",
    )
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
    assert (
        eight["ours"] == pytest.approx(100 * (0.8 - 0.7)) and "N = 16 has only 160 tokens" in eight["detail"]
    )
    assert "with as many tokens" in four["statement"] and "with as many" not in eight["statement"]
    assert "majority at N = 16 (fewer tokens)" in eight["statement"]


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


def test_beside_a_claim_at_equal_n_stands_one_at_equal_tokens(per_problem):
    evidence = Evidence("test", (PAIR,), per_problem)
    # At N = 16 RL^V has 400 tokens, majority voting at most 160; at N = 4 it has 100, at N = 8 200.
    assert covered_n(evidence, PAIR) == 4 and evidence.base_ns(PAIR) == [1, 2, 4, 8, 16]
    said = beside(evidence, PAIR, 16)
    assert "(400 a problem" in said and "largest N = 16 with 160 tokens stands in: +20.0" in said
    assert "that it has (100, N = 4 against 10.0) +6.8 [+6.8, +6.8] points (70.0 % against 63.2 %)" in said
    assert "read whole) +6.8 [+6.8, +6.8] points over majority voting at N = 10.0 (63.2 %); " in beside(
        evidence, PAIR, 4
    )


def test_with_keys_and_values_kept_the_same_is_beside_it(per_problem):
    evidence = Evidence("test", (PAIR,), per_problem)
    # Of 15 tokens that are read 2 are new: at N = 4 RL^V has 48, the base method's N = 4.8.
    there = 100 * (0.5 + 0.1 * np.log2(4.8 / 4))
    gap = f"{70 - there:+.1f}"
    said = f"with keys and values kept {gap} [{gap}, {gap}] points at 48 tokens over N = 4.8 ({there:.1f} %)"
    assert cached(evidence, PAIR, 4) == said and beside(evidence, PAIR, 4).endswith(said)
    assert said in token_gain(evidence)[0]["detail"]
    # At N = 16 it has 192, and majority voting at most 160.
    assert "points at 192 tokens over N = 16.0 (70.0 %, the largest, with fewer tokens)" in cached(
        evidence, PAIR, 16
    )
    (row,) = token_efficiency(evidence)
    ratio = 4 * 10 / 12
    assert f"with keys and values kept 12.0, ratio {ratio:.2f}" in row["detail"]
    assert row["ours"] == pytest.approx(4 * 10 / 25)  # the headline stays that of reading whole
    for found in (row, *token_gain(evidence)):
        assert "read whole" in found["statement"]


def test_a_price_that_old_scores_do_not_have_is_left_out_and_named(per_problem):
    unknown = pl.when(pl.col("verifier") == "")
    old = per_problem.with_columns(unknown.then(c).alias(c) for c in ("tokens_new", "flops_new"))
    evidence, new = Evidence("test", (PAIR,), old), Evidence("test", (PAIR,), per_problem)
    said = "with keys and values kept not known, from scores of older versions"
    assert cached(evidence, PAIR, 4) == said and beside(evidence, PAIR, 16).endswith(said)
    for claim in (token_gain, token_efficiency):
        for row, same in zip(claim(evidence), claim(new), strict=True):
            assert said in row["detail"] and "nan" not in row["detail"]
            assert {**row, "detail": ""} == {**same, "detail": ""}


def test_the_base_method_may_have_more_solutions_than_rl_v(per_problem):
    more = rows("grpo", "", "majority", [0.8, 0.9], ns=[32, 64])
    evidence = Evidence("test", (PAIR,), pl.concat([per_problem, more]))
    assert covered_n(evidence, PAIR) == 16 and evidence.common_ns(PAIR)[-1] == 16
    # 400 tokens are N = 40 of the base method.
    found = match(evidence, PAIR, 16)
    assert found.covered and found.equal_n == pytest.approx(40)
    assert found.points.value == pytest.approx(100 * (0.9 - 0.8 - 0.1 * np.log2(40 / 32)))


def test_reading_may_cost_more_than_the_base_method_ever_spent(per_problem):
    dear = per_problem.with_columns(
        tokens=pl.when(pl.col("verifier") == "unified").then(1e4).otherwise("tokens")
    )
    evidence = Evidence("test", (PAIR,), dear)
    assert covered_n(evidence, PAIR) is None and "that it has" not in beside(evidence, PAIR, 4)
