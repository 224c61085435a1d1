"""All claims by name, with the roles of the data sets that each applies to, and the scoreboard of a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.claims import equal_compute, lengths, overhead, parallel, verifiers
from rlv.evaluation.claims.evidence import HARD, IN_DISTRIBUTION, LENGTHS, OUT_OF_DOMAIN, Evidence


@dataclass(frozen=True)
class Claim:
    """How a claim is computed, and on which data sets.

    `compute` returns no rows if the study has no evidence (no separate verifier, nothing measured). It raises
    DataError if there is evidence and it is incomplete.
    """

    compute: Callable[[Evidence], list[dict]]
    roles: tuple[str, ...]


EVERYWHERE = (IN_DISTRIBUTION, HARD, OUT_OF_DOMAIN)

CLAIMS: dict[str, Claim] = {
    "math_gain": Claim(parallel.math_gain, (IN_DISTRIBUTION,)),
    "early_gain": Claim(parallel.early_gain, EVERYWHERE),
    "efficiency": Claim(parallel.efficiency, EVERYWHERE),
    "token_gain": Claim(equal_compute.token_gain, EVERYWHERE),
    "token_efficiency": Claim(equal_compute.token_efficiency, EVERYWHERE),
    "easy_to_hard": Claim(parallel.easy_to_hard, (HARD,)),
    "out_of_domain": Claim(parallel.out_of_domain, (OUT_OF_DOMAIN,)),
    "joint_scaling": Claim(lengths.joint_scaling, (LENGTHS,)),
    "length_selection": Claim(lengths.length_selection, (LENGTHS,)),
    "overhead": Claim(overhead.overhead, (IN_DISTRIBUTION,)),
    "rl_gain": Claim(parallel.rl_gain, EVERYWHERE),
    "verifier_accuracy": Claim(verifiers.verifier_accuracy, EVERYWHERE),
    "separate": Claim(verifiers.separate, EVERYWHERE),
}


def scoreboard(evidence: Sequence[Evidence], claims: Sequence[str] | None = None) -> pl.DataFrame:
    """The claims table: claim by claim, the rows of each data set that it applies to.

    Claims without evidence are left out. Raises DataError for an unknown claim, and if a table lacks rows
    that a claim compares.
    """
    for name in claims or ():
        if name not in CLAIMS:
            raise DataError(f"claims: unknown claim {name!r}; known: {', '.join(CLAIMS)}")
    rows = []
    for name in CLAIMS if claims is None else claims:
        for found in evidence:
            if found.role in CLAIMS[name].roles:
                rows += CLAIMS[name].compute(found)
    return tables.frame("claims", rows)
