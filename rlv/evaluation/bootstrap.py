"""Paired bootstrap over problems: 95 % percentile intervals of any function of means.

One set of resampled problems, fixed by the seed, serves everything that is compared, so differences and
ratios are paired problem by problem. A resample is the vector of how often each problem was drawn
(multinomial), and all resampled means are one matrix product.

Percentile intervals say nothing where every problem has the same value (their width is then zero); accuracies
of exactly 0 or 1 need more problems, not another interval. Left out on purpose: other kinds of intervals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number with the ends of its 95 % interval; NaN where undefined."""

    value: float
    low: float
    high: float


def resamples(problems: int, draws: int, seed: int) -> Floats:
    """How often each problem is drawn in each resample: counts_DP, rows sum to P.

    The same (problems, draws, seed) give the same counts, which is what pairs everything.
    """
    rng = np.random.default_rng([seed, problems])
    return rng.multinomial(problems, np.full(problems, 1 / problems), size=draws).astype(np.float64)


def resampled_means(values_PK: Floats, counts_DP: Floats) -> Floats:
    """Means of every column in every resample: means_DK."""
    return counts_DP @ values_PK / counts_DP.sum(axis=1, keepdims=True)


def interval(draws_D: Floats) -> tuple[Floats, Floats]:
    """Ends of the 95 % percentile interval along the first axis.

    Undefined draws (NaN) are left out; where all draws are undefined, so are the ends.
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
    values_PK: Floats, function: Callable[[Floats], Floats], *, draws: int = 1000, seed: int = 0
) -> Estimate:
    """A function of the K column means, with its interval over problems.

    `function` maps means[..., K] to [...], e.g. `lambda m: m[..., 0] - m[..., 1]`; it is called once with the
    plain means and once with all resampled ones.
    """
    counts_DP = resamples(len(values_PK), draws, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(function(values_PK.mean(axis=0)))
        low, high = interval(function(resampled_means(values_PK, counts_DP)))
    return Estimate(value, float(low), float(high))
