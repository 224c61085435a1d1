"""Prunes: solutions that end before they are finished, because they are not worth their tokens.

    group_below:eta   a full window of tokens has a mean log-probability below the threshold, which lets pass
                      the best eta percent of the first solutions (DeepConf online: Fu et al. 2025, arXiv
                      2508.15260; its released code takes the 90th percentile, so eta = 10)
    value_below:t     a value along the solution, here the mean log-probability of a window, falls below t

A prune maps numbers along N solutions in the order in which they are drawn to how far each gets:

    values_BNK   the numbers at K places of each solution, ascending; NaN where a solution has fewer
    lowest_BN    the lowest of a solution; of one without a place what stands for it, such as its mean
    first        so many solutions are drawn to their ends before any can be pruned: the warm-up
    -> reached_BN, votes_BN

`reached_BN`: places of each that are read before it ends, K + 1 if it goes on to its own end. `votes_BN`:
whether it may vote: it was not cut, and of the first ones it would not have been. A pruned solution is a
prefix of the one that was recorded, so the replay is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rlv.evaluation.tallies import Bools, Floats, Ints
from rlv.families import Family
from rlv.registry import Registry

Cut = Callable[[Floats, Floats, int], tuple[Ints, Bools]]


@dataclass(frozen=True)
class Prune:
    """A rule that ends solutions early; `cut`: from values_BNK, lowest_BN and the warm-up, see above."""

    cut: Cut
    about: str = ""


def group_below(values_BNK: Floats, lowest_BN: Floats, first: int, share: float) -> tuple[Ints, Bools]:
    """Below the (100 - share) percentile of the lowest values of the first solutions of the row."""
    least_B11 = np.percentile(lowest_BN[:, :first], 100 - share, axis=1)[:, None, None]
    return _below(values_BNK, lowest_BN, first, least_B11)


def value_below(values_BNK: Floats, lowest_BN: Floats, first: int, least: float) -> tuple[Ints, Bools]:
    """Below the same value for all."""
    return _below(values_BNK, lowest_BN, first, np.full((len(values_BNK), 1, 1), least))


def _below(values_BNK: Floats, lowest_BN: Floats, first: int, least_B11: Floats) -> tuple[Ints, Bools]:
    # An empty place at the end: argmax needs one.
    padded_BNK = np.pad(values_BNK, ((0, 0), (0, 0), (0, 1)), constant_values=np.nan)
    below_BNK = padded_BNK < least_B11  # never where there is no value
    cut_BN: Bools = np.asarray(below_BNK.any(axis=2))
    reached_BN = np.where(cut_BN, below_BNK.argmax(axis=2) + 1, values_BNK.shape[2] + 1)
    reached_BN[:, :first] = values_BNK.shape[2] + 1
    votes_BN = ~cut_BN
    votes_BN[:, :first] &= lowest_BN[:, :first] >= least_B11[:, :, 0]
    return reached_BN, votes_BN


FAMILIES: dict[str, Family[Prune]] = {
    "group_below": Family(
        lambda eta: Prune(lambda values, lowest, first: group_below(values, lowest, first, eta)),
        high=100.0,
        about="Ends below what the best eta percent of the first ones never fall below (DeepConf online).",
    ),
    "value_below": Family(
        lambda least: Prune(lambda values, lowest, first: value_below(values, lowest, first, least)),
        low=-math.inf,
        about="Ends when a value along the solution falls below this.",
    ),
}
PRUNES: Registry[Prune] = Registry("rlv.prunes", Prune, {}, families=FAMILIES)
