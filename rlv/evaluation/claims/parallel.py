"""Claims about parallel sampling at equal N: gains, few votes, solutions needed, and other data sets."""

from __future__ import annotations

import numpy as np
import polars as pl

from rlv.evaluation.claims.evidence import Column, Evidence, Pair
from rlv.evaluation.claims.rows import points_row, row, spread, where
from rlv.evaluation.efficiency import efficiency as efficiency_ratios
from rlv.evaluation.votes import NEEDS_SCORES

# Few votes: what a sampling budget of a real model affords.
EARLY_NS = (4, 8)


def ours_at(pair: Pair, n: int) -> Column:
    """RL^V by weighted voting with its own scores."""
    return Column("unified", "weighted_voting", n, pair.verifier)


def base_at(n: int) -> Column:
    """The base method by majority voting; at N = 1 a single sample."""
    return Column("base", "majority", n)


def math_gain(evidence: Evidence) -> list[dict]:
    """Relative gain in percent: weighted voting at the largest common N over one sample of the base method.

    In `detail`: the same in points, and the gap in points to the base method's best strategy (majority, or a
    vote with the judge's scores) at the same N. All paired over problems. Paper: abstract, "over 20 %".
    """
    return [_relative_gain("math_gain", "over 20 %", evidence, pair) for pair in evidence.pairs]


def easy_to_hard(evidence: Evidence) -> list[dict]:
    """The gap of math_gain on problems harder than any of training, and points over majority at equal N."""
    return _generalization("easy_to_hard", evidence)


def out_of_domain(evidence: Evidence) -> list[dict]:
    """The gap of math_gain on another kind of problem, and points over majority at equal N."""
    return _generalization("out_of_domain", evidence)


def early_gain(evidence: Evidence) -> list[dict]:
    """Points of weighted voting over the base method's majority voting with few votes, N = 4 and 8.

    Where test-time compute is scarce a value function must pay first (paper, figure on parallel scaling).
    """
    rows = []
    for pair in evidence.pairs:
        for n in (n for n in evidence.common_ns(pair) if n in EARLY_NS):
            rows.append(_points_at(n, "early_gain", "higher at every N", evidence, pair))
    return rows


def efficiency(evidence: Evidence) -> list[dict]:
    """Fewer solutions for the base method's majority accuracy: median of N_ref / N over N_ref of 2 and more.

    The range over N_ref, the ratios from measured N alone and what was never reached are in `detail`.
    Paper: abstract, "8-32x".
    """
    rows = []
    for pair in evidence.pairs:
        ns = evidence.common_ns(pair)
        values_QK = evidence.values(pair, [*(ours_at(pair, n) for n in ns), *map(base_at, ns)])
        found = efficiency_ratios(
            values_QK[:, : len(ns)],
            values_QK[:, len(ns) :],
            ns,
            draws=evidence.draws,
            seed=evidence.seed,
            replicates=len(evidence.seeds(pair)),
        )
        late = [r for r in found.ratios if r.n_ref >= 2]
        each = ", ".join(f"{r.n_ref}: {spread(r.ratio, '.1f') if r.reached else 'never'}" for r in late)
        detail = (
            f"range {found.lowest:.1f} to {found.highest:.1f} over N_ref; by N_ref {each}; N interpolated in "
            f"log2 N, median from measured N alone {np.median([r.measured for r in late]):.1f}; never "
            f"reached within {ns[-1]} counts as 0 ({np.mean([r.censored for r in late]):.0%} of resamples)"
        )
        statement = (
            f"N_ref / N (median over N_ref) at which {pair.unified}, weighted voting, reaches {pair.base}, "
            f"majority voting at N_ref, {where(evidence, pair)}"
        )
        rows.append(row("efficiency", statement, "8-32x", found.median, 8.0, detail))
    return rows


def rl_gain(evidence: Evidence) -> list[dict]:
    """Points of one sample of the base RL method over one of the model that it started from."""
    rows = []
    for pair in evidence.pairs:
        if pair.start is not None and evidence.evaluated(pair.start):
            statement = f"Points of {pair.base} over {pair.start} at N = 1 {where(evidence, pair)}"
            start = Column("start", "majority", 1)
            rows.append(points_row("rl_gain", statement, "not stated", evidence, pair, base_at(1), start))
    return rows


def _generalization(name: str, evidence: Evidence) -> list[dict]:
    rows = []
    for pair in evidence.pairs:
        rows.append(_relative_gain(name, "strong generalization", evidence, pair))
        n = evidence.common_ns(pair)[-1]
        rows.append(_points_at(n, name, "strong generalization", evidence, pair))
    return rows


def _relative_gain(name: str, paper: str, evidence: Evidence, pair: Pair) -> dict:
    n = evidence.common_ns(pair)[-1]
    verifier, strategy = _best_strategy(evidence, pair, n)
    values_QK = evidence.values(pair, [ours_at(pair, n), base_at(1), Column("base", strategy, n, verifier)])
    gain = evidence.estimate(pair, values_QK, lambda m: 100 * (m[..., 0] / m[..., 1] - 1))
    points = evidence.estimate(pair, values_QK, lambda m: 100 * (m[..., 0] - m[..., 1]))
    gap = evidence.estimate(pair, values_QK, lambda m: 100 * (m[..., 0] - m[..., 2]))
    accuracy = 100 * values_QK.mean(axis=0)
    named = strategy + (f" with {verifier}" if verifier else "")
    detail = (
        f"{accuracy[0]:.1f} % at N = {n} against {accuracy[1]:.1f} % at N = 1: "
        f"{spread(points, '+.1f')} points; {spread(gap, '+.1f')} points over the base method's best "
        f"at N = {n} ({named}, {accuracy[2]:.1f} %)"
    )
    statement = (
        f"Relative gain (%) of {pair.unified}, weighted voting at N = {n}, over {pair.base} at N = 1 "
        f"{where(evidence, pair)}"
    )
    return row(name, statement, paper, gain, 20.0, detail)


def _points_at(n: int, name: str, paper: str, evidence: Evidence, pair: Pair) -> dict:
    statement = (
        f"Points of {pair.unified}, weighted voting, over {pair.base}, majority voting, at N = {n} "
        f"{where(evidence, pair)}"
    )
    return points_row(name, statement, paper, evidence, pair, ours_at(pair, n), base_at(n))


def _best_strategy(evidence: Evidence, pair: Pair, n: int) -> tuple[str, str]:
    """(verifier, strategy) of the base method's most accurate vote at N: without scores or by its judge."""
    seeds = [evidence.rows(base) for base, _ in evidence.seeds(pair)]
    known = ["majority", *sorted(NEEDS_SCORES)]
    rows = pl.concat(seeds).filter(
        (pl.col("n") == n) & pl.col("strategy").is_in(known) & pl.col("verifier").is_in(["", pair.judge])
    )
    means = rows.group_by("verifier", "strategy").agg(pl.col("accuracy").mean())
    order = ["accuracy", "strategy", "verifier"]
    verifier, strategy, _ = means.sort(order, descending=[True, False, False]).row(0)
    return verifier, strategy
