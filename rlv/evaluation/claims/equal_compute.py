"""Does RL^V still pay when its verifier pays for what it reads? Claims at equal tokens instead of equal N.

Tokens of RL^V are generated and read, those of the base method's majority voting only generated. At N = 1 a
vote needs no scores, and reading is charged all the same. It is charged whole, which flatters nobody; details
have the same with sampling's keys and values kept (rlv/evaluation/prices.py). The paper states nothing about
tokens: the bars are ours, to be better than the base method.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rlv.evaluation.claims.equal_tokens import CACHED, NOT_KNOWN, cached, match
from rlv.evaluation.claims.evidence import Evidence, Pair, base_at, ours_at
from rlv.evaluation.claims.parallel import EARLY_NS
from rlv.evaluation.claims.rows import NOT_STATED, OURS, row, spread, where
from rlv.evaluation.efficiency import Efficiency
from rlv.evaluation.efficiency import efficiency as efficiency_ratios
from rlv.evaluation.prices import COLUMNS


def token_efficiency(evidence: Evidence) -> list[dict]:
    """`efficiency` with tokens for N: what the base method pays for its accuracy over what RL^V pays for it.

    The base method pays for no more solutions than it needs. In `detail` by N_ref, and the same in FLOPs and
    with keys and values kept.
    """
    rows = []
    for pair in evidence.pairs:
        ns = evidence.common_ns(pair)
        (tokens, (ours, base)), (operations, _) = (
            _cost_ratios(evidence, pair, ns, unit) for unit in COLUMNS["whole"]
        )
        late = [r for r in tokens.ratios if r.n_ref >= 2]
        each = ", ".join(f"{r.n_ref}: {spread(r.ratio, '.2f') if r.reached else 'never'}" for r in late)
        detail = (
            f"range {tokens.lowest:.2f} to {tokens.highest:.2f} over N_ref (never reached counts as 0); by "
            f"N_ref {each}; in FLOPs {spread(operations.median, '.2f')}; a solution takes {ours:.1f} tokens, "
            f"read whole, against {base:.1f}; {_cached_ratios(evidence, pair, ns)}{evidence.unfinished(pair)}"
        )
        statement = (
            f"Tokens of {pair.base} by majority over {pair.unified}'s by weighted voting, read whole, at "
            f"equal accuracy (median over N) {where(evidence, pair)}"
        )
        rows.append(row("token_efficiency", statement, NOT_STATED, tokens.median, 1.0, OURS, detail))
    return rows


def token_gain(evidence: Evidence) -> list[dict]:
    """Points of weighted voting at N = 4 and 8 over the base method's majority voting at equal tokens.

    In `detail` the same with keys and values kept.
    """
    rows = []
    for pair in evidence.pairs:
        largest_n = evidence.base_ns(pair)[-1]
        for n in (n for n in evidence.common_ns(pair) if n in EARLY_NS):
            found = match(evidence, pair, n)
            beyond = (
                f", its N = {found.equal_n:.1f}"
                if found.covered
                else f"; its largest N = {largest_n} has only {found.largest:.0f} tokens and stands in"
            )
            detail = (
                f"{found.ours:.1f} % against {found.base:.1f} % at {found.tokens:.0f} tokens a problem, read "
                f"whole{beyond}; {cached(evidence, pair, n)}{evidence.unfinished(pair)}"
            )
            against = "with as many tokens" if found.covered else f"at N = {largest_n} (fewer tokens)"
            statement = (
                f"Points of {pair.unified} by weighted voting at N = {n}, read whole, over "
                f"{pair.base} by majority {against} {where(evidence, pair)}"
            )
            rows.append(row("token_gain", statement, NOT_STATED, found.points, 0.0, OURS, detail))
    return rows


def _cached_ratios(evidence: Evidence, pair: Pair, ns: list[int]) -> str:
    """The ratios with keys and values kept, in words."""
    found = [_cost_ratios(evidence, pair, ns, unit) for unit in COLUMNS["cached"]]
    if any(np.isnan(prices).any() for _, prices in found):
        return NOT_KNOWN
    (tokens, (ours, _)), (operations, _) = found
    return (
        f"{CACHED} {ours:.1f}, ratio {spread(tokens.median, '.2f')}, in FLOPs "
        f"{spread(operations.median, '.2f')}"
    )


def _cost_ratios(
    evidence: Evidence, pair: Pair, ns: list[int], unit: str
) -> tuple[Efficiency, tuple[float, float]]:
    """Ratios of costs, and the mean cost a solution of RL^V and of the base method."""
    curves = [*(ours_at(pair, n) for n in ns), *map(base_at, ns)]
    costs = [replace(ours_at(pair, ns[0]), value=unit), replace(base_at(ns[0]), value=unit)]
    values_QK = evidence.values(pair, [*curves, *costs])
    prices_Q2 = values_QK[:, -2:] / ns[0]
    found = efficiency_ratios(
        values_QK[:, : len(ns)],
        values_QK[:, len(ns) : -2],
        ns,
        prices_P2=prices_Q2,
        draws=evidence.draws,
        seed=evidence.seed,
        replicates=len(evidence.seeds(pair)),
    )
    ours, base = prices_Q2.mean(axis=0).tolist()
    return found, (ours, base)
