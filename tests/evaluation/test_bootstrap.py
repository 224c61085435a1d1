"""Intervals against the normal approximation, and pairing."""

from __future__ import annotations

import numpy as np
import pytest

from rlv.evaluation.bootstrap import interval, paired, resampled_means, resamples, student_quantile


def test_interval_of_a_mean_is_the_normal_one():
    values_PK = np.random.default_rng(0).random((2000, 1))
    found = paired(values_PK, lambda m: m[..., 0], draws=4000, seed=1)
    error = values_PK.std() / np.sqrt(2000)
    assert found.value == pytest.approx(values_PK.mean())
    assert found.low == pytest.approx(found.value - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(found.value + 1.96 * error, abs=0.15 * error)


def test_interval_of_a_ratio_is_the_delta_method():
    rng = np.random.default_rng(1)
    base = rng.random(3000) + 0.5
    values_PK = np.stack([base * 1.5 + rng.normal(0, 0.1, 3000), base], axis=1)
    found = paired(values_PK, lambda m: m[..., 0] / m[..., 1], draws=4000, seed=2)
    top, bottom = values_PK.T
    ratio = top.mean() / bottom.mean()
    error = (top - ratio * bottom).std() / bottom.mean() / np.sqrt(3000)
    assert found.value == pytest.approx(ratio)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.08)


def test_differences_are_paired():
    base = np.random.default_rng(0).random(100)
    found = paired(np.stack([base + 0.1, base], axis=1), lambda m: m[..., 0] - m[..., 1])
    assert found.low == pytest.approx(0.1) and found.high == pytest.approx(0.1)


def test_resamples_are_fixed_by_their_seed_and_draw_every_problem_alike():
    counts_DP = resamples(50, 2000, seed=3)
    assert (counts_DP.sum(axis=1) == 50).all()
    np.testing.assert_allclose(counts_DP.mean(axis=0), 1, atol=0.12)
    assert (counts_DP == resamples(50, 2000, seed=3)).all()
    assert (counts_DP != resamples(50, 2000, seed=4)).any()


def test_resampled_means_are_means_of_the_drawn_problems():
    values_PK = np.arange(6.0).reshape(3, 2)
    drawn = np.concatenate([values_PK[[0]], values_PK[[2]], values_PK[[2]]])
    np.testing.assert_allclose(resampled_means(values_PK, np.array([[1.0, 0.0, 2.0]]))[0], drawn.mean(axis=0))


def test_undefined_draws_are_left_out():
    draws = np.linspace(0, 1, 101)[:, None] * np.ones((1, 3))
    draws[::2, 1], draws[:, 2] = np.nan, np.nan
    low, high = interval(draws)
    assert low[0] == pytest.approx(0.025) and high[0] == pytest.approx(0.975)
    assert 0 < low[1] < high[1] < 1
    assert np.isnan(low[2]) and np.isnan(high[2])


def test_seeds_and_problems_are_drawn_apart():
    counts_DP = resamples(7, 50, seed=3)
    weights_DRP = resamples(7, 50, seed=3, replicates=3).reshape(50, 3, 7)
    np.testing.assert_allclose(weights_DRP.sum(axis=(1, 2)), 3 * 7)
    # The same problems as with one seed, whatever seeds were drawn.
    np.testing.assert_allclose(weights_DRP.mean(axis=1), counts_DP)
    # Every row is the product of its seed's and its problem's weight; seeds deviate from 1 by a factor more
    # than two of three draws, each for 3 / 2, would.
    seeds_DR = weights_DRP.mean(axis=2)
    np.testing.assert_allclose(weights_DRP, seeds_DR[:, :, None] * counts_DP[:, None, :])
    factor = 4.3027 / 1.96 * np.sqrt(3 / 2)
    assert set(np.round((seeds_DR.ravel() - 1) / factor, 3)) == {-1.0, 0.5, 2.0}


@pytest.mark.parametrize(("replicates", "least"), [(2, 0.88), (3, 0.93), (5, 0.93)])
def test_intervals_over_seeds_cover_what_they_say(replicates, least):
    # One problem effect of no size, so that the spread over seeds is all there is: the hardest case.
    rng = np.random.default_rng(5)
    covered = 0
    for i in range(1000):
        seeds_R = rng.standard_normal(replicates)
        found = paired(
            np.repeat(seeds_R, 3)[:, None], lambda m: m[..., 0], draws=400, seed=i, replicates=replicates
        )
        covered += found.low <= 0 <= found.high
    assert least <= covered / 1000 <= 0.99


def test_intervals_over_seeds_and_problems_cover_too():
    rng = np.random.default_rng(6)
    covered = 0
    for i in range(600):
        seeds_R, problems_P = 0.3 * rng.standard_normal(3), rng.standard_normal(30)
        values_Q1 = (seeds_R[:, None] + problems_P).reshape(-1, 1)
        found = paired(values_Q1, lambda m: m[..., 0], draws=400, seed=i, replicates=3)
        covered += found.low <= 0 <= found.high
    assert 0.93 <= covered / 600 <= 0.995


def test_students_quantiles():
    # From tables: 15 and 30 degrees of freedom lie beyond the one that is used.
    assert student_quantile(2) == pytest.approx(4.3027)
    assert student_quantile(15) == pytest.approx(2.1314, abs=0.02)
    assert student_quantile(30) == pytest.approx(2.0423, abs=0.005)


def test_seeds_widen_the_interval_and_equal_seeds_do_not():
    values_P1 = np.random.default_rng(2).random((40, 1))
    plain = paired(values_P1, lambda m: m[..., 0])
    same = paired(np.tile(values_P1, (3, 1)), lambda m: m[..., 0], replicates=3)
    assert (same.low, same.value, same.high) == pytest.approx((plain.low, plain.value, plain.high))
    shifted = np.concatenate([values_P1 - 0.2, values_P1, values_P1 + 0.2])
    wide = paired(shifted, lambda m: m[..., 0], replicates=3)
    assert wide.value == pytest.approx(plain.value)
    assert wide.high - wide.low > 1.5 * (plain.high - plain.low)
    with pytest.raises(ValueError, match="10 rows of 3 replicates"):
        paired(np.zeros((10, 1)), lambda m: m[..., 0], replicates=3)
