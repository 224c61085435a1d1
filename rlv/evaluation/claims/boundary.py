"""Claims about what training changes besides the vote: what is found at all, and how soon.

    boundary   does the start model still find, with many tries, what RL does not? (Yue et al. 2025)
    regret     how far is a reasoner from one that is right at once, at whatever length it is stopped? (MRT)

Both papers are about other models than RL^V's, which states nothing of it: the bars are ours, the sign.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rlv.evaluation.bootstrap import Floats
from rlv.evaluation.claims.evidence import Column, Evidence, Pair, base_at, ours_at
from rlv.evaluation.claims.rows import OURS, points, row, spread, where

_YUE = "Yue et al. 2025: start models pass more at large N"
_MRT = "Qu et al. 2025: training for progress lowers regret"


def boundary(evidence: Evidence) -> list[dict]:
    """Points of pass@N of a start model over the base method at the largest N: above 0, training lost some.

    Once for the start and once for the cold start, where these are evaluated. In `detail`: both at N = 1, the
    first N at which the start is ahead, and the same of RL^V. Yue et al. 2025 (arXiv 2504.13837).
    """
    rows = []
    for pair in evidence.pairs:
        for side in ("start", "cold"):
            reasoner = getattr(pair, side)
            if reasoner is not None and evidence.evaluated(reasoner):
                rows.append(_boundary(evidence, pair, side, reasoner))
    return rows


def _boundary(evidence: Evidence, pair: Pair, side: str, reasoner: str) -> dict:
    start, base = (Column(role, "pass_at_n", 1) for role in (side, "base"))
    ours = replace(base, side="unified")
    ns = evidence.ns(pair, start, base, ours)
    above_KN = 100 * np.stack([_passes(evidence, pair, column, ns) for column in (start, base, ours)])
    gap, gap_v = (
        points(evidence, pair, evidence.values(pair, [replace(start, n=ns[-1]), replace(rl, n=ns[-1])]))
        for rl in (base, ours)
    )
    ahead = [n for n, first, other in zip(ns, above_KN[0], above_KN[1], strict=True) if first > other]
    crossing = f"first ahead at N = {ahead[0]}" if ahead else f"never ahead up to N = {ns[-1]}"
    detail = (
        f"{above_KN[0, -1]:.1f} % against {above_KN[1, -1]:.1f} %; at N = {ns[0]} {above_KN[0, 0]:.1f} % "
        f"against {above_KN[1, 0]:.1f} %; {reasoner} is {crossing}; over {pair.unified} "
        f"{spread(gap_v, '+.1f')} points{evidence.unfinished(pair, (side, 'base'))}; a crossing beyond "
        f"N = {ns[-1]} cannot be seen, and pass@N counts answers that are right by luck"
    )
    statement = (
        f"Points of accuracy of {reasoner}, untrained, by pass@N over {pair.base} at N = {ns[-1]} "
        f"{where(evidence, pair)}"
    )
    return row("boundary", statement, _YUE, gap, 0.0, OURS, detail)


def _passes(evidence: Evidence, pair: Pair, column: Column, ns: list[int]) -> Floats:
    return evidence.values(pair, [replace(column, n=n) for n in ns]).mean(axis=0)


def regret(evidence: Evidence) -> list[dict]:
    """Regret of RL^V over length budgets less that of the base method: below 0, it is right sooner.

    Regret is 1 - (area under accuracy against the tokens at which a solution is cut and made to answer) /
    (the largest budget), with nothing known at 0 tokens and accuracy linear between budgets: MRT's normalised
    regret (Qu et al. 2025, arXiv 2503.07572) with budgets for episodes. Of one solution; in `detail` also of
    votes at the largest N.
    """
    rows = []
    for pair in evidence.pairs:
        n = evidence.common_ns(pair)[-1]
        one = [Column("unified", "majority", 1), base_at(1)]
        values_QK = evidence.values(pair, _cells(evidence, one))
        found = evidence.estimate(pair, values_QK, lambda m: np.subtract(*_regrets(m, evidence.budgets)))
        ours, base = _regrets(values_QK.mean(axis=0), evidence.budgets)
        voted = evidence.values(pair, _cells(evidence, [ours_at(pair, n), base_at(n)]))
        votes = evidence.estimate(pair, voted, lambda m: np.subtract(*_regrets(m, evidence.budgets)))
        budgets = ", ".join(map(str, evidence.budgets))
        detail = (
            f"{ours:.3f} against {base:.3f} over budgets of {budgets} tokens; of votes at N = {n} (weighted "
            f"with its own scores, against majority) {spread(votes, '+.3f')}; neither was trained for it"
        )
        statement = (
            f"Regret over length budgets of one solution of {pair.unified} less that of {pair.base} "
            f"{where(evidence, pair)}"
        )
        rows.append(row("regret", statement, _MRT, found, 0.0, OURS, detail, direction="below"))
    return rows


def _cells(evidence: Evidence, sides: list[Column]) -> list[Column]:
    """Both sides at every budget, side by side."""
    return [replace(side, budget=budget) for side in sides for budget in evidence.budgets]


def _regrets(means: Floats, budgets: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Regrets of both sides from their accuracies [..., 2 K] at K ascending budgets."""
    half = len(budgets)
    return regret_of(means[..., :half], budgets), regret_of(means[..., half:], budgets)


def regret_of(accuracy_K: Floats, budgets: tuple[int, ...]) -> Floats:
    """Normalised regret of accuracies [..., K] at K ascending budgets, from 0 (right at once) to 1."""
    tokens_K = np.array([0, *budgets], dtype=np.float64)
    none = np.zeros((*np.shape(accuracy_K)[:-1], 1))
    known = np.concatenate([none, np.asarray(accuracy_K, dtype=np.float64)], axis=-1)
    area = ((known[..., 1:] + known[..., :-1]) / 2 * np.diff(tokens_K)).sum(axis=-1)
    return np.asarray(1 - area / tokens_K[-1])
