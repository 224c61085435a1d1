"""Claims about several verifiers together (rlv/evaluation/panels.py).

    weaver_gap         does a label model without labels beat plain ranks, and the best single verifier?
    added_information  does the trained verifier know what the reasoner's own confidence does not?

They are about panels that a study names as verifiers; RL^V's paper states nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rlv.evaluation.bootstrap import Estimate, Floats
from rlv.evaluation.claims.controls import few_and_most
from rlv.evaluation.claims.evidence import Column, Evidence, Pair
from rlv.evaluation.claims.rows import OURS, points_row, row, where

# With less between majority voting and pass@N there is nothing to share, in points.
LEAST_GAP = 2.0
_WEAVER = "Saad-Falcon et al. 2025: weighted ensembles beat unweighted ones"
_RIVALS = {"mean_rank": "the mean of ranks", "best_member": "the best member on training problems"}


def weaver_gap(evidence: Evidence) -> list[dict]:
    """Share of the gap from majority to pass@N that the best of N by a label model closes, less a rival's.

    Rivals are panels of the same members on the same solutions: by mean rank, and by the member that is best
    on training problems; at N = 8 and the largest N.
    """
    rows = []
    for pair in evidence.pairs:
        for side, reasoner in (("unified", pair.unified), ("base", pair.base)):
            for name, members in _panels(evidence, reasoner, "label_model"):
                for kind in _RIVALS:
                    for rival, others in _panels(evidence, reasoner, kind):
                        if others == members:
                            rows += _gaps(evidence, pair, (side, reasoner), (name, rival), kind)
    return rows


def _gaps(
    evidence: Evidence, pair: Pair, of: tuple[str, str], verifiers: tuple[str, str], kind: str
) -> Iterator[dict]:
    side, reasoner = of
    label, rival = (Column(side, "best_of_n", 1, verifier) for verifier in verifiers)
    ends = [Column(side, strategy, 1) for strategy in ("majority", "pass_at_n")]
    ns = [n for n in evidence.ns(pair, label, rival, *ends) if n > 1]
    for n in few_and_most(ns) if ns else ():
        values_QK = evidence.values(pair, [replace(column, n=n) for column in (label, rival, *ends)])
        first, second, low, high = 100 * values_QK.mean(axis=0)
        statement = (
            f"Share of the gap from majority to pass@N closed by {verifiers[0]} less that by {verifiers[1]}, "
            f"the best of N = {n} of {reasoner} {where(evidence, pair)}"
        )
        detail = f"{verifiers[1]} is {_RIVALS[kind]}; gap of {high - low:.1f} points"
        found = Estimate(np.nan, np.nan, np.nan)
        if high - low < LEAST_GAP:
            detail += f", less than {LEAST_GAP:g}: there is nothing to close"
        else:
            found = evidence.ratio(pair, values_QK, _share)
            closed = [(value - low) / (high - low) for value in (first, second)]
            detail += f", closed by {closed[0]:.2f} against {closed[1]:.2f}"
        detail += "; members that read with one model err together, which a label model assumes they do not"
        yield row("weaver_gap", statement, _WEAVER, found, 0.0, OURS, detail)


def _share(means_K: Floats) -> Floats:
    """(label - rival) / (pass@N - majority) of four means; NaN without a gap."""
    gap = means_K[..., 3] - means_K[..., 2]
    return np.where(gap > 0, (means_K[..., 0] - means_K[..., 1]) / np.where(gap > 0, gap, 1.0), np.nan)


def added_information(evidence: Evidence) -> list[dict]:
    """Points of RL^V's verifier and confidence together over the confidence, by weighted voting.

    Together: a panel `stacked` of these two, a regression on training problems; at N = 8 and the largest N.
    """
    rows = []
    for pair in evidence.pairs:
        if pair.confidence is None or not evidence.evaluated(pair.unified, pair.confidence):
            continue
        wanted = tuple(sorted((pair.verifier, pair.confidence)))
        for name, members in _panels(evidence, pair.unified, "stacked"):
            if members != wanted:
                continue
            both = Column("unified", "weighted_voting", 1, name)
            alone = replace(both, verifier=pair.confidence)
            ns = evidence.ns(pair, both, alone)
            for n in few_and_most(ns):
                statement = (
                    f"Points of accuracy of {pair.unified} by weighted voting with {pair.verifier} and "
                    f"{pair.confidence} over {pair.confidence}, N = {n} {where(evidence, pair)}"
                )
                sides = replace(both, n=n), replace(alone, n=n)
                found = points_row("added_information", statement, evidence, pair, *sides)
                why = "members that read with one model err together, and add the less to each other"
                rows.append(found | {"detail": f"{found['detail']}; {why}"})
    return rows


def _panels(evidence: Evidence, reasoner: str, kind: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(verifier, its members in order) of the panels of one kind that read a reasoner's solutions."""
    for name, described in (evidence.panels or {}).items():
        if described["panel"] == kind and evidence.evaluated(reasoner, name):
            yield name, tuple(sorted(described["of"]))
