"""Numbers along one solution as one score: AGGREGATIONS maps the name used in study files to a record.

    scores_B = AGGREGATIONS["softmin:0.1"].compute(values_BK, exists_BK)

Values v_1 … v_K of a verifier that was read at K places (the table "traces") lie in [0, 1], rows are padded,
and `exists_BK` says which places are there: those of a row stand first, in order, whatever lies behind them.
A row without a place scores 0. Every aggregation of a single place is its value, but for `sum`.

    last         v_K: the outcome verifier's own score, and search-and-learn's default
    min          the worst step (Let's Verify Step by Step, Multi-RM)
    prod         Π v: all steps are right if they are independent; falls with their number
    mean         1/K Σ v
    geometric    (Π v)^(1/K)
    mean_logit   sigmoid of the mean log odds (RewardMATH)
    sum          Σ (2 v - 1), mapped to (0, 1) by 1/2 + x / (2 + 2 |x|), which keeps its order: the sum-form
                 return that PURE sets its worst step against, of rewards 2 v - 1
    softmin:T    Σ w v with w = softmax(-v / T) (PURE, Cheng et al. 2025, arXiv 2504.15275); T -> 0 is min,
                 T -> inf mean. PURE's T = 0.1 is of rewards 2 v - 1, so it is 0.05 here
    tail:m       the mean of the last m
    group:w      the lowest mean of w values in a row (DeepConf, Fu et al. 2025, arXiv 2508.15260)
    bottom:w     the mean of the lowest tenth of these means, at least of one
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float64

from rlv.families import Family
from rlv.logistic import logit, sigmoid
from rlv.registry import Registry
from rlv.scoring.kept import BOTTOM_SHARE

Values = Float64[np.ndarray, "B K"]
Exists = Bool[np.ndarray, "B K"]
Scores = Float64[np.ndarray, " B"]


@dataclass(frozen=True)
class Aggregation:
    """From values_BK, and which of them exist, to scores_B in [0, 1]. `about`: what it is, in one sentence.

    `of_rows` is called with rows of one value or more. What is padded is NaN there.
    """

    of_rows: Callable[[Values], Scores]
    about: str = ""

    def compute(self, values_BK: Values, exists_BK: Exists) -> Scores:
        """The score of each row; 0 of a row without a place."""
        scores_B = np.zeros(len(values_BK))
        some_B = exists_BK.any(axis=1)
        if some_B.any():
            scores_B[some_B] = self.of_rows(np.where(exists_BK, values_BK, np.nan)[some_B])
        return np.clip(scores_B, 0.0, 1.0)


def _sizes(values_BK: Values) -> np.ndarray:
    return (~np.isnan(values_BK)).sum(axis=1)


def last(values_BK: Values) -> Scores:
    """The value at the last place."""
    return np.take_along_axis(values_BK, _sizes(values_BK)[:, None] - 1, axis=1)[:, 0]


def mean(values_BK: Values) -> Scores:
    """The mean of all values."""
    return np.nanmean(values_BK, axis=1)


def geometric(values_BK: Values) -> Scores:
    """The geometric mean; 0 if any value is 0."""
    with np.errstate(divide="ignore"):
        return np.exp(np.nanmean(np.log(values_BK), axis=1))


def mean_logit(values_BK: Values) -> Scores:
    """The sigmoid of the mean log odds."""
    return sigmoid(np.nanmean(logit(values_BK), axis=1))


def total(values_BK: Values) -> Scores:
    """The sum of rewards 2 v - 1, mapped to (0, 1) in the same order."""
    sums_B = np.nansum(2 * values_BK - 1, axis=1)
    return 0.5 + sums_B / (2 + 2 * np.abs(sums_B))


def softmin(values_BK: Values, *, temperature: float) -> Scores:
    """The mean of the values with weights exp(-v / T)."""
    lowest_B1 = np.nanmin(values_BK, axis=1, keepdims=True)
    weights_BK = np.exp((lowest_B1 - values_BK) / temperature)
    return np.nansum(weights_BK * values_BK, axis=1) / np.nansum(weights_BK, axis=1)


def tail(values_BK: Values, *, size: int) -> Scores:
    """The mean of the last `size` values."""
    late_BK = np.arange(values_BK.shape[1]) >= _sizes(values_BK)[:, None] - size
    return np.nanmean(np.where(late_BK, values_BK, np.nan), axis=1)


def _windows(values_BK: Values, size: int) -> tuple[Values, np.ndarray]:
    """The means of `size` values in a row, lowest first, and how many there are: at least one, of all."""
    sums_BK = np.cumsum(np.nan_to_num(values_BK), axis=1)
    sums_BK = np.concatenate([np.zeros((len(sums_BK), 1)), sums_BK], axis=1)
    sizes_B = _sizes(values_BK)
    width_B = np.minimum(sizes_B, size)
    count_B = sizes_B - width_B + 1
    starts_BW = np.minimum(np.arange(count_B.max()), (count_B - 1)[:, None])
    ends_BW = starts_BW + width_B[:, None]
    totals_BW = np.take_along_axis(sums_BK, ends_BW, axis=1) - np.take_along_axis(sums_BK, starts_BW, axis=1)
    there_BW = np.arange(count_B.max()) < count_B[:, None]
    return np.sort(np.where(there_BW, totals_BW / width_B[:, None], np.inf), axis=1), count_B


def group(values_BK: Values, *, size: int) -> Scores:
    """The lowest mean of `size` values in a row."""
    return _windows(values_BK, size)[0][:, 0]


def bottom(values_BK: Values, *, size: int) -> Scores:
    """The mean of the lowest BOTTOM_SHARE of these means, at least of one."""
    means_BW, count_B = _windows(values_BK, size)
    kept_B = np.maximum((BOTTOM_SHARE * count_B).astype(np.int64), 1)
    low_BW = np.arange(means_BW.shape[1]) < kept_B[:, None]
    return np.where(low_BW, means_BW, 0.0).sum(axis=1) / kept_B


def _of_places(function: Callable[..., Scores], about: str) -> Family[Aggregation]:
    return Family(
        lambda size: Aggregation(partial(function, size=int(size)), about),
        low=1,
        above=False,
        whole=True,
        about=about,
    )


_SOFTMIN = "The mean of all values, the lower the heavier, as PURE; softmin:0 would be min."
AGGREGATIONS: Registry[Aggregation] = Registry(
    "rlv.aggregations",
    Aggregation,
    {
        "last": Aggregation(last, "The value at the last place."),
        "min": Aggregation(partial(np.nanmin, axis=1), "The lowest value: the worst step."),
        "prod": Aggregation(partial(np.nanprod, axis=1), "The product of all values."),
        "mean": Aggregation(mean, "The mean of all values."),
        "geometric": Aggregation(geometric, "The geometric mean of all values."),
        "mean_logit": Aggregation(mean_logit, "The mean log odds, as a probability."),
        "sum": Aggregation(
            total, "The sum of 2 v - 1, squeezed into [0, 1]: the sum-form that PURE refutes."
        ),
    },
    {
        "softmin": Family(lambda t: Aggregation(partial(softmin, temperature=t), _SOFTMIN), about=_SOFTMIN),
        "tail": _of_places(tail, "The mean of the last so many values."),
        "group": _of_places(group, "The lowest mean of so many values in a row, as DeepConf."),
        "bottom": _of_places(bottom, "The mean of the lowest tenth of these means, as DeepConf."),
    },
)
