"""Claims about the verifier: how well it tells right from wrong, and whether one trained apart is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.bootstrap import Estimate, student_quantile
from rlv.evaluation.claims.evidence import Evidence, ours_at
from rlv.evaluation.claims.rows import NOT_STATED, OURS, points_row, row, spread, where
from rlv.evaluation.verifier_metrics import ALL, ANSWERED

# At how many votes the two verifiers are compared, or the next smaller N that was evaluated.
SEPARATE_N = 8


def verifier_accuracy(evidence: Evidence) -> list[dict]:
    """Balanced accuracy of the unified verifier on its own solutions that have an answer.

    In `detail` all metrics of these, and the balanced accuracy of all solutions.
    """
    if evidence.verification is None:
        return []
    rows = []
    for pair in evidence.pairs:
        reasoners = [unified for _, unified in evidence.seeds(pair)]
        metrics, whole = (
            metrics_over_seeds(evidence, reasoners, pair.verifier, over, needed="balanced_accuracy")
            for over in (ANSWERED, ALL)
        )
        detail = "; ".join(f"{name} {spread(found, '.3f')}" for name, found in metrics.items())
        detail += f"; over all solutions balanced_accuracy {spread(whole['balanced_accuracy'], '.3f')}"
        statement = (
            f"Balanced accuracy of {pair.unified} as a verifier of its own answered solutions "
            f"{where(evidence, pair)}"
        )
        number = metrics["balanced_accuracy"]
        rows.append(row("verifier_accuracy", statement, NOT_STATED, number, 0.9, OURS, detail))
    return rows


def separate(evidence: Evidence) -> list[dict]:
    """Points of weighted voting with the unified verifier over a separate one, on the same RL^V solutions.

    Over all training seeds if the separate verifier read the solutions of all, else over the first.
    """
    rows = []
    for pair in evidence.pairs:
        if pair.separate is None or not evidence.evaluated(pair.unified, pair.separate):
            continue
        if not all(evidence.evaluated(unified, pair.separate) for _, unified in evidence.seeds(pair)):
            pair = pair.first_seed()
        ns = evidence.common_ns(pair)
        n = max((n for n in ns if n <= SEPARATE_N), default=ns[0])
        unified = ours_at(pair, n)
        statement = (
            f"Points of accuracy of {pair.unified} by weighted voting with its own scores over "
            f"{pair.separate}'s, N = {n} {where(evidence, pair)}"
        )
        other = replace(unified, verifier=pair.separate)
        rows.append(points_row("separate", statement, evidence, pair, unified, other))
    return rows


def over_seeds(found: list[Estimate]) -> Estimate:
    """The mean over S training seeds: half-width sqrt(mean of h² + (t s / sqrt(S))²).

    h are the half-widths over problems of each seed, on either side of its value, s is the standard deviation
    over seeds, and t Student's quantile, as in bootstrap.py. Seeds share their problems, so h does not shrink
    with S: a little too wide rather than too narrow, since each h holds some of the seed's own noise. NaN
    if a seed has no number.
    """
    if len(found) == 1:
        return found[0]
    values = np.array([e.value for e in found])
    spread_squared = student_quantile(len(values) - 1) ** 2 * values.var(ddof=1) / len(values)
    below = np.sqrt(np.mean([(e.value - e.low) ** 2 for e in found]) + spread_squared)
    above = np.sqrt(np.mean([(e.high - e.value) ** 2 for e in found]) + spread_squared)
    mean = values.mean()
    return Estimate(float(mean), float(max(mean - below, 0.0)), float(min(mean + above, 1.0)))


def metrics_over_seeds(
    evidence: Evidence, reasoners: Sequence[str], verifier: str, over: str, needed: str | None = None
) -> dict[str, Estimate]:
    """The metrics, by name, of a verifier on "all" or "answered" solutions of one reasoner with each seed.

    Only metrics that every seed has; NaN if undefined. Raises DataError if a metric stands there twice, and
    for the first seed without the metric that is `needed`.
    """
    seeds = []
    for reasoner in reasoners:
        found = _metrics(evidence, reasoner, verifier, over)
        if needed is not None and needed not in found:
            raise _incomplete(evidence, reasoner, verifier, over, len(found))
        seeds.append(found)
    common = sorted(set.intersection(*map(set, seeds)))
    return {name: over_seeds([found[name] for found in seeds]) for name in common}


def _metrics(evidence: Evidence, reasoner: str, verifier: str, over: str) -> dict[str, Estimate]:
    """All metrics of one verifier on "all" or "answered" solutions of one reasoner; NaN if undefined."""
    if evidence.verification is None:
        return {}
    rows = evidence.verification.filter(
        (pl.col("dataset") == evidence.dataset)
        & (pl.col("reasoner") == reasoner)
        & (pl.col("verifier") == verifier)
        & (pl.col("over") == over)
    ).unique(["budget", "metric"], maintain_order=True)
    found = {
        line["metric"]: Estimate(*(np.nan if line[c] is None else line[c] for c in ("value", "low", "high")))
        for line in rows.iter_rows(named=True)
    }
    if len(found) != rows.height:
        raise _incomplete(evidence, reasoner, verifier, over, rows.height)
    return found


def _incomplete(evidence: Evidence, reasoner: str, verifier: str, over: str, height: int) -> DataError:
    return DataError(
        f"claims: the verification table has {height} rows of {verifier!r} for {over} solutions of "
        f"{reasoner!r} on {evidence.dataset!r}; one of each metric, balanced_accuracy among them, is needed"
    )
