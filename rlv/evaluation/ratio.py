"""The ratio of two accuracies, of which the lower one may be zero, with an interval.

On a hard data set the method below may never be right in a resample. Leaving such resamples out would pull
the upper end down, so x / 0 counts as larger than every number, and the ends are order statistics, which need
no arithmetic with infinity. 0 / 0 has no ratio and is left out.
"""

from __future__ import annotations

import numpy as np

from rlv.evaluation.bootstrap import LEVEL, Estimate, Floats, problem_count, resampled_means, resamples


def ratio(above_P: Floats, below_P: Floats, draws: int, seed: int, replicates: int = 1) -> Estimate:
    """Mean of `above_P` over mean of `below_P`, both at least 0, paired over rows (as `resamples` has them).

    The value is NaN if the mean below is 0. The ends may be infinite: `high` if the method below is never
    right in over 2.5 % of the resamples. They are NaN if every resample is 0 / 0.
    Raises ValueError if the two have different rows, or the rows are no whole number of replicates.
    """
    if len(above_P) != len(below_P):
        raise ValueError(f"{len(above_P)} rows over {len(below_P)}; the ratio is paired row by row")
    counts_DQ = resamples(problem_count(len(above_P), replicates), draws, seed, replicates)
    # A resample that extrapolates over few seeds may leave what a mean can be.
    means_D2 = np.maximum(resampled_means(np.stack([above_P, below_P], axis=1), counts_DQ), 0.0)
    low, high = ordered_interval(divided(means_D2[:, 0], means_D2[:, 1]))
    value = float(divided(above_P.mean(), below_P.mean()))
    return Estimate(value if np.isfinite(value) else float("nan"), low, high)


def divided(above: Floats, below: Floats) -> Floats:
    """above / below, element by element: x / 0 is +inf, 0 / 0 is NaN. Both are at least 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(above, below)


def ordered_interval(draws_D: Floats) -> tuple[float, float]:
    """Ends of the 95 % interval that are draws themselves, as many beyond the one as beyond the other.

    +inf counts as the largest draw; undefined draws (NaN) are left out; without any draw the ends are NaN.
    """
    known_D = np.sort(draws_D[~np.isnan(draws_D)])
    if not len(known_D):
        return float("nan"), float("nan")
    beyond = int((1 - LEVEL) / 2 * (len(known_D) - 1))  # rounded down: the interval errs on the wide side
    return float(known_D[beyond]), float(known_D[-1 - beyond])
