"""Whether members of a panel err together: correlations of their scores among solutions that are as right.

From each member's score its mean over right, or over wrong, solutions is taken away. What is left is how far
it errs, and two members that err independently, as a label model assumes, have a correlation of 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import polars as pl

from rlv import tables
from rlv.evaluation.bootstrap import interval, resampled_means, resamples
from rlv.evaluation.curves import typed
from rlv.evaluation.recorded import recorded
from rlv.evaluation.tallies import Bools, Floats


def agreement(
    solutions: pl.DataFrame,
    members: Mapping[str, pl.DataFrame],
    *,
    names: Mapping[str, str],
    draws: int,
    seed: int,
) -> pl.DataFrame:
    """The members table of a panel: a row a budget and pair of members, with intervals over problems.

    `members`: their scores tables by name; `names`: dataset, reasoner and verifier, the panel.
    """
    found = {name: recorded(solutions, scores, where=f"member {name!r}") for name, scores in members.items()}
    rows = []
    for one, other in combinations(members, 2):
        for first, second in zip(found[one], found[other], strict=True):
            sums_P3 = moments(first.scores_PS, second.scores_PS, first.correct_PS)  # pyright: ignore[reportArgumentType]
            counts_DP = resamples(len(sums_P3), draws, seed)
            low, high = interval(correlation(resampled_means(sums_P3, counts_DP))[:, None])
            value = float(correlation(sums_P3.mean(axis=0)))
            row = {"budget": first.budget, "member": one, "other": other, "correlation": value}
            rows.append({**names, **row, "low": float(low[0]), "high": float(high[0])})
    return typed(pl.DataFrame(rows), "members") if rows else tables.frame("members", [])


def moments(first_PS: Floats, second_PS: Floats, correct_PS: Bools) -> Floats:
    """Sums over a problem's solutions of e f, e e and f f, errors e and f of two members: sums_P3."""
    errors = []
    for scores_PS in (first_PS, second_PS):
        means = [scores_PS[kind].mean() if kind.any() else 0.0 for kind in (correct_PS, ~correct_PS)]
        errors.append(scores_PS - np.where(correct_PS, means[0], means[1]))
    e_PS, f_PS = errors
    return np.stack([(e_PS * f_PS).sum(axis=1), (e_PS**2).sum(axis=1), (f_PS**2).sum(axis=1)], axis=1)


def correlation(sums_3: Floats) -> Floats:
    """sum e f / sqrt(sum e e sum f f) over the last axis; NaN if a member never errs."""
    size = np.sqrt(sums_3[..., 1] * sums_3[..., 2])
    return np.where(size > 1e-12, sums_3[..., 0] / np.where(size > 1e-12, size, 1.0), np.nan)
