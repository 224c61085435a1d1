"""Log odds and the regression by them: inverses, first-order conditions, and what no likelihood bounds."""

from __future__ import annotations

import numpy as np
import pytest

from rlv.logistic import CLIP, logit, regression, sigmoid


def test_log_odds_and_their_inverse():
    p = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(logit(p), np.log(p / (1 - p)))
    np.testing.assert_allclose(sigmoid(logit(p)), p)
    np.testing.assert_allclose(sigmoid(logit(np.array([0.0, 1.0]))), [CLIP, 1 - CLIP])
    assert np.isnan(logit(np.array([np.nan])))[0]


def test_far_from_0_nothing_overflows():
    with np.errstate(all="raise", under="ignore"):
        assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("ridge", [1e-6, 1.0])
def test_at_the_maximum_nothing_rises(ridge):
    rng = np.random.default_rng(0)
    design = np.concatenate([rng.normal(size=(200, 2)), np.ones((200, 1))], axis=1)
    target = (rng.random(200) < sigmoid(design @ [1.0, -2.0, 0.5])).astype(float)
    found = regression(design, target, ridge)
    slope = design.T @ (sigmoid(design @ found) - target) + ridge * found
    np.testing.assert_allclose(slope, 0.0, atol=1e-7)


def test_what_separates_right_from_wrong_has_finite_weights():
    design = np.array([[-1.0, 1.0], [1.0, 1.0]])
    assert np.isfinite(regression(design, np.array([0.0, 1.0]), 1e-6)).all()
    # Of equal rows only the sum of weights is known; the ridge shares it.
    equal = regression(np.ones((10, 2)), np.repeat([0.0, 1.0], [3, 7]), 1e-6)
    np.testing.assert_allclose(equal, np.log(7 / 3) / 2, rtol=1e-4)
