"""Accuracy against N of graded samples: the tables that the stage `evaluate` leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from rlv import tables
from rlv.analysis.grading import Graded
from rlv.errors import DataError
from rlv.evaluation.curves import evaluate
from rlv.evaluation.verifier_metrics import reliability, verification
from rlv.evaluation.votes import VOTES

# The one data set that graded samples are of, in tables.
DATASET = "problems"


@dataclass(frozen=True)
class Evaluated:
    """The tables of that name (rlv/tables), of all verifiers."""

    curves: pl.DataFrame
    per_problem: pl.DataFrame
    verification: pl.DataFrame
    reliability: pl.DataFrame


def curves(
    graded: Graded,
    *,
    ns: Sequence[int] | None = None,
    votes: Sequence[str] = (),
    draws: int = 1000,
    seed: int = 0,
) -> pl.DataFrame:
    """Accuracy of every vote over N of the solutions, with 95 % intervals over problems.

    A row a vote, verifier and N: strategy, verifier ("" for votes that read no scores), n, accuracy, low,
    high, tokens (mean a problem; null if not known), ... An accuracy is the expectation over random subsets
    of N of a problem's solutions. `ns`: 1, 2, 4, … and all solutions if None. `votes`: more than the four of
    ours, such as "softmax:0.1" or "log_odds" (rlv/evaluation/weights.py). `draws`, `seed`: of the bootstrap.
    Raises DataError for an N that exceeds the number of solutions and for an unknown vote, StudyError for a
    parameter that a vote cannot have.
    """
    return evaluated(graded, ns=ns, votes=votes, draws=draws, seed=seed).curves


def evaluated(
    graded: Graded,
    *,
    ns: Sequence[int] | None = None,
    votes: Sequence[str] = (),
    draws: int = 1000,
    seed: int = 0,
) -> Evaluated:
    """All tables of graded samples; computed once for the same arguments."""
    chosen = tuple(powers_of_two(graded.n) if ns is None else ns)
    unknown = [name for name in votes if name not in VOTES]
    if unknown:
        raise DataError(f"votes: found {unknown[0]!r}, expected some of {', '.join(VOTES)}, or of a family")
    strategies = tuple(dict.fromkeys([*VOTES.own, *votes]))
    call = (chosen, strategies, draws, seed)
    if call not in graded.known:
        graded.known[call] = _evaluated(graded, chosen, strategies, draws, seed)
    return graded.known[call]


def powers_of_two(n: int) -> list[int]:
    """1, 2, 4, … up to n, and n itself."""
    return sorted({*(2**k for k in range(n.bit_length())), n})


def _evaluated(graded: Graded, ns: Sequence[int], votes: Sequence[str], draws: int, seed: int) -> Evaluated:
    parts: dict[str, list[pl.DataFrame]] = {name: [] for name in Evaluated.__annotations__}
    for place, (verifier, scores) in enumerate(graded.scores.items() or [("", None)]):
        names: dict[str, Any] = {"dataset": DATASET, "reasoner": graded.name, "verifier": verifier}
        # Votes without scores are the same with every verifier.
        known = [name for name in votes if (scores is not None if VOTES[name].reads_scores else not place)]
        found = evaluate(graded.solutions, scores, ns=ns, strategies=known, draws=draws, seed=seed, **names)
        parts["curves"].append(found[0])
        parts["per_problem"].append(found[1])
        if scores is not None:
            parts["verification"].append(
                verification(graded.solutions, scores, draws=draws, seed=seed, **names)
            )
            parts["reliability"].append(
                reliability(graded.solutions, scores, draws=draws, seed=seed, **names)
            )
    return Evaluated(**{name: pl.concat([tables.frame(name, []), *found]) for name, found in parts.items()})
