"""Claims about verifiers that are read along solutions.

    first_error  does it know where a solution goes wrong? (ProcessBench, Zheng et al. 2024)
    worst_step   is the worst step a better score than the sum of all? (PURE, Cheng et al. 2025)

Neither paper is about RL^V: the bars are ours, the sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.bootstrap import Estimate, Floats
from rlv.evaluation.claims.controls import few
from rlv.evaluation.claims.evidence import Column, Evidence, Pair
from rlv.evaluation.claims.rows import NOT_STATED, OURS, points_row, row, where
from rlv.evaluation.claims.verifiers import metrics_over_seeds
from rlv.evaluation.first_errors import CHANCE, FIXED, TUNED, harmonic
from rlv.evaluation.verifier_metrics import ANSWERED

_SUMS = ("found", "wrong", "kept", "right")
_PURE = "Cheng et al. 2025: credit by the sum of steps fails, by the worst one trains"
# Aggregations by the worst step, and by all together; in front of the colon if a number follows.
WORST, TOGETHER = ("min", "softmin"), ("sum", "mean")


def first_error(evidence: Evidence) -> list[dict]:
    """F1 of first errors, in points: the unified verifier on its own solutions less the judge on the base's.

    Then the same verifier less chance, on the same solutions. Of the first training seed, at thresholds from
    training problems if there are any, else at 1/2.
    """
    if evidence.first_errors is None:
        return []
    rows = []
    for pair in evidence.pairs:
        pair = pair.first_seed()
        ours = _sums(evidence, pair.unified, pair.verifier, (TUNED, FIXED))
        if ours is None:
            continue
        at = f"of {pair.verifier!r} on solutions of {pair.unified}"
        judge = _sums(evidence, pair.base, pair.judge, (TUNED, FIXED))
        sides = {
            f"{pair.judge!r} on those of {pair.base}": judge,
            "chance": _sums(evidence, pair.unified, "", (CHANCE,)),
        }
        half = _sums(evidence, pair.unified, pair.verifier, (FIXED,))
        for named, other in sides.items():
            if other is None:
                continue
            found, detail = _compared(evidence, pair, ours, other, f"{at} and of {named}")
            if half is not None:
                detail += f"; at the threshold 1/2 {100 * _f1(_means(half)):.1f}"
            detail += (
                "; to name no step, or always the first, has F1 0; a verifier that was trained on whole "
                "solutions has not learnt where they go wrong"
            )
            statement = f"Points of F1 of first errors {at} over {named} {where(evidence, pair)}"
            rows.append(row("first_error", statement, NOT_STATED, found, 0.0, OURS, detail))
    return rows


def _compared(
    evidence: Evidence, pair: Pair, ours: pl.DataFrame, other: pl.DataFrame, what: str
) -> tuple[Estimate, str]:
    """The difference in points of F1, paired over problems, and both in words."""
    both = ours.join(other, "problem_id", "inner", suffix="_other").sort("problem_id")
    if not len(both) == len(ours) == len(other):
        raise DataError(
            f"claims: first errors on {evidence.dataset!r} {what} are of different problems; compare them on "
            "the same"
        )
    found = evidence.estimate(pair, both.drop("problem_id").to_numpy(), _lead)
    return found, f"F1 {100 * _f1(_means(ours)):.1f} against {100 * _f1(_means(other)):.1f}"


def _means(counts: pl.DataFrame) -> Floats:
    return counts.select(_SUMS).to_numpy().mean(axis=0)


def _sums(evidence: Evidence, reasoner: str, verifier: str, rules: Sequence[str]) -> pl.DataFrame | None:
    """Counts of every problem by the first of these rules that there is; None if there is none."""
    assert evidence.first_errors is not None
    here = evidence.first_errors.filter(
        pl.col("dataset") == evidence.dataset, pl.col("reasoner") == reasoner, pl.col("verifier") == verifier
    )
    for rule in rules:
        found = here.filter(pl.col("rule") == rule)
        if found.height:
            return found.select("problem_id", *_SUMS)
    return None


def _f1(sums: Floats) -> Floats:
    """F1 of sums or means [..., 4], in the order of _SUMS; NaN without solutions of either kind."""
    found, wrong, kept, right = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return harmonic(found / wrong, kept / right)


def _lead(sums: Floats) -> Floats:
    return 100 * (_f1(sums[..., :4]) - _f1(sums[..., 4:]))


def worst_step(evidence: Evidence) -> list[dict]:
    """Points of weighted voting by the worst step over all steps together, of the same values, N = 8.

    One row for each aggregation of either kind that the study has of the same reading, on solutions of RL^V's
    first training seed. In `detail` how well each ranks the solutions of a problem.
    """
    rows = []
    for pair in evidence.pairs:
        pair = pair.first_seed()
        for group in evidence.aggregates:
            here = {name: how for name, how in group.items() if evidence.evaluated(pair.unified, name)}
            for worst in (name for name, how in here.items() if how.partition(":")[0] in WORST):
                for together in (name for name, how in here.items() if how in TOGETHER):
                    rows.append(_worst_step(evidence, pair, here, worst, together))
    return rows


def _worst_step(
    evidence: Evidence, pair: Pair, aggregation: dict[str, str], worst: str, together: str
) -> dict:
    column = Column("unified", "weighted_voting", 1, worst)
    ns = evidence.ns(pair, column)
    column = replace(column, n=few(ns))
    statement = (
        f"Points of accuracy of {pair.unified} by weighted voting with `{aggregation[worst]}` of its values "
        f"along a solution over `{aggregation[together]}`, N = {column.n} {where(evidence, pair)}"
    )
    found = points_row("worst_step", statement, evidence, pair, column, replace(column, verifier=together))
    orders = [
        f"{aggregation[name]} {metrics['within_auroc'].value:.3f}"
        for name in (worst, together)
        if "within_auroc" in (metrics := metrics_over_seeds(evidence, [pair.unified], name, ANSWERED))
    ]
    ranked = f"; a right solution of a problem is above a wrong one: {', '.join(orders)}" if orders else ""
    note = (
        "; PURE is about credit in training, this is the same pair as scores, read by a verifier that was "
        "trained at ends only"
    )
    return found | {"detail": found["detail"] + ranked + note, "paper": _PURE}
