"""Claims about solutions of which nothing is known but the solutions: no training, no counterpart.

    headroom        is there anything for a verifier to find?
    verifier_gain   what is a verifier worth on these solutions?
    verifier_order  does it tell solutions of one problem apart, which is all that votes use?
    paired          which of two reasoners is better, on the problems that both have?

All are paired problem by problem, and all bars are ours. Of one solution there is no vote, so if there are no
more only the pair's accuracies are compared.
"""

from __future__ import annotations

from dataclasses import replace

from rlv.evaluation.claims.controls import CHANCE, CONTROL_N, STALLED
from rlv.evaluation.claims.evidence import Column, Evidence, Pair, base_at
from rlv.evaluation.claims.rows import NOT_STATED, OURS, UNDECIDED, points, points_row, row, spread, where
from rlv.evaluation.claims.verifiers import metrics_over_seeds
from rlv.evaluation.verifier_metrics import ANSWERED

_MAJORITY = Column("unified", "majority", 1)
# Of fewer problems than this even one sign in all of them happens by chance in more than 5 % of cases.
FEWEST = 6


def headroom(evidence: Evidence) -> list[dict]:
    """Points of pass@N over majority voting at the largest N: what a verifier could find at best."""
    rows = []
    for pair in evidence.pairs:
        if pair.verifier:
            continue
        limit = replace(_MAJORITY, strategy="pass_at_n")
        n = evidence.ns(pair, _MAJORITY, limit)[-1]
        if n == 1:
            continue
        values_Q2 = evidence.values(pair, [replace(limit, n=n), replace(_MAJORITY, n=n)])
        above, below = 100 * values_Q2.mean(axis=0)
        statement = (
            f"Points of accuracy of pass@N over majority voting on the solutions of {pair.unified}, N = {n} "
            f"{where(evidence, pair)}"
        )
        detail = f"{above:.1f} % against {below:.1f} %{evidence.unfinished(pair, ('unified',))}"
        found = points(evidence, pair, values_Q2)
        made = row("headroom", statement, NOT_STATED, found, STALLED, OURS, detail)
        rows.append(_careful(made, len(values_Q2)))
    return rows


def verifier_gain(evidence: Evidence) -> list[dict]:
    """Points of votes with a verifier over majority voting on the same solutions.

    Weighted voting at N = 8, or half of the solutions, and at the largest N, and the best of N there.
    """
    rows = []
    for pair in evidence.pairs:
        if not pair.verifier or not evidence.evaluated(pair.unified, pair.verifier):
            continue
        weighted = Column("unified", "weighted_voting", 1, pair.verifier)
        best = replace(weighted, strategy="best_of_n")
        ns = evidence.ns(pair, _MAJORITY, weighted, best)
        cells = [(weighted, _some(ns)), (weighted, ns[-1]), (best, ns[-1])]
        for column, n in dict.fromkeys(cells):
            if n == 1:
                continue
            how = "weighted voting with" if column is weighted else "the best of N by"
            statement = (
                f"Points of accuracy of {how} {pair.verifier} over majority voting, same solutions of "
                f"{pair.unified}, N = {n} {where(evidence, pair)}"
            )
            sides = replace(column, n=n), replace(_MAJORITY, n=n)
            made = points_row("verifier_gain", statement, evidence, pair, *sides)
            rows.append(_careful(made, _problems(evidence, pair)))
    return rows


def verifier_order(evidence: Evidence) -> list[dict]:
    """Chance that a verifier scores a right solution above a wrong one of the same problem.

    Of solutions that have an answer (`within_auroc`). In `detail` all its metrics.
    """
    rows = []
    for pair in evidence.pairs:
        metrics = metrics_over_seeds(evidence, [pair.unified], pair.verifier, ANSWERED)
        if "within_auroc" not in metrics:
            continue
        statement = (
            f"Chance that {pair.verifier} scores a right solution of {pair.unified} above a wrong one of the "
            f"same problem {where(evidence, pair)}"
        )
        detail = "; ".join(f"{name} {spread(found, '.3f')}" for name, found in metrics.items())
        made = row("verifier_order", statement, NOT_STATED, metrics["within_auroc"], CHANCE, OURS, detail)
        rows.append(_careful(made, _problems(evidence, pair)))
    return rows


def paired(evidence: Evidence) -> list[dict]:
    """Points of one reasoner over another, vote by vote, on the problems that both have.

    One solution; majority voting at N = 8, or half of the solutions, and at the largest N; pass@N there; and
    weighted voting with every verifier of both.
    """
    rows = []
    for pair in evidence.pairs:
        for column, n in _votes(evidence, pair):
            how = _in_words(column, n)
            ours, base = replace(column, n=n), replace(column, n=n, side="base")
            count = len(evidence.values(pair, [ours]))
            statement = (
                f"Points of accuracy of {pair.unified} over {pair.base} by {how} on {evidence.dataset} "
                f"({count:,} problems that both have)"
            )
            rows.append(_careful(points_row("paired", statement, evidence, pair, ours, base), count))
    return rows


def _problems(evidence: Evidence, pair: Pair) -> int:
    return evidence.rows(pair.unified)["problem_id"].n_unique()


def _careful(row: dict, problems: int) -> dict:
    """The row, undecided if it is about too few problems to decide anything."""
    if problems >= FEWEST:
        return row
    said = f"{row['detail']}; {problems} problem{'s' * (problems != 1)} decide nothing"
    return row | {"verdict": UNDECIDED, "detail": said}


def _some(ns: list[int]) -> int:
    """The N beside the largest at which votes are compared: 8, but at most half of the solutions.

    A vote of all solutions is one draw; of half of them it is a mean over many, and decides more.
    """
    return max((n for n in ns if n <= CONTROL_N and 2 * n <= ns[-1]), default=ns[0])


def _votes(evidence: Evidence, pair: Pair) -> list[tuple[Column, int]]:
    """The votes that both reasoners of a pair have, and at which N they are compared."""
    ns = evidence.ns(pair, _MAJORITY, base_at(1))
    found = [(_MAJORITY, n) for n in dict.fromkeys((1, _some(ns), ns[-1])) if n in ns]
    if ns[-1] > 1:
        found.append((replace(_MAJORITY, strategy="pass_at_n"), ns[-1]))
    read = [set(evidence.rows(reasoner)["verifier"]) for reasoner in (pair.unified, pair.base)]
    for verifier in sorted(set.intersection(*read) - {""}):
        column = Column("unified", "weighted_voting", 1, verifier)
        ns = evidence.ns(pair, column, replace(column, side="base"))
        found += [(column, n) for n in dict.fromkeys((_some(ns), ns[-1])) if n > 1]
    return found


def _in_words(column: Column, n: int) -> str:
    if n == 1:
        return "one solution"
    name = {"majority": "majority voting", "pass_at_n": "pass@N"}.get(column.strategy)
    return f"{name or f'weighted voting with {column.verifier}'} at N = {n}"
