"""Which running solutions are worth going on with: ZIP-RC's utility, as pure functions.

ZIP-RC (arXiv 2512.01457) reads from a model, at every token, how probable a right end is and how many tokens
are left. For a set of solutions that are continued together

    G = E[max reward] - c_total E[sum of remaining tokens] - c_seq E[max of remaining tokens]

with rewards and lengths of different solutions independent; c_total is the price of a token, c_seq that of a
token of waiting. Left out: the planned later cut of its offline version, and a replay, for which a study
needs a distribution over remaining lengths along its solutions.
"""

from __future__ import annotations

import numpy as np

from rlv.evaluation.tallies import Bools, Floats


def utility(rewards_N: Floats, lengths_NL: Floats, tokens_L: Floats, c_total: float, c_seq: float) -> float:
    """G of continuing all these N solutions; 0 for none.

    `rewards_N`: chance of each to end right. `lengths_NL`: its distribution over remaining tokens, rows sum
    to 1; `tokens_L`: what the L bins stand for, ascending. Prices are of a token, in units of reward. A
    finished solution has all of its mass at 0 tokens.
    """
    if not len(rewards_N):
        return 0.0
    best = 1.0 - float(np.prod(1.0 - rewards_N))
    total = float((lengths_NL @ tokens_L).sum())
    return best - c_total * total - c_seq * expected_longest(lengths_NL, tokens_L)


def expected_longest(lengths_NL: Floats, tokens_L: Floats) -> float:
    """E[max] of independent lengths: the product of their distribution functions is that of the longest."""
    below_L = np.prod(np.cumsum(lengths_NL, axis=1), axis=0)
    return float(np.diff(below_L, prepend=0.0) @ tokens_L)


def worth_keeping(
    rewards_N: Floats,
    lengths_NL: Floats,
    tokens_L: Floats,
    finished_N: Bools,
    c_total: float,
    c_seq: float,
) -> Bools:
    """The solutions to go on with: kept_N, the set of the highest G among ZIP-RC's candidates.

    Candidates are the finished ones, with the k that are expected to end first and the m of the highest
    chance, for all k and m. Of sets with equal G the larger one, since a solution that was cut is lost.
    """
    short_N = np.argsort(lengths_NL @ tokens_L, kind="stable")
    good_N = np.argsort(-rewards_N, kind="stable")
    best, kept_N = -np.inf, finished_N
    for k in range(len(rewards_N) + 1):
        for m in range(len(rewards_N) + 1):
            chosen_N = finished_N.copy()
            chosen_N[short_N[:k]] = True
            chosen_N[good_N[:m]] = True
            gain = utility(rewards_N[chosen_N], lengths_NL[chosen_N], tokens_L, c_total, c_seq)
            if gain > best + 1e-12 or (gain > best - 1e-12 and chosen_N.sum() > kept_N.sum()):
                best, kept_N = max(best, gain), chosen_N
    return kept_N
