"""From the accuracy of several candidates, problem by problem, to the one that is taken.

The first with the highest mean is taken. Candidates stand in the order of the study, which increases, so of
equals the lowest temperature is taken, or the least sharpened confidence: the one nearest to no choice. The
interval of each is over problems, paired by the same resamples. The highest of several noisy means is too
high, so its number is no estimate of the accuracy on other problems, and only evaluations are reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rlv.evaluation.bootstrap import Floats, interval, resampled_means, resamples
from rlv.job.choice import Choice

# Means of the same numbers in another order differ by rounding.
TIE = 1e-12
# Of the bootstrap. They are no settings of a study: its solutions wait for the choice, and nothing of their
# keys may follow a number of draws.
DRAWS, SEED = 1000, 0


def choose(
    kind: str, by: str, settings: Sequence[dict[str, Any]], accuracy_PK: Floats, *, solutions: int
) -> Choice:
    """The best of K candidates, whose `settings` and accuracy on each of P problems are given.

    `kind`, `by`, `solutions`: as in `Choice`. Raises ValueError if settings and columns are not as many, and
    without a candidate.
    """
    problems, candidates = accuracy_PK.shape
    if candidates != len(settings) or not candidates:
        raise ValueError(
            f"{candidates} columns for {len(settings)} candidates; expected one each, one or more"
        )
    mean_K = accuracy_PK.mean(axis=0)
    low_K, high_K = interval(resampled_means(accuracy_PK, resamples(problems, DRAWS, SEED)))
    first = int(np.flatnonzero(mean_K >= mean_K.max() - TIE)[0])
    numbers = zip(settings, mean_K.tolist(), low_K.tolist(), high_K.tolist(), strict=True)
    rows = [{**one, "accuracy": mean, "low": low, "high": high} for one, mean, low, high in numbers]
    return Choice(kind, by, problems, solutions, rows, dict(settings[first]))
