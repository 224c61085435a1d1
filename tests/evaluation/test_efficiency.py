"""Solutions needed, on curves whose crossings are known."""

from __future__ import annotations

import numpy as np
import pytest

from rlv.errors import DataError
from rlv.evaluation.efficiency import efficiency, needed

NS = [1, 2, 4, 8, 16, 32]


def test_needed_interpolates_in_log2():
    curve = np.array([[0.1, 0.3, 0.5, 0.5, 0.9]])
    targets = np.array([[0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.95]])
    found = needed(curve, targets, [1, 2, 4, 8, 16])[0]
    np.testing.assert_allclose(found, [1, 1, 2**0.5, 2, 4, 8 * 2**0.5, 16, np.inf])
    grid = needed(curve, targets, [1, 2, 4, 8, 16], interpolate=False)[0]
    np.testing.assert_allclose(grid, [1, 1, 2, 2, 4, 16, 16, np.inf])


def test_rounding_is_no_difference():
    assert needed(np.array([[0.5, 1 - 1e-14]]), np.array([[1.0]]), [1, 2])[0, 0] == pytest.approx(2)


def test_the_first_crossing_counts():
    assert needed(np.array([[0.1, 0.6, 0.4, 0.8]]), np.array([[0.6]]), [1, 2, 4, 8])[0, 0] == 2


def test_a_shifted_curve_is_as_many_times_more_efficient():
    steps = np.arange(len(NS))
    reference = np.tile(0.1 + 0.1 * steps, (50, 1))
    found = efficiency(reference + 0.2, reference, NS)
    assert [r.ratio.value for r in found.ratios] == pytest.approx([1, 2, 4, 4, 4, 4])
    assert [r.measured for r in found.ratios] == pytest.approx([1, 2, 4, 4, 4, 4])
    assert found.median.value == found.median.low == found.median.high == pytest.approx(4)
    assert (found.lowest, found.highest) == pytest.approx((2, 4))


def test_what_is_never_reached_is_censored():
    reference = np.tile(0.1 + 0.1 * np.arange(len(NS)), (50, 1))
    found = efficiency(reference - 0.15, reference, NS)
    last = found.ratios[-1]
    assert not last.reached and last.ratio.value == 0 and last.censored == 1 and last.measured == 0
    # Half a step below: one and a half steps further to go.
    assert found.ratios[1].ratio.value == pytest.approx(2**-1.5)
    assert found.lowest == 0


def test_interval_covers_noise_between_problems():
    rng = np.random.default_rng(0)
    level = 0.1 + 0.1 * np.arange(len(NS))
    reference = (rng.random((400, len(NS))) < level).astype(float)
    ours = (rng.random((400, len(NS))) < level + 0.2).astype(float)
    found = efficiency(ours, reference, NS)
    assert found.median.low <= 4 <= found.median.high
    assert 0 < found.median.high - found.median.low < 6


def test_prices_turn_solutions_into_costs():
    steps = np.arange(len(NS))
    reference = np.tile(0.1 + 0.1 * steps, (50, 1))
    # Four times fewer solutions, each five times as dear on half of the problems, three times on the rest.
    prices = np.stack([np.where(np.arange(50) < 25, 50.0, 30.0), np.full(50, 10.0)], axis=1)
    found = efficiency(reference + 0.2, reference, NS, prices_P2=prices)
    assert found.median.value == pytest.approx(4 / 4) and found.ratios[0].ratio.value == pytest.approx(1 / 4)
    assert found.median.low < 1 < found.median.high and found.ratios[2].measured == pytest.approx(1)


def test_seeds_are_rows_of_the_same_problems():
    reference = np.tile(0.1 + 0.1 * np.arange(len(NS)), (50, 1))
    once = efficiency(reference + 0.2, reference, NS)
    both = np.concatenate([reference, reference])
    twice = efficiency(both + 0.2, both, NS, replicates=2)
    assert twice.median == once.median


def test_bad_shapes_are_refused():
    curve = np.zeros((3, 2))
    with pytest.raises(DataError, match="ascending"):
        efficiency(curve, curve, [2, 1])
    with pytest.raises(DataError, match="ascending"):
        efficiency(curve, curve, [1, 2, 4])
    with pytest.raises(DataError, match="2 or more"):
        efficiency(curve[:, :1], curve[:, :1], [1])


def test_a_curve_is_worth_itself_at_equal_prices_even_where_it_falls():
    falling = np.tile([0.2, 0.4, 0.5, 0.45, 0.4, 0.4, 0.4][: len(NS)], (50, 1))
    one = np.ones((50, 2))
    found = efficiency(falling, falling, NS, prices_P2=one)
    assert [r.ratio.value for r in found.ratios] == pytest.approx([1.0] * len(NS))
    assert (found.median.low, found.median.high) == pytest.approx((1.0, 1.0))
    # Counted in solutions, N_ref is what the reference was given, needed or not; and said to be.
    counted = efficiency(falling, falling, NS)
    assert counted.ratios[-1].ratio.value == pytest.approx(counted.ratios[-1].itself)
    assert counted.ratios[-1].itself > 1.0
