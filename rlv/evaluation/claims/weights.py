"""Claims about how the votes of one reasoner's solutions are weighed by the same scores.

    vote_temperature   is a temperature, chosen on training problems, more than plain weighted voting? (CISC)
    confidence_saving  how many solutions does such a vote save majority voting? (CISC: over 40 %)
    bayes_vote         are log odds, which Bayes' rule asks for, more than scores?
    best_of_n_decay    does the best of N get worse as N grows, since the verifier is exploited?

RL^V's paper states nothing of these. The first three need votes that a study asks for (`evaluation.votes`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from rlv.evaluation.bootstrap import Floats
from rlv.evaluation.claims.controls import few_and_most
from rlv.evaluation.claims.evidence import Column, Evidence, Pair
from rlv.evaluation.claims.rows import OURS, PAPER, points, points_row, row, where
from rlv.evaluation.efficiency import efficiency

SOFTMAX = "softmax:fit"
_CISC = "CISC (Taubenfeld et al. 2025): over 40 % fewer samples on average"
# 40 % fewer: so many solutions of majority voting for one.
SAVED = 1 / (1 - 0.4)
_GAO = "Gao et al. 2023: optimising against a proxy first helps, then hurts"


def vote_temperature(evidence: Evidence) -> list[dict]:
    """Points of softmax:fit with RL^V's scores over weighted voting, and over majority voting.

    At N = 8 and the largest N; its temperature is chosen on training problems.
    """
    rows = []
    for pair in evidence.pairs:
        ours = Column("unified", SOFTMAX, 1, pair.verifier)
        if not _has(evidence, pair.unified, ours):
            continue
        for strategy, how in (("weighted_voting", "weighted voting"), ("majority", "majority voting")):
            verifier = pair.verifier if strategy == "weighted_voting" else ""
            rival = Column("unified", strategy, 1, verifier)
            ns = evidence.ns(pair, ours, rival)
            for n in few_and_most(ns):
                statement = (
                    f"Points of accuracy of {pair.unified} by softmax voting over {how}, same solutions, "
                    f"N = {n} {where(evidence, pair)}"
                )
                sides = replace(ours, n=n), replace(rival, n=n)
                found = points_row("vote_temperature", statement, evidence, pair, *sides)
                detail = (
                    f"{found['detail']}; {chosen(evidence, pair, ours)}; a temperature matters as far as "
                    "scores of one problem differ"
                )
                rows.append(found | {"paper": _CISC, "detail": detail})
    return rows


def confidence_saving(evidence: Evidence) -> list[dict]:
    """Solutions of majority voting over those of softmax:fit at equal accuracy, median over N.

    With the base method's own judge, which is CISC's P(True), and with RL^V's verifier. 1.67 is 40 % fewer.
    """
    rows = []
    for pair in evidence.pairs:
        for side, reasoner, verifier in (
            ("base", pair.base, pair.judge),
            ("unified", pair.unified, pair.verifier),
        ):
            ours = Column(side, SOFTMAX, 1, verifier)
            if _has(evidence, reasoner, ours):
                rows.append(_saving(evidence, pair, reasoner, ours))
    return rows


def _saving(evidence: Evidence, pair: Pair, reasoner: str, ours: Column) -> dict:
    majority = replace(ours, strategy="majority", verifier="")
    ns = evidence.ns(pair, ours, majority)
    curve_QN, reference_QN = (
        evidence.values(pair, [replace(column, n=n) for n in ns]) for column in (ours, majority)
    )
    found = efficiency(
        curve_QN,
        reference_QN,
        ns,
        draws=evidence.draws,
        seed=evidence.seed,
        replicates=len(evidence.seeds(pair)),
    )
    each = ", ".join(
        f"{one.n_ref}: {100 * (1 - 1 / one.ratio.value):.0f} %" if one.reached else f"{one.n_ref}: never"
        for one in found.ratios
        if one.n_ref >= 2
    )
    detail = (
        f"fewer solutions, by N of majority voting {each}; {chosen(evidence, pair, ours)}; what the verifier "
        "reads is not counted; the more wrong answers agree, the sooner majority voting stalls, and its "
        f"accuracy is cheap{evidence.unfinished(pair, (ours.side,))}"
    )
    statement = (
        f"Solutions of {reasoner} by majority over those by softmax voting with {ours.verifier} at equal "
        f"accuracy (median over N) {where(evidence, pair)}"
    )
    return row("confidence_saving", statement, _CISC, found.median, SAVED, PAPER, detail)


def bayes_vote(evidence: Evidence) -> list[dict]:
    """Points of the vote by log odds over weighted voting by the same scores, at N = 8 and the largest N."""
    rows = []
    for pair in evidence.pairs:
        ours = Column("unified", "log_odds", 1, pair.verifier)
        if not _has(evidence, pair.unified, ours):
            continue
        plain = replace(ours, strategy="weighted_voting")
        ns = evidence.ns(pair, ours, plain)
        for n in few_and_most(ns):
            statement = (
                f"Points of accuracy of {pair.unified} by the vote of log odds over weighted voting, same "
                f"scores, N = {n} {where(evidence, pair)}"
            )
            sides = replace(ours, n=n), replace(plain, n=n)
            found = points_row("bayes_vote", statement, evidence, pair, *sides)
            why = "Bayes' rule asks for calibrated scores, and for mistakes that are made independently"
            rows.append(found | {"detail": f"{found['detail']}; {why}"})
    return rows


def best_of_n_decay(evidence: Evidence) -> list[dict]:
    """Points of the best of the largest N over the best of the N that is best; below 0 is a decay.

    That N is chosen on one half of the problems for the other: the highest of noisy means is too high.
    """
    rows = []
    for pair in evidence.pairs:
        best = Column("unified", "best_of_n", 1, pair.verifier)
        if not _has(evidence, pair.unified, best):
            continue
        ns = evidence.ns(pair, best)
        curve_QN = evidence.values(pair, [replace(best, n=n) for n in ns])
        peak_Q = peaks(curve_QN, len(evidence.seeds(pair)))
        peak_value_Q = np.take_along_axis(curve_QN, peak_Q[:, None], axis=1)[:, 0]
        found = points(evidence, pair, np.stack([curve_QN[:, -1], peak_value_Q], axis=1))
        means = zip(ns, curve_QN.mean(axis=0), strict=True)
        by_n = ", ".join(f"{n}: {100 * mean:.1f} %" for n, mean in means)
        numbers = " and ".join(str(ns[k]) for k in sorted(set(peak_Q.tolist())))
        detail = (
            f"{by_n}; chosen N = {numbers}, on one half of the problems for the other; it decays "
            f"where some wrong solutions score above all right ones{evidence.unfinished(pair, ('unified',))}"
        )
        statement = (
            f"Points of accuracy of {pair.unified} by the best of N = {ns[-1]} over the best of the best N "
            f"{where(evidence, pair)}"
        )
        rows.append(row("best_of_n_decay", statement, _GAO, found, 0.0, OURS, detail, direction="below"))
    return rows


def peaks(curve_QN: Floats, seeds: int) -> np.ndarray:
    """For every row the column that is highest on the other half of the problems: peak_Q, first of equals."""
    problem_Q = np.arange(len(curve_QN)) % (len(curve_QN) // seeds)
    half_Q = problem_Q % 2
    if not half_Q.any():  # of one problem there is no other half
        return np.full(len(curve_QN), curve_QN.mean(axis=0).argmax())
    means_HN = np.stack([curve_QN[half_Q != half].mean(axis=0) for half in (0, 1)])
    return means_HN.argmax(axis=1)[half_Q]


def chosen(evidence: Evidence, pair: Pair, column: Column) -> str:
    """What a vote with a chosen number stands for, with every seed: "softmax:0.1 was chosen"."""
    if evidence.fitted is None:
        return "the chosen number is not known"
    votes = []
    for base, unified in evidence.seeds(pair):
        reasoner = unified if column.side == "unified" else base
        here = evidence.fitted.filter(
            pl.col("dataset") == evidence.dataset,
            pl.col("reasoner") == reasoner,
            pl.col("verifier") == column.verifier,
            pl.col("strategy") == column.strategy,
        )
        votes += here["vote"].unique().to_list()
    return f"{', '.join(votes) or 'nothing'} was chosen on training problems"


def _has(evidence: Evidence, reasoner: str, column: Column) -> bool:
    if not evidence.evaluated(reasoner, column.verifier):
        return False
    rows = evidence.rows(reasoner)
    return not rows.filter(
        pl.col("verifier") == column.verifier, pl.col("strategy") == column.strategy
    ).is_empty()
