"""Weaver's label model in closed form: how far to trust verifiers, from where they agree, without labels.

Weaver (Saad-Falcon et al. 2025, arXiv 2506.18203) fits P(vote | right) to the second moments of binary votes
at a given share p of right solutions. If votes are independent given the truth, nothing need be fitted. With
centred votes c_j, a_j = TPR_j - FPR_j and q = p (1 - p):

    E[c_j c_k] = a_j a_k q        of two verifiers: b_j = a_j sqrt(q) is its rank-one factor
    E[c_i c_j c_k] = b_i b_j b_k g, g = (1 - 2 p) / sqrt(q)       of three, which gives p if nobody knows it

A verifier j with the share mu_j of approvals then has TPR_j = mu_j + (1 - p) a_j and FPR_j = mu_j - p a_j.
A score is the posterior of its votes. Nothing here sees which solutions are right.

Axes: S solutions of P problems by V verifiers, or R rows of them; NaN where a verifier gave no score.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from rlv.evaluation.tallies import Floats
from rlv.logistic import sigmoid

# A rate of exactly 0 or 1 would outvote everything.
RATES = (0.01, 0.99)
# A verifier that approves less or more than this is left out while enough others remain (Weaver's `drop`).
APPROVALS = (0.1, 0.9)
# Fewer than this have no unique factor.
FEWEST = 3
ROUNDS = 1000


@dataclass(frozen=True)
class Rates:
    """What the label model finds: p, and the shares of right and of wrong that each verifier approves."""

    balance: float
    true_V: Floats
    false_V: Floats


def binary(scores_PSV: Floats) -> Floats:
    """Votes 0 or 1: is a score in the upper half of the range that its verifier has on the whole data set?

    As Weaver has it, so that no calibration is needed. NaN stays; a verifier of one score for all casts 0.
    """
    low_V, high_V = (_ends(scores_PSV, end) for end in (np.fmin, np.fmax))
    middle_V = (low_V + high_V) / 2
    return np.where(np.isnan(scores_PSV), np.nan, (scores_PSV >= middle_V) & (high_V > low_V))


def _ends(scores_PSV: Floats, end: np.ufunc) -> Floats:
    return end.reduce(scores_PSV.reshape(-1, scores_PSV.shape[-1]), axis=0)


def label_model(scores_PSV: Floats, balance: float | None) -> Floats:
    """The posterior that each solution is right, posterior_PS; NaN where no verifier gave a score.

    `balance`: the share of right solutions, of other problems; None: from third moments. Raises ValueError
    for fewer than three verifiers.
    """
    votes_PSV = binary(scores_PSV)
    votes_RV = votes_PSV.reshape(-1, votes_PSV.shape[-1])
    approving_V = _mean(votes_RV)
    useful_V = (approving_V > APPROVALS[0]) & (approving_V < APPROVALS[1])
    if useful_V.sum() >= FEWEST:
        votes_PSV, votes_RV = votes_PSV[..., useful_V], votes_RV[:, useful_V]
    return posterior(votes_PSV, fitted(votes_RV, balance))


def fitted(votes_RV: Floats, balance: float | None = None) -> Rates:
    """The rates behind binary votes. Raises ValueError for fewer than three verifiers."""
    if votes_RV.shape[1] < FEWEST:
        raise ValueError(f"a label model needs {FEWEST} verifiers or more, found {votes_RV.shape[1]}")
    approving_V = _mean(votes_RV)
    centred_RV = votes_RV - approving_V
    factor_V = rank_one(_moments(centred_RV))
    p = float(np.clip(base_rate(centred_RV, factor_V) if balance is None else balance, *RATES))
    ahead_V = factor_V / np.sqrt(p * (1 - p))
    true_V, false_V = approving_V + (1 - p) * ahead_V, approving_V - p * ahead_V
    return Rates(p, np.clip(true_V, *RATES), np.clip(false_V, *RATES))


def posterior(votes_PSV: Floats, rates: Rates) -> Floats:
    """sigmoid(logit p + sum of the votes' log likelihood ratios); a missing vote adds nothing."""
    yes_V = np.log(rates.true_V / rates.false_V)
    no_V = np.log((1 - rates.true_V) / (1 - rates.false_V))
    said_PSV = np.nan_to_num(np.where(votes_PSV > 0, yes_V, no_V) + 0 * votes_PSV)
    total_PS = np.log(rates.balance / (1 - rates.balance)) + said_PSV.sum(axis=-1)
    return np.where(np.isnan(votes_PSV).all(axis=-1), np.nan, sigmoid(total_PS))


def rank_one(moments_VV: Floats) -> Floats:
    """b_V with b b' nearest to a symmetric matrix off its diagonal, by alternating least squares.

    Of the two signs, the one by which most verifiers are better than chance.
    """
    off_VV = np.where(np.eye(len(moments_VV), dtype=bool), 0.0, moments_VV)
    values, vectors = np.linalg.eigh(off_VV)
    b_V = vectors[:, -1] * np.sqrt(max(values[-1], 0.0))
    for _ in range(ROUNDS):
        before_V = b_V.copy()
        for j in range(len(b_V)):
            others = (b_V**2).sum() - b_V[j] ** 2
            b_V[j] = (off_VV[j] @ b_V) / others if others > 0 else 0.0
        if np.abs(b_V - before_V).max() < 1e-12:
            break
    negative = (np.sign(b_V).sum(), b_V.sum()) < (0.0, 0.0)
    return -b_V if negative else b_V


def base_rate(centred_RV: Floats, factor_V: Floats) -> float:
    """p by the third moments of centred votes; 1/2 if the factor says nothing."""
    triples = list(combinations(range(len(factor_V)), 3))
    moment_T = np.array([_mean((centred_RV[:, t].prod(axis=1))[:, None])[0] for t in map(list, triples)])
    shape_T = np.array([factor_V[list(t)].prod() for t in triples])
    total = (shape_T**2).sum()
    g = (moment_T * shape_T).sum() / total if total > 0 else 0.0
    return float((1 - g / np.sqrt(4 + g**2)) / 2)


def _moments(centred_RV: Floats) -> Floats:
    """E[c_j c_k] over the rows that both verifiers scored; 0 if there are none."""
    known_RV = ~np.isnan(centred_RV)
    filled_RV = np.where(known_RV, centred_RV, 0.0)
    counts_VV = known_RV.T.astype(np.float64) @ known_RV
    return filled_RV.T @ filled_RV / np.maximum(counts_VV, 1)


def _mean(values_RV: Floats) -> Floats:
    """The mean over rows without NaN; 0 if there are none."""
    known_RV = ~np.isnan(values_RV)
    return np.where(known_RV, values_RV, 0.0).sum(axis=0) / np.maximum(known_RV.sum(axis=0), 1)
