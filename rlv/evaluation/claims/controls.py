"""Claims against controls: what explains a lead of RL^V better than its verifier must not be as good.

    rl_over_cold       is RL more than a better temperature of the model that it started from?
    over_majority      does the verifier improve the vote of its own solutions, however they came about?
    over_confidence    is a trained verifier more than the reasoner's own log-probabilities?
    over_brevity       ... more than that short solutions are right more often?
    over_judge, over_chain   ... more than asking the base method, at once or after it has reasoned?
    over_best          ... more than all that can be made of the base method without training a verifier?
    majority_stalls    is there anything to gain, or does majority voting find what was sampled?
    within_problem     does the verifier tell solutions of one problem apart, which is all that votes use?

The paper states nothing about these numbers: the bars are ours. Controls that a comparison does not name are
left out.
"""

from __future__ import annotations

from dataclasses import replace

from rlv.evaluation.bootstrap import Estimate
from rlv.evaluation.claims.equal_tokens import beside
from rlv.evaluation.claims.evidence import Column, Evidence, Pair, base_at, ours_at
from rlv.evaluation.claims.parallel import best_vote, named, votes_at
from rlv.evaluation.claims.rows import NOT_STATED, OURS, points, points_row, row, spread, where
from rlv.evaluation.claims.verifiers import metrics_over_seeds
from rlv.evaluation.verifier_metrics import ANSWERED

# At how many votes a control is compared, or the next smaller N that was evaluated.
CONTROL_N = 8
# From how many points on something is left to find in what was sampled.
STALLED = 5.0
CHANCE = 0.5


def rl_over_cold(evidence: Evidence) -> list[dict]:
    """Points of the base RL method over its cold start: of one solution, and by majority voting at N = 8."""
    rows = []
    for pair in evidence.pairs:
        if pair.cold is None or not evidence.evaluated(pair.cold):
            continue
        cold = Column("cold", "majority", 1)
        ns = evidence.ns(pair, base_at(1), cold)
        for n in dict.fromkeys((1, few(ns))):
            how = "one solution" if n == 1 else f"majority voting at N = {n}"
            statement = (
                f"Points of accuracy of {pair.base} over the cold start {pair.cold} by {how}, "
                f"{where(evidence, pair)}"
            )
            sides = base_at(n), replace(cold, n=n)
            rows.append(points_row("rl_over_cold", statement, evidence, pair, *sides))
    return rows


def over_majority(evidence: Evidence) -> list[dict]:
    """Points of RL^V with its own scores over majority voting on the same solutions, at N = 8.

    What the verifier adds to a vote. A lead over the base method also has in it how well two separate
    trainings went, which differs from seed to seed.
    """
    rows = []
    for pair in evidence.pairs:
        if evidence.evaluated(pair.unified):
            majority = Column("unified", "majority", 1)
            rows.append(_on_its_own("over_majority", evidence, pair, majority, "majority voting,"))
    return rows


def over_confidence(evidence: Evidence) -> list[dict]:
    """Points of RL^V at N = 8 over the base method voted by its own confidence, for which nothing is trained.

    The second row is about the verifier alone: RL^V's own scores over the confidence, on the same solutions.
    """
    rows = []
    for pair in evidence.pairs:
        rows += _over("over_confidence", evidence, pair, pair.confidence)
        if pair.confidence is not None and evidence.evaluated(pair.unified, pair.confidence):
            free = replace(ours_at(pair, 1), verifier=pair.confidence)
            rows.append(_on_its_own("over_confidence", evidence, pair, free, f"{pair.confidence}'s,"))
    return rows


def over_brevity(evidence: Evidence) -> list[dict]:
    """Points of RL^V at N = 8 over the base method by weighted voting in which short solutions weigh more."""
    return [r for pair in evidence.pairs for r in _over("over_brevity", evidence, pair, pair.brevity)]


def over_judge(evidence: Evidence) -> list[dict]:
    """Points of RL^V at N = 8 over the base method by weighted voting with itself as judge, in one token."""
    return [r for pair in evidence.pairs for r in _over("over_judge", evidence, pair, pair.judge)]


def over_chain(evidence: Evidence) -> list[dict]:
    """Points of RL^V at N = 8 over the base method by weighted voting with a judge that reasons first."""
    return [r for pair in evidence.pairs for r in _over("over_chain", evidence, pair, pair.chain)]


def over_best(evidence: Evidence) -> list[dict]:
    """Points of RL^V over the base method's best vote without a trained verifier, at the largest N.

    By weighted voting, and by RL^V's own best vote with its scores or without. Both bests are picked by these
    very accuracies, which favours whoever has more votes to pick from. Of untrained controls only those that
    the comparison names; none: no rows.
    """
    rows = []
    for pair in evidence.pairs:
        controls = [c for c in (pair.judge, pair.chain, pair.confidence, pair.brevity) if c is not None]
        if not any(evidence.evaluated(pair.base, control) for control in controls):
            continue
        n = evidence.common_ns(pair)[-1]
        rivals = votes_at(evidence, pair, "base", n)
        rival = best_vote({vote: value for vote, value in rivals.items() if vote[0] in ("", *controls)})
        base = Column("base", rival[1], n, rival[0])
        ours = votes_at(evidence, pair, "unified", n)
        own = best_vote({vote: value for vote, value in ours.items() if vote[0] in ("", pair.verifier)})
        best = Column("unified", own[1], n, own[0])
        for how, column in (("weighted voting", ours_at(pair, n)), ("its best vote", best)):
            statement = (
                f"Points of accuracy of {pair.unified} by {how} over {pair.base}'s best untrained vote, "
                f"N = {n} {where(evidence, pair)}"
            )
            found = points_row("over_best", statement, evidence, pair, column, base)
            by = f"by {named(column.verifier, column.strategy)} over {named(*rival)}: "
            rows.append(found | {"detail": by + found["detail"]})
    return rows


def majority_stalls(evidence: Evidence) -> list[dict]:
    """Points of pass@N over majority voting of the base method at its largest N: what a verifier can find.

    In `detail`: by how much majority voting still rises over the last factor of four in N.
    """
    rows = []
    for pair in evidence.pairs:
        found = Column("base", "pass_at_n", 1)
        ns = evidence.ns(pair, base_at(1), found)
        n = ns[-1]
        values_Q2 = evidence.values(pair, [replace(found, n=n), base_at(n)])
        above, below = 100 * values_Q2.mean(axis=0)
        detail = f"{above:.1f} % against {below:.1f} %"
        earlier = max((m for m in ns if 4 * m <= n), default=None)
        if earlier is not None:
            rise = points(evidence, pair, evidence.values(pair, [base_at(n), base_at(earlier)]))
            detail += f"; from N = {earlier} to {n} majority voting changes by {spread(rise, '+.1f')} points"
        detail += evidence.unfinished(pair, ("base",))
        statement = (
            f"Points of accuracy of {pair.base} by pass@N over majority voting at N = {n} "
            f"{where(evidence, pair)}"
        )
        gap = points(evidence, pair, values_Q2)
        rows.append(row("majority_stalls", statement, NOT_STATED, gap, STALLED, OURS, detail))
    return rows


def within_problem(evidence: Evidence) -> list[dict]:
    """Chance that RL^V's verifier scores a right solution of its own above a wrong one of the same problem.

    Of solutions that have an answer (`within_auroc`, rlv/evaluation/verifier_metrics.py). In `detail`: the
    same of the controls on the base method's solutions, and of the confidence on RL^V's. Our bar is chance.
    """
    rows = []
    for pair in evidence.pairs:
        number = _within(evidence, pair, "unified", pair.verifier)
        if number is None:
            continue
        others = []
        for side, readers in (
            ("base", (pair.judge, pair.chain, pair.confidence, pair.brevity)),
            ("unified", (pair.confidence,)),
        ):
            read = [(v, _within(evidence, pair, side, v)) for v in readers if v is not None]
            said = [f"{v} {spread(found, '.3f')}" for v, found in read if found is not None]
            if said:
                others.append(f"on solutions of {getattr(pair, side)}: {', '.join(said)}")
        statement = (
            f"Chance that {pair.unified} scores a right solution of its own above a wrong one of the same "
            f"problem {where(evidence, pair)}"
        )
        detail = "; ".join(others) or "no other verifier read solutions of either"
        rows.append(row("within_problem", statement, NOT_STATED, number, CHANCE, OURS, detail))
    return rows


def _over(name: str, evidence: Evidence, pair: Pair, verifier: str | None) -> list[dict]:
    """The row of RL^V over the base method's solutions voted by a verifier; none if it did not read them."""
    if verifier is None or not evidence.evaluated(pair.base, verifier):
        return []
    rival = Column("base", "weighted_voting", 1, verifier)
    n = few(evidence.ns(pair, ours_at(pair, 1), rival))
    statement = (
        f"Points of accuracy of {pair.unified} over {pair.base} with {verifier}, both by weighted voting at "
        f"N = {n}, {where(evidence, pair)}"
    )
    found = points_row(name, statement, evidence, pair, ours_at(pair, n), replace(rival, n=n))
    return [found | {"detail": f"{found['detail']}; {beside(evidence, pair, n, rival)}"}]


def _on_its_own(name: str, evidence: Evidence, pair: Pair, rival: Column, over: str) -> dict:
    """The row of RL^V's own scores over another vote of the same solutions; `over` names that vote."""
    n = few(evidence.ns(pair, ours_at(pair, 1), rival))
    statement = (
        f"Points of accuracy of {pair.unified} by weighted voting with its own scores over {over} N = {n} "
        f"{where(evidence, pair)}"
    )
    return points_row(name, statement, evidence, pair, ours_at(pair, n), replace(rival, n=n))


def few(ns: list[int]) -> int:
    """Of ascending N, the one at which controls are compared."""
    return max((n for n in ns if n <= CONTROL_N), default=ns[0])


def few_and_most(ns: list[int]) -> list[int]:
    """Of ascending N, the one at which controls are compared and the largest, once if they are one."""
    return list(dict.fromkeys((few(ns), ns[-1])))


def _within(evidence: Evidence, pair: Pair, side: str, verifier: str) -> Estimate | None:
    """Over all training seeds; None if it was not measured of one of them."""
    reasoners = [seed[side == "unified"] for seed in evidence.seeds(pair)]
    return metrics_over_seeds(evidence, reasoners, verifier, ANSWERED).get("within_auroc")
