"""What equal accuracy costs."""

from __future__ import annotations

import numpy as np
import pytest

from rlv.evaluation.allocation.bins import NONE
from rlv.evaluation.allocation.reaching import cost_to_reach
from rlv.evaluation.allocation.savings import over_bins, over_choice, over_majority

COSTS = np.array([[1.0, 2.0, 4.0, 8.0]])
RISING = np.array([[0.2, 0.4, 0.6, 0.8]])


def test_points_themselves_cost_what_they_cost():
    np.testing.assert_allclose(cost_to_reach(COSTS, RISING, RISING), COSTS)


def test_between_points_accuracy_is_linear_in_the_logarithm_or_in_the_cost():
    target = np.array([[0.5]])
    assert cost_to_reach(COSTS, RISING, target)[0, 0] == pytest.approx(np.sqrt(8))
    assert cost_to_reach(COSTS, RISING, target, mixed=True)[0, 0] == pytest.approx(3.0)


def test_below_the_first_point_nothing_is_saved_and_above_the_last_it_is_never_reached():
    found = cost_to_reach(COSTS, RISING, np.array([[0.1, 0.9]]))
    assert found.tolist() == [[1.0, np.inf]]


def test_the_order_of_points_means_nothing_and_a_curve_that_fell_was_there_earlier():
    order = [2, 0, 3, 1]
    shuffled = cost_to_reach(COSTS[:, order], RISING[:, order], RISING)
    np.testing.assert_allclose(shuffled, COSTS)
    falling = np.array([[0.2, 0.6, 0.5, 0.5]])
    assert cost_to_reach(COSTS, falling, np.array([[0.5]]))[0, 0] < 2


def curve(costs, accuracy):
    """A curve and two resamples that are the same."""
    return np.tile(costs, (3, 1)), np.tile(accuracy, (3, 1))


def median(rows, **wanted):
    (found,) = [r for r in rows if r["n"] is None and all(r[k] == v for k, v in wanted.items())]
    return found["ratio"]


def test_a_curve_at_half_the_price_saves_half_and_itself_nothing():
    ns = [1, 2, 4, 8]
    best = curve(COSTS[0], RISING[0])
    choices = {NONE: best, "oracle": curve(COSTS[0] / 2, RISING[0])}
    rows = over_choice(best, choices, ns)
    assert median(rows, binning=NONE) == pytest.approx(1)
    assert median(rows, binning="oracle") == pytest.approx(2)
    shared = over_bins(choices, COSTS[0], ns)
    assert median(shared, binning="oracle") == pytest.approx(2)
    assert {r["binning"] for r in shared} == {"oracle"}


def test_an_accuracy_that_is_never_reached_counts_against_the_curve():
    best = curve(COSTS[0], RISING[0])
    worse = curve(COSTS[0], RISING[0] / 4)
    assert median(over_choice(best, {NONE: worse}, [1, 2, 4, 8])) == 0
    assert np.isinf(median(over_majority(worse, best, [1, 2, 4, 8])))


def test_the_median_over_majority_is_of_small_budgets():
    ns = [2, 4, 8, 16]
    majority = curve(COSTS[0], RISING[0])
    verifying = curve([2.0, 4.0, 8.0, 8.1], RISING[0])
    assert median(over_majority(verifying, majority, ns)) == pytest.approx(2)
