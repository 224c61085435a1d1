"""Does RL^V still pay when its verifier pays for what it reads? Claims at equal tokens instead of equal N.

Tokens of RL^V are generated and read, those of the base method's majority voting generated alone. At N = 1 a
vote needs no scores, and reading is charged all the same. The paper counts solutions, so its bars do not
apply: the bar is to be no worse than the base method.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rlv.evaluation.bootstrap import Estimate, Floats
from rlv.evaluation.claims.evidence import Evidence, Pair
from rlv.evaluation.claims.parallel import EARLY_NS, base_at, ours_at
from rlv.evaluation.claims.rows import row, spread, where
from rlv.evaluation.efficiency import Efficiency
from rlv.evaluation.efficiency import efficiency as efficiency_ratios
from rlv.evaluation.equal_cost import accuracy_at

PAPER = "not stated (the paper counts solutions)"


def token_efficiency(evidence: Evidence) -> list[dict]:
    """`efficiency` with tokens for N: what the base method pays at N_ref over what RL^V pays to reach it.

    In `detail` by N_ref, and the same in FLOPs.
    """
    rows = []
    for pair in evidence.pairs:
        ns = evidence.common_ns(pair)
        tokens, (ours, base) = _cost_ratios(evidence, pair, ns, "tokens")
        operations, _ = _cost_ratios(evidence, pair, ns, "flops")
        late = [r for r in tokens.ratios if r.n_ref >= 2]
        each = ", ".join(f"{r.n_ref}: {spread(r.ratio, '.2f') if r.reached else 'never'}" for r in late)
        detail = (
            f"range {tokens.lowest:.2f} to {tokens.highest:.2f} over N_ref; by N_ref {each}; in FLOPs "
            f"{spread(operations.median, '.2f')}; a solution takes {ours:.1f} tokens (read ones included) "
            f"against {base:.1f}"
        )
        statement = (
            f"Tokens of {pair.base}, majority voting at N_ref, over those with which {pair.unified}, "
            f"weighted voting, is as accurate (median over N_ref) {where(evidence, pair)}"
        )
        rows.append(row("token_efficiency", statement, PAPER, tokens.median, 1.0, detail))
    return rows


def token_gain(evidence: Evidence) -> list[dict]:
    """Points of weighted voting at N = 4 and 8 over the base method's majority voting at equal tokens.

    The base method's accuracy is linear in log2 tokens between its N, and held at its largest N beyond.
    """
    rows = []
    for pair in evidence.pairs:
        ns = evidence.common_ns(pair)
        for n in (n for n in ns if n in EARLY_NS):
            ours, base = ours_at(pair, n), [base_at(m) for m in ns]
            columns = [ours, *base]
            columns += [replace(column, value="tokens") for column in columns]
            values_QK = evidence.values(pair, columns)
            gain: Estimate = evidence.estimate(pair, values_QK, _points_at_equal_tokens)
            means = values_QK.mean(axis=0)
            matched = 100 * (means[0] - _points_at_equal_tokens(means) / 100)
            tokens, largest = means[len(ns) + 1], means[-1]
            beyond = (
                f"; beyond the {largest:.0f} tokens of its largest N = {ns[-1]}, which stands in for it"
                if tokens > largest
                else f", its N = {_equal_n(means, ns):.1f}"
            )
            detail = (
                f"{100 * means[0]:.1f} % against {matched:.1f} % at {tokens:.0f} tokens a problem{beyond}"
            )
            statement = (
                f"Points of {pair.unified}, weighted voting at N = {n}, over {pair.base}, majority voting at "
                f"equal tokens, {where(evidence, pair)}"
            )
            rows.append(row("token_gain", statement, PAPER, gain, 0.0, detail))
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


def _points_at_equal_tokens(means: Floats) -> Floats:
    """Columns: our accuracy, K of the base method, our tokens, K of the base method."""
    half = means.shape[-1] // 2
    accuracy, tokens = means[..., :half], np.log2(means[..., half:])
    return 100 * (accuracy[..., 0] - accuracy_at(tokens[..., 0], tokens[..., 1:], accuracy[..., 1:]))


def _equal_n(means: Floats, ns: list[int]) -> float:
    """At how many solutions the base method has our tokens: tokens are N times the same price."""
    half = len(means) // 2
    return float(means[half] / (means[half + 1] / ns[0]))
