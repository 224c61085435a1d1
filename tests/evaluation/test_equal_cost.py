"""Interpolated accuracy against NumPy's own, curve by curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlv.evaluation.equal_cost import accuracy_at

COST = st.floats(-3, 3, width=32)


@given(st.lists(st.tuples(COST, st.floats(0, 1)), min_size=1, max_size=6, unique_by=lambda p: p[0]), COST)
@settings(deadline=None)
def test_agrees_with_numpy_on_any_order_and_beyond_the_ends(points, cost):
    costs, accuracies = (np.array(column) for column in zip(*points, strict=True))
    order = np.argsort(costs)
    wanted = np.interp(cost, costs[order], accuracies[order])
    assert accuracy_at(np.array(cost), costs, accuracies) == pytest.approx(wanted, abs=1e-6)


def test_every_row_is_a_curve_of_its_own():
    costs = np.array([[1.0, 2.0, 4.0], [10.0, 20.0, 40.0]])
    accuracies = np.array([[0.1, 0.3, 0.5], [0.0, 0.2, 0.6]])
    np.testing.assert_allclose(accuracy_at(np.array([3.0, 10.0]), costs, accuracies), [0.4, 0.0])


def test_points_of_equal_cost_give_one_of_them():
    assert accuracy_at(np.array(2.0), np.array([1.0, 2.0, 2.0]), np.array([0.1, 0.3, 0.5])) == 0.5
