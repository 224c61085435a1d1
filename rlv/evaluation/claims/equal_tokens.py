"""RL^V beside the base method with as many tokens: what every claim at equal N lacks.

The rival is majority voting of the base method if no other vote over its solutions is given. Tokens are
generated and, where a verifier gives scores, read; majority voting pays only for what it generates. What is
read is charged whole. Beside that number stands the one with sampling's keys and values kept
(rlv/evaluation/prices.py), unless scores are too old for it to be known.

The rival's accuracy is linear in log2 tokens between its N, and held at its largest N beyond. A claim that
holds it there states so, and repeats the comparison at the largest N of RL^V whose tokens the rival covers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rlv.evaluation.bootstrap import Estimate, Floats
from rlv.evaluation.claims.evidence import Column, Evidence, Pair, base_at, ours_at
from rlv.evaluation.claims.rows import spread
from rlv.evaluation.equal_cost import accuracy_at
from rlv.evaluation.prices import COLUMNS, Price

MAJORITY = base_at(1)
# How details call the second price.
CACHED = "with keys and values kept"
NOT_KNOWN = f"{CACHED} not known, from scores of older versions"


@dataclass(frozen=True)
class Match:
    """RL^V at one N against a rival with as many tokens; accuracies in percent."""

    ours: float
    base: float
    points: Estimate
    tokens: float  # of RL^V, a problem
    smallest: float  # of the rival at its smallest N
    largest: float  # and at its largest
    equal_n: float  # the rival's N with as many tokens; its smallest or largest if it has no such N

    @property
    def covered(self) -> bool:
        """Whether the rival was measured with as many tokens."""
        return self.tokens <= self.largest


def columns(
    pair: Pair,
    n: int,
    ns: list[int],
    budget: int | None = None,
    rival: Column = MAJORITY,
    price: Price = "whole",
) -> list[Column]:
    """Accuracy of RL^V at N and of the rival at `ns`, then the tokens of the same."""
    accuracy = [ours_at(pair, n, budget), *(replace(rival, n=m, budget=budget) for m in ns)]
    tokens, _ = COLUMNS[price]
    return accuracy + [replace(column, value=tokens) for column in accuracy]


def matched(means: Floats) -> tuple[Floats, Floats]:
    """Accuracies of RL^V and of the rival at its tokens, from means of `columns` in the last axis."""
    half = means.shape[-1] // 2
    # A problem has a token at least; a resample over few seeds extrapolates, and may hold less.
    accuracy, tokens = means[..., :half], np.log2(np.maximum(means[..., half:], 1.0))
    return accuracy[..., 0], accuracy_at(tokens[..., 0], tokens[..., 1:], accuracy[..., 1:])


def match(evidence: Evidence, pair: Pair, n: int, rival: Column = MAJORITY) -> Match:
    """RL^V at N against the rival at equal tokens, read whole, paired over problems."""
    ns = evidence.ns(pair, rival)
    return _match(evidence, pair, ns, evidence.values(pair, columns(pair, n, ns, rival=rival)))


def _match(evidence: Evidence, pair: Pair, ns: list[int], values_QK: Floats) -> Match:
    """Of the values of `columns`."""
    means = values_QK.mean(axis=0)
    ours, base = (100 * float(found) for found in matched(means))
    tokens, *others = means[len(ns) + 1 :].tolist()
    equal_n = float(np.exp2(np.interp(np.log2(tokens), np.log2(others), np.log2(ns))))
    points = evidence.estimate(pair, values_QK, lambda m: 100 * np.subtract(*matched(m)))
    return Match(ours, base, points, tokens, others[0], others[-1], equal_n)


def covered_n(
    evidence: Evidence,
    pair: Pair,
    budgets: tuple[int | None, ...] = (None,),
    rival: Column = MAJORITY,
) -> int | None:
    """The largest N of RL^V at which the rival was measured with as many tokens, at every budget."""
    most = replace(rival, n=evidence.ns(pair, rival)[-1])
    for n in reversed(evidence.common_ns(pair)):
        sides = [
            side for budget in budgets for side in (ours_at(pair, n, budget), replace(most, budget=budget))
        ]
        tokens = evidence.values(pair, [replace(side, value="tokens") for side in sides]).mean(axis=0)
        if (tokens[::2] <= tokens[1::2]).all():
            return n
    return None


def cached(evidence: Evidence, pair: Pair, n: int, rival: Column = MAJORITY) -> str:
    """The gap in points at equal tokens with keys and values kept, for a detail of one at the whole price."""
    ns = evidence.ns(pair, rival)
    values_QK = evidence.values(pair, columns(pair, n, ns, rival=rival, price="cached"))
    if np.isnan(values_QK).any():
        return NOT_KNOWN
    found = _match(evidence, pair, ns, values_QK)
    gap = f"{spread(found.points, '+.1f')} points at {found.tokens:.0f} tokens"
    largest = "" if found.covered else ", the largest, with fewer tokens"
    return f"{CACHED} {gap} over N = {found.equal_n:.1f} ({found.base:.1f} %{largest})"


def beside(evidence: Evidence, pair: Pair, n: int, rival: Column = MAJORITY) -> str:
    """The gap in points at equal tokens, by both prices, for the detail of a claim at equal N."""
    return f"{_whole(evidence, pair, n, rival)}; {cached(evidence, pair, n, rival)}"


def _whole(evidence: Evidence, pair: Pair, n: int, rival: Column) -> str:
    found = match(evidence, pair, n, rival)
    voting = f"weighted voting with {rival.verifier}" if rival.verifier else "majority voting"
    said = f"at equal tokens ({found.tokens:.0f} a problem, read whole) "
    if found.covered and found.tokens < found.smallest:
        return (
            f"{said}{voting} is not possible; its N = {found.equal_n:.0f} with {found.smallest:.0f} tokens "
            f"stands in: {spread(found.points, '+.1f')} points over its {found.base:.1f} %"
        )
    if found.covered:
        said += f"{spread(found.points, '+.1f')} points over {voting} at N = {found.equal_n:.1f}"
        return f"{said} ({found.base:.1f} %)"
    said += (
        f"{voting} was not measured; its largest N = {found.equal_n:.0f} with {found.largest:.0f} tokens "
        f"stands in: {spread(found.points, '+.1f')} points over its {found.base:.1f} %"
    )
    fewer = covered_n(evidence, pair, rival=rival)
    if fewer is None:
        return said
    found = match(evidence, pair, fewer, rival)
    return (
        f"{said}; at equal tokens that it has ({found.tokens:.0f}, N = {fewer} against {found.equal_n:.1f}) "
        f"{spread(found.points, '+.1f')} points ({found.ours:.1f} % against {found.base:.1f} %)"
    )
