"""Paired differences of graded samples, as rows of the scoreboard: the claims about recorded solutions."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from rlv.analysis.curves import DATASET, evaluated
from rlv.analysis.grading import Graded
from rlv.errors import DataError
from rlv.evaluation.claims.evidence import Evidence, Pair
from rlv.evaluation.claims.registry import scoreboard


def compare(
    graded: Graded,
    other: Graded | None = None,
    *,
    ns: Sequence[int] | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> pl.DataFrame:
    """What differs, with 95 % intervals and verdicts: a claims table, a row a comparison.

    Of one: what each verifier adds to majority voting on the same solutions, whether it tells right from
    wrong within a problem, and how far majority is from pass@N. Of two: the points of `graded` over `other`
    by every vote that both have, paired on the problems that both have. Columns: statement, ours, low, high,
    bar, verdict ("holds", "does not hold", "undecided"), detail, ... Raises DataError if the two have one
    name, or no problem in common.
    """
    if other is None:
        found = evaluated(graded, ns=ns, draws=draws, seed=seed)
        recorded = tuple(
            Pair(graded.name, graded.name, verifier, method=graded.name) for verifier in ("", *graded.scores)
        )
        whole = Evidence(
            DATASET,
            (),
            found.per_problem,
            curves=found.curves,
            verification=found.verification,
            recorded=recorded,
            draws=draws,
            seed=seed,
        )
        return scoreboard([whole])
    if graded.name == other.name:
        raise DataError(f"compare: both are called {graded.name!r}; grade one of them with another `name`")
    if not set(graded.problems["problem_id"]) & set(other.problems["problem_id"]):
        ids = [str(one.problems["problem_id"].min()) for one in (graded, other)]
        raise DataError(
            f"compare: no problem is in both (ids such as {ids[0]!r} and {ids[1]!r}); read both with one "
            "file of `problems`, whose ids they then have"
        )
    both = [evaluated(one, ns=ns, draws=draws, seed=seed) for one in (graded, other)]
    pair = Pair(other.name, graded.name, method=f"{graded.name}-{other.name}")
    whole = Evidence(
        DATASET,
        (),
        pl.concat([one.per_problem for one in both]),
        curves=pl.concat([one.curves for one in both]),
        rivals=(pair,),
        draws=draws,
        seed=seed,
    )
    return scoreboard([whole])
