"""What a curve reaches at a given cost: accuracy between two measured points, for methods of unequal prices.

Accuracy is taken as linear between neighbouring points (pass logarithms of costs to make it linear in those).
Linear in the cost itself is what a mixture reaches that treats some problems one way and the rest the other.
Nothing is extrapolated: beyond its ends a curve is held at the last point.
"""

from __future__ import annotations

import numpy as np

from rlv.evaluation.bootstrap import Floats


def accuracy_at(cost_D: Floats, costs_DK: Floats, accuracy_DK: Floats) -> Floats:
    """Accuracy of each of D curves (K points each, in any order) at one cost each: accuracy_D.

    Any leading axes. Points of equal cost: the last one given counts.
    """
    order_DK = np.argsort(costs_DK, axis=-1, kind="stable")
    costs_DK = np.take_along_axis(costs_DK, order_DK, axis=-1)
    accuracy_DK = np.take_along_axis(accuracy_DK, order_DK, axis=-1)
    cost_D1 = np.asarray(cost_D)[..., None]
    below_D1 = (costs_DK <= cost_D1).sum(axis=-1, keepdims=True)
    left_D1 = np.clip(below_D1 - 1, 0, costs_DK.shape[-1] - 1)
    right_D1 = np.clip(below_D1, 0, costs_DK.shape[-1] - 1)
    at_left_D1, at_right_D1 = (np.take_along_axis(costs_DK, at, axis=-1) for at in (left_D1, right_D1))
    step_D1 = at_right_D1 - at_left_D1
    share_D1 = np.divide(cost_D1 - at_left_D1, step_D1, out=np.zeros_like(step_D1), where=step_D1 > 0)
    left, right = (np.take_along_axis(accuracy_DK, at, axis=-1) for at in (left_D1, right_D1))
    return (left + share_D1 * (right - left))[..., 0]
