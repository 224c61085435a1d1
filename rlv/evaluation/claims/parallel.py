"""Claims about parallel sampling at equal N: gains, few votes, solutions needed, and other data sets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from rlv.evaluation.bootstrap import Estimate, Floats
from rlv.evaluation.claims.equal_tokens import beside
from rlv.evaluation.claims.evidence import Column, Evidence, Pair, base_at, ours_at
from rlv.evaluation.claims.rows import OURS, PAPER, points, points_row, row, spread, where
from rlv.evaluation.efficiency import efficiency as efficiency_ratios
from rlv.evaluation.ratio import divided
from rlv.evaluation.votes import VOTES

# Few votes: what a sampling budget of a real model affords.
EARLY_NS = (4, 8)


def math_gain(evidence: Evidence) -> list[dict]:
    """Relative gain in percent: weighted voting at the largest common N over one sample of the base method.

    In `detail`: the same in points; the gap to the base method's best strategy (majority, or a vote with the
    scores of any verifier that read its solutions) at the same N; and the gap to its majority voting at equal
    tokens. All paired over problems. Paper: abstract, "over 20 %".
    """
    return [_relative_gain("math_gain", "over 20 %", PAPER, evidence, pair) for pair in evidence.pairs]


def easy_to_hard(evidence: Evidence) -> list[dict]:
    """The gap of math_gain on problems harder than any of training, and points over majority at equal N."""
    return _generalization("easy_to_hard", evidence)


def out_of_domain(evidence: Evidence) -> list[dict]:
    """The gap of math_gain on another kind of problem, and points over majority at equal N."""
    return _generalization("out_of_domain", evidence)


def early_gain(evidence: Evidence) -> list[dict]:
    """Points of weighted voting over the base method's majority voting with few votes, N = 4 and 8.

    Where test-time compute is scarce a value function must pay first. At equal tokens: `token_gain`.
    """
    rows = []
    for pair in evidence.pairs:
        for n in (n for n in evidence.common_ns(pair) if n in EARLY_NS):
            rows.append(_points_at(n, "early_gain", evidence, pair))
    return rows


def efficiency(evidence: Evidence) -> list[dict]:
    """Fewer solutions for the base method's majority accuracy: median of N_ref / N over N_ref of 2 and more.

    In `detail`: the range over N_ref, the ratios from only the measured N, what was never reached, and the
    base method's ratio to itself. Paper: abstract, "8-32x".
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
            f"reached within {ns[-1]} counts as 0 ({np.mean([r.censored for r in late]):.0%} of resamples); "
            f"{pair.base} against itself {np.median([r.itself for r in late]):.1f}, above 1 where its curve "
            f"goes flat{evidence.unfinished(pair)}"
        )
        statement = (
            f"Solutions of {pair.base} by majority over those of {pair.unified} by weighted voting at equal "
            f"accuracy (median over N) {where(evidence, pair)}"
        )
        rows.append(row("efficiency", statement, "8-32x", found.median, 8.0, PAPER, detail))
    return rows


def rl_gain(evidence: Evidence) -> list[dict]:
    """Points of one sample of the base RL method over one of the model that it started from."""
    rows = []
    for pair in evidence.pairs:
        if pair.start is not None and evidence.evaluated(pair.start):
            statement = (
                f"Points of accuracy of {pair.base} over {pair.start}, from which it was trained, at N = 1 "
                f"{where(evidence, pair)}"
            )
            start = Column("start", "majority", 1)
            rows.append(points_row("rl_gain", statement, evidence, pair, base_at(1), start))
    return rows


def _generalization(name: str, evidence: Evidence) -> list[dict]:
    """The bar of 20 % is the paper's only for MATH: on another data set it is ours."""
    rows = []
    for pair in evidence.pairs:
        paper = "strong generalization (no number stated)"
        rows.append(_relative_gain(name, paper, OURS, evidence, pair))
        n = evidence.common_ns(pair)[-1]
        found = _points_at(n, name, evidence, pair)
        rows.append(found | {"paper": paper, "detail": f"{found['detail']}; {beside(evidence, pair, n)}"})
    return rows


def _relative_gain(name: str, paper: str, bar_from: str, evidence: Evidence, pair: Pair) -> dict:
    n = evidence.common_ns(pair)[-1]
    values_QK = evidence.values(pair, [ours_at(pair, n), base_at(1)])
    gap, percent = points(evidence, pair, values_QK), _percent(evidence, pair, values_QK)
    accuracy = 100 * values_QK.mean(axis=0)
    detail = (
        f"{accuracy[0]:.1f} % at N = {n} against {accuracy[1]:.1f} % at N = 1: {spread(gap, '+.1f')} "
        f"points; {_over_best(evidence, pair, n)}; {beside(evidence, pair, n)}{evidence.unfinished(pair)}"
    )
    statement = (
        f"Relative gain (%) of {pair.unified} by weighted voting at N = {n} over {pair.base} at N = 1 "
        f"{where(evidence, pair)}"
    )
    return row(name, statement, paper, percent, 20.0, bar_from, detail)


def _points_at(n: int, name: str, evidence: Evidence, pair: Pair) -> dict:
    statement = (
        f"Points of accuracy of {pair.unified} by weighted voting over {pair.base} by majority, both "
        f"at N = {n}, {where(evidence, pair)}"
    )
    return points_row(name, statement, evidence, pair, ours_at(pair, n), base_at(n))


def _over_best(evidence: Evidence, pair: Pair, n: int) -> str:
    """The gap to the base method's best vote at N, of all that its solutions were scored for.

    A separate verifier may have read only the solutions of the first training seed: the comparison with it
    is then made on that seed, and added.
    """
    by_all = votes_at(evidence, pair, "base", n)
    said = _gap(evidence, pair, n, by_all)
    if len(evidence.seeds(pair)) == 1:
        return said
    first = votes_at(evidence, pair.first_seed(), "base", n)
    if set(first) - set(by_all):
        said += f"; with one training seed ({pair.unified}) {_gap(evidence, pair.first_seed(), n, first)}"
    return said


def _gap(evidence: Evidence, pair: Pair, n: int, votes: dict[tuple[str, str], float]) -> str:
    verifier, strategy = best_vote(votes)
    values_QK = evidence.values(pair, [ours_at(pair, n), Column("base", strategy, n, verifier)])
    gap, percent = points(evidence, pair, values_QK), _percent(evidence, pair, values_QK)
    by = f"{named(verifier, strategy)}, {100 * votes[verifier, strategy]:.1f} %"
    return (
        f"over the base method's best at N = {n} ({by}) "
        f"{spread(gap, '+.1f')} points, {spread(percent, '+.1f')} %"
    )


def votes_at(evidence: Evidence, pair: Pair, side: str, n: int) -> dict[tuple[str, str], float]:
    """Accuracy of every vote over N solutions of a side, "base" or "unified", by (verifier, strategy).

    The mean over training seeds, of votes that all of them have. Limits such as pass@N are no votes.
    """
    seeds = [_votes(evidence, seed[side == "unified"], n) for seed in evidence.seeds(pair)]
    by_all = set.intersection(*map(set, seeds))
    return {vote: float(np.mean([seed[vote] for seed in seeds])) for vote in by_all}


def best_vote(votes: Mapping[tuple[str, str], float]) -> tuple[str, str]:
    """The (verifier, strategy) with the highest accuracy; of equals the first by name."""
    return min(votes, key=lambda vote: (-votes[vote], vote))


def named(verifier: str, strategy: str) -> str:
    """A vote in words: "best of n with judge"."""
    return strategy.replace("_", " ") + (f" with {verifier}" if verifier else "")


def _votes(evidence: Evidence, reasoner: str, n: int) -> dict[tuple[str, str], float]:
    rows = evidence.rows(reasoner).filter(pl.col("n") == n)
    rivals = [name for name in rows["strategy"].unique() if name in VOTES and not VOTES[name].limit]
    rows = rows.filter(pl.col("strategy").is_in(rivals))
    means = rows.group_by("verifier", "strategy").agg(pl.col("accuracy").mean())
    return {(verifier, strategy): accuracy for verifier, strategy, accuracy in means.iter_rows()}


def _percent(evidence: Evidence, pair: Pair, values_Q2: Floats) -> Estimate:
    """Relative gain; undefined if the second is never right."""
    return evidence.ratio(pair, values_Q2, lambda m: 100 * (divided(m[..., 0], m[..., 1]) - 1))
