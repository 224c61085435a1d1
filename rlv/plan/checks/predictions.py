"""What a study may predict: numbers of claims that it makes, on data sets that these claims are about."""

from __future__ import annotations

from collections.abc import Iterator

from rlv.evaluation.claims.evidence import LENGTHS
from rlv.evaluation.claims.predictions import predicted_row
from rlv.evaluation.claims.registry import CLAIMS
from rlv.plan.checks.names import unknown
from rlv.study.types import CLAIM_ROLES, Study


def broken_predictions(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of predictions about no row of the scoreboard, or of nothing."""
    for name, prediction in study.predictions.items():
        key = f"predictions.{name}"
        if study.claims is None:
            yield key, "predictions are about claims; the study has no section `claims`"
            return
        try:
            claim, dataset, _ = predicted_row(name)
        except ValueError as error:
            yield key, f"{error}; use the id of a claim and the name of its data set"
            continue
        yield from unknown(key, claim, CLAIMS, "claim")
        roles = {role: getattr(study.claims, role_key) for role, role_key in CLAIM_ROLES.items()}
        about = [roles[role] for role in CLAIMS[claim].roles if roles.get(role) is not None]
        if LENGTHS in CLAIMS[claim].roles and study.lengths is not None:
            about += study.lengths.datasets
        yield from unknown(key, dataset, about, f"data set of the claim {claim!r}")
        low, high = prediction.low, prediction.high
        if low is None and high is None:
            yield key, "expected `low`, `high` or both, found neither"
        elif low is not None and high is not None and low > high:
            yield key, f"expected low <= high, found {low:g} and {high:g}"
