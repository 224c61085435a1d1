"""Panels that learn from training problems: a logistic regression on members' scores, and the best of them.

Axes as in panels.py. A member's score enters as its clipped logit in units of its spread on the training
problems; one that gave no score counts as its mean there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rlv.evaluation.tallies import Bools, Floats, Ints
from rlv.evaluation.votes import expected_best

CLIP = 1e-6
# Keeps weights finite if a member separates right from wrong; against thousands of solutions it is nothing.
RIDGE = 1.0
STEPS = 50
# Of how many solutions the best is taken when a member is chosen.
BEST_OF = 8


@dataclass(frozen=True)
class Logistic:
    """Log odds = weights_V · (logits - mean_V) / spread_V + intercept."""

    weights_V: Floats
    intercept: float
    mean_V: Floats
    spread_V: Floats


def logits(scores_PSV: Floats) -> Floats:
    """ln(s / (1 - s)), clipped; NaN stays."""
    clipped_PSV = np.clip(scores_PSV, CLIP, 1 - CLIP)
    return np.log(clipped_PSV) - np.log1p(-clipped_PSV)


def logistic(scores_PSV: Floats, correct_PS: Bools) -> Logistic:
    """The regression of being right on the members' logits, by Newton's steps with a small ridge."""
    x_RV = logits(scores_PSV).reshape(-1, scores_PSV.shape[-1])
    known_RV = ~np.isnan(x_RV)
    counts_V = np.maximum(known_RV.sum(axis=0), 1)
    mean_V = np.where(known_RV, x_RV, 0.0).sum(axis=0) / counts_V
    spread_V = np.sqrt(np.where(known_RV, (x_RV - mean_V) ** 2, 0.0).sum(axis=0) / counts_V)
    spread_V = np.where(spread_V > 1e-9, spread_V, 1.0)
    centred_RV = np.nan_to_num((x_RV - mean_V) / spread_V)
    design_RW = np.concatenate([centred_RV, np.ones((len(x_RV), 1))], axis=1)
    right_R = correct_PS.reshape(-1).astype(np.float64)
    weights_W = np.zeros(design_RW.shape[1])
    for _ in range(STEPS):
        p_R = 1 / (1 + np.exp(-np.clip(design_RW @ weights_W, -30, 30)))
        slope_W = design_RW.T @ (right_R - p_R) - RIDGE * weights_W
        curve_WW = (design_RW * (p_R * (1 - p_R))[:, None]).T @ design_RW + RIDGE * np.eye(len(weights_W))
        step_W = np.linalg.solve(curve_WW, slope_W)
        weights_W = weights_W + step_W
        if np.abs(step_W).max() < 1e-10:
            break
    return Logistic(weights_W[:-1], float(weights_W[-1]), mean_V, spread_V)


def predicted(scores_PSV: Floats, fit: Logistic) -> Floats:
    """The probability of being right, p_PS; NaN where no member gave a score."""
    centred_PSV = np.nan_to_num((logits(scores_PSV) - fit.mean_V) / fit.spread_V)
    odds_PS = centred_PSV @ fit.weights_V + fit.intercept
    return np.where(np.isnan(scores_PSV).all(axis=-1), np.nan, 1 / (1 + np.exp(-np.clip(odds_PS, -30, 30))))


def best_member(scores_PSV: Floats, correct_PS: Bools, classes_PS: Ints) -> int:
    """The first member with the highest accuracy of the best of 8 solutions, or of all if there are fewer."""
    n = min(BEST_OF, classes_PS.shape[1])
    silent = np.nan_to_num(scores_PSV, nan=0.0)
    means = [
        float(expected_best(classes_PS, correct_PS, scores_S, n).mean())
        for scores_S in np.moveaxis(silent, -1, 0)
    ]
    return int(np.argmax(np.array(means) >= max(means) - 1e-12))
