"""Panels that learn from training problems: a logistic regression on members' scores, and the best of them.

Axes as in panels.py. A member's score enters as its clipped logit in units of its spread on the training
problems; one that gave no score counts as its mean there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rlv.evaluation.tallies import Bools, Floats, Ints
from rlv.evaluation.votes import expected_best
from rlv.logistic import logit, regression, sigmoid

# Keeps weights finite if a member separates right from wrong; against thousands of solutions it is nothing.
RIDGE = 1.0
# Of how many solutions the best is taken when a member is chosen.
BEST_OF = 8


@dataclass(frozen=True)
class Logistic:
    """Log odds = weights_V · (logits - mean_V) / spread_V + intercept."""

    weights_V: Floats
    intercept: float
    mean_V: Floats
    spread_V: Floats


def logistic(scores_PSV: Floats, correct_PS: Bools) -> Logistic:
    """The regression of being right on the members' logits, with a small ridge."""
    x_RV = logit(scores_PSV).reshape(-1, scores_PSV.shape[-1])
    known_RV = ~np.isnan(x_RV)
    counts_V = np.maximum(known_RV.sum(axis=0), 1)
    mean_V = np.where(known_RV, x_RV, 0.0).sum(axis=0) / counts_V
    spread_V = np.sqrt(np.where(known_RV, (x_RV - mean_V) ** 2, 0.0).sum(axis=0) / counts_V)
    spread_V = np.where(spread_V > 1e-9, spread_V, 1.0)
    centred_RV = np.nan_to_num((x_RV - mean_V) / spread_V)
    design_RW = np.concatenate([centred_RV, np.ones((len(x_RV), 1))], axis=1)
    weights_W = regression(design_RW, correct_PS.reshape(-1).astype(np.float64), RIDGE)
    return Logistic(weights_W[:-1], float(weights_W[-1]), mean_V, spread_V)


def predicted(scores_PSV: Floats, fit: Logistic) -> Floats:
    """The probability of being right, p_PS; NaN where no member gave a score."""
    centred_PSV = np.nan_to_num((logit(scores_PSV) - fit.mean_V) / fit.spread_V)
    odds_PS = centred_PSV @ fit.weights_V + fit.intercept
    return np.where(np.isnan(scores_PSV).all(axis=-1), np.nan, sigmoid(odds_PS))


def best_member(scores_PSV: Floats, correct_PS: Bools, classes_PS: Ints) -> int:
    """The first member with the highest accuracy of the best of 8 solutions, or of all if there are fewer."""
    n = min(BEST_OF, classes_PS.shape[1])
    silent = np.nan_to_num(scores_PSV, nan=0.0)
    means = [
        float(expected_best(classes_PS, correct_PS, scores_S, n).mean())
        for scores_S in np.moveaxis(silent, -1, 0)
    ]
    return int(np.argmax(np.array(means) >= max(means) - 1e-12))
