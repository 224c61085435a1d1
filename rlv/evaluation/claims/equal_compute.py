"""Does RL^V still pay when its verifier pays for what it reads? Claims at equal tokens instead of equal N.

Tokens of RL^V are generated and read, those of the base method's majority voting only generated. At N = 1 a
vote needs no scores, and reading is charged all the same. The paper states nothing about tokens: the bars are
ours, to be better than the base method.
"""

from __future__ import annotations

from dataclasses import replace

from rlv.evaluation.claims.equal_tokens import match
from rlv.evaluation.claims.evidence import Evidence, Pair, base_at, ours_at
from rlv.evaluation.claims.parallel import EARLY_NS
from rlv.evaluation.claims.rows import NOT_STATED, OURS, row, spread, where
from rlv.evaluation.efficiency import Efficiency
from rlv.evaluation.efficiency import efficiency as efficiency_ratios


def token_efficiency(evidence: Evidence) -> list[dict]:
    """`efficiency` with tokens for N: what the base method pays for its accuracy over what RL^V pays for it.

    The base method pays for no more solutions than it needs. In `detail` by N_ref, and the same in FLOPs.
    """
    rows = []
    for pair in evidence.pairs:
        ns = evidence.common_ns(pair)
        tokens, (ours, base) = _cost_ratios(evidence, pair, ns, "tokens")
        operations, _ = _cost_ratios(evidence, pair, ns, "flops")
        late = [r for r in tokens.ratios if r.n_ref >= 2]
        each = ", ".join(f"{r.n_ref}: {spread(r.ratio, '.2f') if r.reached else 'never'}" for r in late)
        detail = (
            f"range {tokens.lowest:.2f} to {tokens.highest:.2f} over N_ref (never reached counts as 0); by "
            f"N_ref {each}; in FLOPs {spread(operations.median, '.2f')}; a solution takes {ours:.1f} tokens "
            f"(read ones included) against {base:.1f}{evidence.unfinished(pair)}"
        )
        statement = (
            f"Tokens of {pair.base} by majority over those of {pair.unified} by weighted voting at equal "
            f"accuracy (median over N) {where(evidence, pair)}"
        )
        rows.append(row("token_efficiency", statement, NOT_STATED, tokens.median, 1.0, OURS, detail))
    return rows


def token_gain(evidence: Evidence) -> list[dict]:
    """Points of weighted voting at N = 4 and 8 over the base method's majority voting at equal tokens."""
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
                f"{found.ours:.1f} % against {found.base:.1f} % at {found.tokens:.0f} tokens a problem (read "
                f"ones included){beyond}{evidence.unfinished(pair)}"
            )
            against = "with as many tokens" if found.covered else f"at N = {largest_n} (fewer tokens)"
            statement = (
                f"Points of accuracy of {pair.unified} by weighted voting at N = {n} over {pair.base} by "
                f"majority {against} {where(evidence, pair)}"
            )
            rows.append(row("token_gain", statement, NOT_STATED, found.points, 0.0, OURS, detail))
    return rows


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
