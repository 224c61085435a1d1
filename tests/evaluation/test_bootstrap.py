"""Intervals against the normal approximation, and pairing."""

from __future__ import annotations

import numpy as np
import pytest

from rlv.evaluation.bootstrap import interval, paired, resampled_means, resamples


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
