"""The ratio of two accuracies: its interval keeps the resamples in which the lower one is zero."""

import numpy as np
import pytest

from rlv.evaluation.bootstrap import resamples
from rlv.evaluation.ratio import divided, ordered_interval, ratio


def test_a_constant_ratio_has_no_width():
    below_P = np.array([0.1, 0.4, 0.2, 0.3])
    estimate = ratio(1.5 * below_P, below_P, draws=200, seed=0)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((1.5, 1.5, 1.5))


def test_the_ends_are_ratios_of_resamples_and_hold_95_percent_of_them():
    rng = np.random.default_rng(1)
    above_P, below_P = rng.random(30), rng.random(30)
    estimate = ratio(above_P, below_P, draws=999, seed=3)
    each = [
        np.repeat(above_P, counts.astype(int)).sum() / np.repeat(below_P, counts.astype(int)).sum()
        for counts in resamples(30, 999, 3)
    ]
    assert estimate.value == pytest.approx(above_P.sum() / below_P.sum())
    assert min(abs(np.array(each) - estimate.low)) < 1e-12
    assert sum(r < estimate.low - 1e-12 for r in each) == 24
    assert sum(r > estimate.high + 1e-12 for r in each) == 24


def test_resamples_in_which_the_lower_one_is_zero_make_the_upper_end_unbounded():
    # One of four problems is solved: a resample misses it with probability (3/4)^4, about a third.
    estimate = ratio(np.array([1.0, 1, 1, 1]), np.array([1.0, 0, 0, 0]), draws=1000, seed=0)
    assert estimate.value == pytest.approx(4)
    assert 1 <= estimate.low < 4
    assert estimate.high == np.inf


def test_over_zero_the_ratio_is_undefined_and_its_ends_are_unbounded():
    estimate = ratio(np.array([0.5, 0.5]), np.zeros(2), draws=50, seed=0)
    assert np.isnan(estimate.value)
    assert estimate.low == estimate.high == np.inf


def test_zero_over_zero_is_left_out():
    estimate = ratio(np.zeros(3), np.zeros(3), draws=50, seed=0)
    assert np.isnan([estimate.value, estimate.low, estimate.high]).all()
    assert ordered_interval(np.array([np.nan, 2.0, np.nan])) == (2.0, 2.0)
    # Both are right on the same problem alone: where a resample has it, the ratio is exactly two.
    estimate = ratio(np.array([1.0, 0, 0]), np.array([0.5, 0, 0]), draws=500, seed=0)
    assert (estimate.value, estimate.low, estimate.high) == (2.0, 2.0, 2.0)


def test_training_seeds_are_drawn_too():
    above_Q = np.array([0.8, 0.8, 0.4, 0.4])  # two seeds of two problems: only the seeds differ
    below_Q = np.full(4, 0.4)
    estimate = ratio(above_Q, below_Q, draws=400, seed=0, replicates=2)
    # A resample draws one seed, 0.2 off the mean of 0.6, widened by Student's t; no accuracy is below 0.
    high = (0.6 + 0.2 * 12.7062 / 1.959964 * np.sqrt(2)) / 0.4
    assert (estimate.low, estimate.value, estimate.high) == pytest.approx((0.0, 1.5, high))


def test_different_rows_are_an_error():
    with pytest.raises(ValueError, match="3 rows over 2"):
        ratio(np.ones(3), np.ones(2), draws=10, seed=0)
    with pytest.raises(ValueError, match="3 rows of 2 replicates"):
        ratio(np.ones(3), np.ones(3), draws=10, seed=0, replicates=2)


def test_divided():
    got = divided(np.array([1.0, 1.0, 0.0, 0.0]), np.array([2.0, 0.0, 0.0, 1.0]))
    np.testing.assert_array_equal(got, [0.5, np.inf, np.nan, 0.0])
