"""Log odds, and the logistic regression that a few numbers are fitted by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
# A probability of exactly 0 or 1 would outvote everything by its log odds.
CLIP = 1e-6
STEPS = 100


def logit(p: Floats) -> Floats:
    """ln(p / (1 - p)), of probabilities held CLIP away from 0 and 1; NaN stays."""
    clipped = np.clip(p, CLIP, 1 - CLIP)
    return np.log(clipped) - np.log1p(-clipped)


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), which neither overflows nor warns."""
    return np.exp(-np.logaddexp(0.0, -np.asarray(x, dtype=np.float64)))


def regression(design_RW: Floats, target_R: Floats, ridge: float) -> Floats:
    """The weights_W with the highest likelihood of targets in [0, 1], less ridge / 2 times their square.

    P(R) = sigmoid(design_RW @ weights_W). Newton's steps, halved until the loss falls.
    """

    def loss(at_W: Floats) -> float:
        z_R = design_RW @ at_W
        return float((np.logaddexp(0.0, z_R) - target_R * z_R).sum() + ridge * at_W @ at_W / 2)

    weights_W = np.zeros(design_RW.shape[1])
    for _ in range(STEPS):
        p_R = sigmoid(design_RW @ weights_W)
        slope_W = design_RW.T @ (p_R - target_R) + ridge * weights_W
        curve_WW = (design_RW * (p_R * (1 - p_R))[:, None]).T @ design_RW + ridge * np.eye(len(weights_W))
        step_W, size = np.linalg.solve(curve_WW, slope_W), 1.0
        while loss(weights_W - size * step_W) > loss(weights_W) and size > 1e-8:
            size /= 2
        weights_W = weights_W - size * step_W
        if np.abs(size * step_W).max() < 1e-10:
            break
    return weights_W
