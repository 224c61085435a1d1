"""All claims by name, with the roles of the data sets that each applies to, and the scoreboard of a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import polars as pl

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.claims import (
    allocation,
    along,
    boundary,
    controls,
    equal_compute,
    lengths,
    overhead,
    panels,
    parallel,
    recorded,
    robustness,
    stopping,
    verifiers,
    weights,
)
from rlv.evaluation.claims.evidence import HARD, IN_DISTRIBUTION, LENGTHS, OUT_OF_DOMAIN, Evidence
from rlv.evaluation.claims.predictions import judged, predicted_row


@dataclass(frozen=True)
class Claim:
    """How a claim is computed, and on which data sets.

    `compute` returns no rows if the study has no evidence (no separate verifier, nothing measured). It raises
    DataError if there is evidence and it is incomplete. `about`: the pairs that it is given, one at a time:
    "comparisons", the compared methods; "recorded", "rivals", "allocated", "attacked" and "replayed", those
    of the evidence; "study", none, for its rows are about the whole.
    """

    compute: Callable[[Evidence], list[dict]]
    roles: tuple[str, ...]
    about: Literal["comparisons", "recorded", "rivals", "allocated", "attacked", "replayed", "study"] = (
        "comparisons"
    )


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
    "overhead": Claim(overhead.overhead, (IN_DISTRIBUTION,), "study"),
    "rl_gain": Claim(parallel.rl_gain, EVERYWHERE),
    "verifier_accuracy": Claim(verifiers.verifier_accuracy, EVERYWHERE),
    "separate": Claim(verifiers.separate, EVERYWHERE),
    "rl_over_cold": Claim(controls.rl_over_cold, EVERYWHERE),
    "over_majority": Claim(controls.over_majority, EVERYWHERE),
    "over_confidence": Claim(controls.over_confidence, EVERYWHERE),
    "over_brevity": Claim(controls.over_brevity, EVERYWHERE),
    "over_judge": Claim(controls.over_judge, EVERYWHERE),
    "over_chain": Claim(controls.over_chain, EVERYWHERE),
    "over_best": Claim(controls.over_best, EVERYWHERE),
    "majority_stalls": Claim(controls.majority_stalls, EVERYWHERE),
    "within_problem": Claim(controls.within_problem, EVERYWHERE),
    "vote_temperature": Claim(weights.vote_temperature, EVERYWHERE),
    "confidence_saving": Claim(weights.confidence_saving, EVERYWHERE),
    "bayes_vote": Claim(weights.bayes_vote, EVERYWHERE),
    "best_of_n_decay": Claim(weights.best_of_n_decay, EVERYWHERE),
    "weaver_gap": Claim(panels.weaver_gap, EVERYWHERE),
    "added_information": Claim(panels.added_information, EVERYWHERE),
    "boundary": Claim(boundary.boundary, EVERYWHERE),
    "regret": Claim(boundary.regret, (LENGTHS,)),
    "first_error": Claim(along.first_error, EVERYWHERE),
    "worst_step": Claim(along.worst_step, EVERYWHERE),
    "headroom": Claim(recorded.headroom, EVERYWHERE, "recorded"),
    "verifier_gain": Claim(recorded.verifier_gain, EVERYWHERE, "recorded"),
    "verifier_order": Claim(recorded.verifier_order, EVERYWHERE, "recorded"),
    "paired": Claim(recorded.paired, EVERYWHERE, "rivals"),
    "compute_optimal": Claim(allocation.compute_optimal, EVERYWHERE, "allocated"),
    "compute_optimal_null": Claim(allocation.compute_optimal_null, EVERYWHERE, "allocated"),
    "voting_first": Claim(allocation.voting_first, EVERYWHERE, "allocated"),
    "solve_faster": Claim(allocation.solve_faster, EVERYWHERE, "allocated"),
    "robust_keys": Claim(robustness.robust_keys, EVERYWHERE, "attacked"),
    "stop_saving": Claim(stopping.stop_saving, EVERYWHERE, "replayed"),
    "stop_verifier": Claim(stopping.stop_verifier, EVERYWHERE, "replayed"),
}


def scoreboard(
    evidence: Sequence[Evidence],
    claims: Sequence[str] | None = None,
    predictions: Mapping[str, Mapping[str, Any]] | None = None,
) -> pl.DataFrame:
    """The claims table: claim by claim, the rows of each data set that it applies to, method by method.

    Claims without evidence are left out. `predictions`: low and high by the row that they are about (see
    predictions.py). Raises DataError for an unknown claim, and if a table lacks rows that a claim compares.
    """
    for name in claims or ():
        if name not in CLAIMS:
            raise DataError(f"claims: unknown claim {name!r}; known: {', '.join(CLAIMS)}")
    expected = {predicted_row(name): prediction for name, prediction in (predictions or {}).items()}
    # Each with the methods apart: which of a claim's rows is which is counted method by method.
    pieces = {
        "comparisons": [replace(one, pairs=(pair,)) for one in evidence for pair in one.pairs],
        "recorded": [replace(one, pairs=(pair,)) for one in evidence for pair in one.recorded],
        "allocated": [replace(one, pairs=(pair,)) for one in evidence for pair in one.allocated],
        "attacked": [replace(one, pairs=(pair,)) for one in evidence for pair in one.attacked],
        "replayed": [replace(one, pairs=(pair,)) for one in evidence for pair in one.replayed],
        "rivals": [one.on_common_problems(pair) for one in evidence for pair in one.rivals],
    }
    given = {
        about: [(one, {"method": one.pairs[0].method, "dataset": one.dataset}) for one in found]
        for about, found in pieces.items()
    }
    given["study"] = [(one, {"method": "", "dataset": ""}) for one in evidence]
    rows = []
    for name in CLAIMS if claims is None else claims:
        for found, about in given[CLAIMS[name].about]:
            if found.role in CLAIMS[name].roles:
                for place, row in enumerate(CLAIMS[name].compute(found), 1):
                    prediction = expected.get((name, found.dataset, place))
                    said = None if prediction is None else judged(prediction, row["ours"])
                    rows.append(row | about | {"predicted": said})
    return tables.frame("claims", rows)
