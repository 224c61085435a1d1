"""Prunes replayed on recorded solutions: DeepConf online, from the log-probabilities that sampling kept.

accuracy   of weighted voting by those that may vote, each by e to its lowest window's mean log-probability
samples    all that were begun; rounds 2: the warm-up, and the rest
tokens     of the warm-up, of survivors, and of the others as far as the window that ended them; FLOPs by
           the same share of a solution's, a little high since attention costs most at its end
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.recorded import Recorded
from rlv.evaluation.stopping.prunes import Prune
from rlv.evaluation.stopping.replay import COLUMNS
from rlv.evaluation.tallies import Floats, Ints, weighted_credit

# How these answers are taken.
VOTE = "lowest_window"
# Elements of the largest temporary array.
CHUNK = 2_000_000


@dataclass(frozen=True)
class Windows:
    """Means over windows of tokens along the S solutions of P problems, as prunes read them.

    `values`: of each problem values_SK, NaN where a solution has fewer windows; window k ends at token
    k + width. `lowest_PS`: the lowest of each, or the mean of a solution that is shorter than a window.
    """

    values: Sequence[Floats]
    lowest_PS: Floats
    width: int


def windows_of(samples: pl.DataFrame, data: Recorded, width: int, where: str) -> Windows:
    """Window means of the log-probabilities in samples tables, in the order of `data`.

    Raises DataError, naming `where`, for a solution that has none, and for other solutions than in `data`.
    """
    rows = samples.sort("problem_id", "sample_id")
    lacking = rows.filter(pl.col("token_logprobs").is_null())
    if not lacking.is_empty():
        problem, sample = lacking.select("problem_id", "sample_id").row(0)
        raise DataError(
            f"{where}: problem {problem!r}, sample {sample} has no token_logprobs; {lacking.height} such "
            "rows; samples of older versions lack them: sample again, or leave prunes out"
        )
    size = data.classes_PS.shape[1]
    if rows["problem_id"].to_list() != [name for name in data.problem_ids for _ in range(size)]:
        raise DataError(f"{where}: not the solutions that were graded; make both again")
    kept = rows["token_logprobs"].to_list()
    values, lowest = [], np.empty(data.classes_PS.shape)
    for p in range(len(data.problem_ids)):
        lines = kept[p * size : (p + 1) * size]
        means = [_means(np.asarray(line, dtype=np.float64), width) for line in lines]
        padded_SK = np.full((size, max(map(len, means))), np.nan)
        for s, line in enumerate(means):
            padded_SK[s, : len(line)] = line
            lowest[p, s] = line.min() if len(line) else np.mean(lines[s])
        values.append(padded_SK)
    return Windows(values, lowest, width)


def _means(logprobs_T: Floats, width: int) -> Floats:
    """The mean of each full window, in the order of their ends."""
    if len(logprobs_T) < width:
        return np.empty(0)
    sums = np.concatenate([[0.0], np.cumsum(logprobs_T)])
    return (sums[width:] - sums[:-width]) / width


def pruned(data: Recorded, along: Windows, prune: Prune, orders_RN: Ints, first: int) -> Floats:
    """What each problem comes to with N solutions, the `first` of them unpruned: values_VP, V as COLUMNS."""
    found_VP = np.zeros((len(COLUMNS), len(data.problem_ids)))
    n = orders_RN.shape[1]
    for p, values_SK in enumerate(along.values):
        step = max(1, CHUNK // max(values_SK.shape[1] * n, 1))
        for start in range(0, len(orders_RN), step):
            chosen_BN = orders_RN[start : start + step]
            lowest_BN = along.lowest_PS[p, chosen_BN]
            reached_BN, votes_BN = prune.cut(values_SK[chosen_BN], lowest_BN, first)
            own_BN = data.tokens_PS[p, chosen_BN].astype(np.float64)
            # Window k, counted from 1, ends at token k + width - 1.
            tokens_BN = np.minimum(own_BN, reached_BN + along.width - 1)
            tokens_BN = np.where(reached_BN > values_SK.shape[1], own_BN, tokens_BN)
            flops_BN = data.flops_PS[p, chosen_BN] * tokens_BN / np.maximum(own_BN, 1)
            classes_BN = np.where(votes_BN, data.classes_PS[p, chosen_BN], -1)
            weights_BN = np.exp(np.minimum(lowest_BN, 0.0))
            credit_B = weighted_credit(classes_BN, data.correct_PS[p, chosen_BN], weights_BN)[0]
            tokens, flops = tokens_BN.sum(), flops_BN.sum()
            found_VP[:, p] += [credit_B.sum(), 0.0, tokens, flops, tokens, flops, 0.0]
    found_VP /= len(orders_RN)
    found_VP[1], found_VP[-1] = n, 2
    return found_VP
