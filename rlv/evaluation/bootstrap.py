"""Paired bootstrap over problems, and training seeds: 95 % percentile intervals of any function of means.

One set of resampled problems, fixed by the seed, serves everything that is compared, so differences and
ratios are paired problem by problem. A resample is the vector of how often each problem was drawn
(multinomial), and all resampled means are one matrix product.

A method trained R times (replicates) has one row a seed and problem. Seeds and problems are crossed, and are
drawn apart: the weight of a row is the product of how often its seed and its problem were drawn (Owen 2007,
"The pigeonhole bootstrap"), which errs on the wide side. R is small, and R draws out of R would be short of
variance by a factor (R - 1) / R: R - 1 are drawn instead and weigh R / (R - 1) each (Rao & Wu 1988). A spread
that is known from so few seeds is uncertain itself: their weights deviate from 1 by Student's t quantile over
the normal one, times sqrt(R / (R - 1)), more than they were drawn, with which intervals cover a normal effect
of seeds in 94 to 95 % of simulations, for two to five seeds. Such weights may be
negative: a resample extrapolates over seeds, so means of accuracies may leave [0, 1].

If every problem has the same value, a percentile interval has no width, which means nothing; accuracies of
exactly 0 or 1 need more problems, not another interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
LEVEL = 0.95
NORMAL_QUANTILE = 1.959964
# Student's t at 97.5 %, for 1, 2, ... degrees of freedom.
_STUDENT = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)


@dataclass(frozen=True)
class Estimate:
    """A number with the ends of its 95 % interval; NaN if undefined."""

    value: float
    low: float
    high: float


@lru_cache(maxsize=8)
def resamples(problems: int, draws: int, seed: int, replicates: int = 1) -> Floats:
    """How often each problem is drawn in each resample: counts_DP, rows sum to P.

    With R > 1 replicates the weights of R x P rows, row r P + p for problem p of seed r, and rows sum to R P.
    The same (problems, draws, seed) draw the same problems for any R, which is what pairs everything. The
    array is remembered, and read-only.
    """
    if problems < 1 or replicates < 1:
        raise ValueError(f"{problems} problems, {replicates} replicates; at least one of each is needed")
    rng = np.random.default_rng([seed, problems])
    counts_DP = rng.multinomial(problems, np.full(problems, 1 / problems), size=draws).astype(np.float64)
    counts_DP.setflags(write=False)
    if replicates == 1:
        return counts_DP
    rng = np.random.default_rng([seed, problems, replicates])
    drawn_DR = rng.multinomial(replicates - 1, np.full(replicates, 1 / replicates), size=draws)
    drawn_DR = drawn_DR * (replicates / (replicates - 1))
    widened = student_quantile(replicates - 1) / NORMAL_QUANTILE * sqrt(replicates / (replicates - 1))
    weights_DR = 1 + widened * (drawn_DR - 1)
    counts_DQ = (weights_DR[:, :, None] * counts_DP[:, None, :]).reshape(draws, replicates * problems)
    counts_DQ.setflags(write=False)
    return counts_DQ


def all_and_resamples(problems: int, draws: int, seed: int) -> Floats:
    """Every problem once, then the resamples: counts_DP with D = draws + 1, for numbers and their draws."""
    return np.concatenate([np.ones((1, problems)), resamples(problems, draws, seed)])


def student_quantile(freedom: int) -> float:
    """97.5 % quantile of Student's t; beyond the table by its expansion in 1 / freedom (error below 1e-3)."""
    if freedom <= len(_STUDENT):
        return _STUDENT[freedom - 1]
    return NORMAL_QUANTILE + (NORMAL_QUANTILE**3 + NORMAL_QUANTILE) / (4 * freedom)


def resampled_means(values_PK: Floats, counts_DP: Floats) -> Floats:
    """Means of every column in every resample: means_DK. Rows as in `resamples`."""
    return counts_DP @ values_PK / counts_DP.sum(axis=1, keepdims=True)


def interval(draws_D: Floats) -> tuple[Floats, Floats]:
    """Ends of the 95 % percentile interval along the first axis.

    Undefined draws (NaN) are left out; if all draws are undefined, so are the ends.
    """
    tails = [50 * (1 - LEVEL), 50 * (1 + LEVEL)]
    undefined = np.isnan(draws_D)
    if not undefined.any():
        low, high = np.percentile(draws_D, tails, axis=0)
        return low, high
    # Columns without a single number stay undefined, without NumPy's warning about them.
    empty = undefined.all(axis=0)
    low, high = np.nanpercentile(np.where(empty, 0.0, draws_D), tails, axis=0)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def paired(
    values_QK: Floats,
    function: Callable[[Floats], Floats],
    *,
    draws: int = 1000,
    seed: int = 0,
    replicates: int = 1,
) -> Estimate:
    """A function of the K column means, with its interval over problems, and over seeds if there are any.

    `function` maps means[..., K] to [...], e.g. `lambda m: m[..., 0] - m[..., 1]`; it is called once with the
    plain means and once with all resampled ones. Rows are problems, replicate by replicate.
    """
    counts_DQ = resamples(problem_count(len(values_QK), replicates), draws, seed, replicates)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(function(values_QK.mean(axis=0)))
        low, high = interval(function(resampled_means(values_QK, counts_DQ)))
    return Estimate(value, float(low), float(high))


def mean(values_P: Floats, draws: int, seed: int) -> Estimate:
    """The mean over problems, with its interval."""
    values_P1 = np.asarray(values_P, dtype=np.float64)[:, None]
    return paired(values_P1, lambda means: means[..., 0], draws=draws, seed=seed)


def problem_count(rows: int, replicates: int) -> int:
    """P of R x P rows. Raises ValueError if the rows are no whole number of replicates."""
    if rows % replicates:
        raise ValueError(f"{rows} rows of {replicates} replicates; each needs the same problems")
    return rows // replicates
