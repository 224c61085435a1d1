"""Properties of recorded solutions as numbers with 95 % intervals over problems, and nothing about files.

    classes_PS  int   equivalence class of the answer within its problem; -1: no answer
    correct_PS  bool  whether it is right
    score_PS    float whatever ranks solutions; only the order within a problem counts

Solutions of one problem are alike, so intervals resample problems (rlv/evaluation/bootstrap.py). A problem
that a property is undefined for (none wrong, none right) has no part in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import comb

import numpy as np

from rlv.evaluation import verifier_metrics
from rlv.evaluation.bootstrap import Estimate, Floats, interval, paired, resamples
from rlv.evaluation.curves import expected
from rlv.evaluation.recorded import Recorded
from rlv.evaluation.tallies import Bools, Ints

DRAWS, SEED = 1000, 0


def mean(value_P: Floats) -> Estimate:
    """The mean over problems."""
    return paired(value_P[:, None], lambda means: means[..., 0], draws=DRAWS, seed=SEED)


def ratio(above_P: Floats, below_P: Floats) -> Estimate:
    """The quotient of two means over problems; with a 0 or 1 below the line, a mean over some of them."""
    columns_P2 = np.stack([above_P, below_P], axis=1)
    return paired(columns_P2, lambda means: means[..., 0] / means[..., 1], draws=DRAWS, seed=SEED)


def scaled(estimate: Estimate, factor: float) -> Estimate:
    """The same in another unit, e.g. 100 for percent."""
    return Estimate(factor * estimate.value, factor * estimate.low, factor * estimate.high)


def accuracy(data: Recorded, vote: str, n: int) -> Estimate:
    """Accuracy of a vote over N of the recorded solutions, in the mean over subsets."""
    return mean(expected(data, vote, n))


def gap(data: Recorded, higher: tuple[str, int], lower: tuple[str, int]) -> Estimate:
    """Accuracy of one vote minus that of another, each as (name, N), paired over problems."""
    return mean(expected(data, *higher) - expected(data, *lower))


def unanimity(classes_PS: Ints, n: int) -> Estimate:
    """How often n solutions of a problem all give one answer, in the mean over subsets of n."""
    size = classes_PS.shape[1]
    agree_P = [
        sum(comb(count, n) for count in Counter(row[row >= 0].tolist()).values()) for row in classes_PS
    ]
    return mean(np.array(agree_P, dtype=np.float64) / comb(size, n))


def largest_wrong_class(classes_PS: Ints, correct_PS: Bools) -> Estimate:
    """Of a problem's wrong answers, the share of the most frequent one: 1 if all wrong solutions agree.

    Solutions without an answer do not count. The fewer wrong solutions, the larger it is by chance, so it
    compares only with a number from about as many solutions a problem.
    """
    top, some = [], []
    for classes_S, correct_S in zip(classes_PS, correct_PS, strict=True):
        counts = Counter(classes_S[(classes_S >= 0) & ~correct_S].tolist())
        wrong = sum(counts.values())
        top.append(max(counts.values(), default=0) / max(wrong, 1))
        some.append(float(wrong > 0))
    return ratio(np.array(top), np.array(some))


def within_auroc(score_PS: Floats, correct_PS: Bools, counted_PS: Bools) -> Estimate:
    """The evaluation's within_auroc, of the solutions that `counted_PS` names."""
    return pooled("within_auroc", score_PS, correct_PS, counted_PS)


def pooled(metric: str, score_PS: Floats, correct_PS: Bools, counted_PS: Bools) -> Estimate:
    """A metric of rlv/evaluation/verifier_metrics.py over the counted solutions of all problems together."""
    problems, size = score_PS.shape
    problem_B = np.repeat(np.arange(problems), size)[counted_PS.ravel()]
    weights_DP = np.concatenate([np.ones((1, problems)), resamples(problems, DRAWS, SEED)])
    function = verifier_metrics.METRICS[metric]
    value_D = function(score_PS[counted_PS], correct_PS[counted_PS], problem_B, weights_DP)
    low, high = interval(value_D[1:])
    return Estimate(float(value_D[0]), float(low), float(high))


def length_ratio_within(length_PS: Ints | Floats, correct_PS: Bools, counted_PS: Bools) -> Estimate:
    """Mean length of wrong over mean length of right solutions of the same problem.

    Means are taken a problem first, over problems with both kinds, so that hard problems, which have more
    wrong solutions and may need longer ones, do not make wrong solutions long.
    """
    right_P, wrong_P = (_mean_length(length_PS, counted_PS & kind) for kind in (correct_PS, ~correct_PS))
    both_P = ~np.isnan(right_P) & ~np.isnan(wrong_P)
    return ratio(np.where(both_P, wrong_P, 0.0), np.where(both_P, right_P, 0.0))


def length_ratio_pooled(length_PS: Ints | Floats, correct_PS: Bools, counted_PS: Bools) -> Estimate:
    """Mean length of all wrong over that of all right solutions: what papers print."""
    columns = []
    for kind_PS in (counted_PS & ~correct_PS, counted_PS & correct_PS):
        columns += [(length_PS * kind_PS).sum(axis=1), kind_PS.sum(axis=1)]

    def quotient(means: Floats) -> Floats:
        return (means[..., 0] / means[..., 1]) / (means[..., 2] / means[..., 3])

    return paired(np.stack(columns, axis=1).astype(np.float64), quotient, draws=DRAWS, seed=SEED)


def share(part_PS: Bools, whole_PS: Bools) -> Estimate:
    """Of the solutions of one kind, those that are of another kind, too."""
    both_P, all_P = (kind.sum(axis=1).astype(np.float64) for kind in (part_PS & whole_PS, whole_PS))
    return ratio(both_P, all_P)


def heat_loss(heated: Mapping[float, Recorded], reach: float = 1.0) -> Estimate | None:
    """Accuracy of one solution at the highest temperature up to `reach`, minus that at the lowest.

    `heated`: temperature -> solutions of the same problems. None with fewer than two temperatures.
    """
    tried = sorted(temperature for temperature in heated if temperature <= reach)
    if len(tried) < 2:
        return None
    cold_P, hot_P = (expected(heated[t], "pass_at_n", 1) for t in (tried[0], tried[-1]))
    return mean(hot_P - cold_P)


def _mean_length(length_PS: Ints | Floats, kind_PS: Bools) -> Floats:
    """Mean length of a problem's solutions of a kind; NaN without one."""
    count_P = kind_PS.sum(axis=1)
    total_P = (length_PS * kind_PS).sum(axis=1).astype(np.float64)
    return np.divide(total_P, count_P, out=np.full(len(count_P), np.nan), where=count_P > 0)
