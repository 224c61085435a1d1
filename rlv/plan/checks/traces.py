"""Whether verifiers that are read along solutions can be: at places, and as one score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rlv.plan.checks.names import broken_method
from rlv.scoring import SCORES
from rlv.scoring.aggregations import AGGREGATIONS

if TYPE_CHECKING:
    from rlv.study.types import Study


def broken_traces(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of every fault of what verifiers read along solutions."""
    for name, verifier in study.verifiers.items():
        key = f"verifiers.{name}"
        yield from broken_method(f"{key}.aggregate", verifier.aggregate, AGGREGATIONS, "aggregation")
        if verifier.aggregate is None and verifier.places is not None:
            yield (
                f"{key}.places",
                "nothing reads this without `aggregate`; name one, or leave it out",
            )
        if verifier.aggregate is None or verifier.score not in SCORES:
            continue
        score = SCORES[verifier.score]
        if score.is_given and verifier.places is not None:
            yield f"{key}.places", "the files have the scores of steps, wherever they were read; leave it out"
        elif not score.traces and not score.is_given:
            able = ", ".join(sorted(name for name, one in SCORES.own.items() if one.traces or one.is_given))
            yield (
                f"{key}.aggregate",
                f"score {verifier.score!r} has no values along a solution; {able} have; leave it out",
            )
