"""Numbers along solutions: a verifier's values at several places of each, and scores made of them.

    traces = traces_table(verifier, problems, samples, style, "steps", step_rule="try")
    scores = aggregated(traces, AGGREGATIONS["min"], where="…")          # along.py, no model

A trace is read once, and every aggregation of it is a score in milliseconds. Ends are read in a pass of their
own, which is the very pass that the score at the end is read in: the last values are that score, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from rlv import tables
from rlv.errors import ModelError
from rlv.models.flops import flops
from rlv.models.reading import Passage
from rlv.prompts import verification_ids
from rlv.scoring import PLACES
from rlv.scoring.verifier import Verifier, distinct, passages_of


@dataclass(frozen=True)
class Trace:
    """One solution's values at its places, and what reading them costs, whole and beyond sampling's cache."""

    places_K: Sequence[int]
    values_K: np.ndarray
    tokens: int
    flops: float
    tokens_new: int
    flops_new: float


def trace_solutions(
    verifier: Verifier,
    prompts: Sequence[Sequence[int]],
    solutions: Sequence[Sequence[int]],
    style: str,
    places: str,
    names: Sequence[str] | None = None,
    step_rule: str = "sentence",
) -> list[Trace]:
    """The trace of each of B pairs, in the order given.

    `places`: a name of PLACES; the rest as for `score_solutions` (verifier.py). Raises ModelError as that
    does, and for a score of which no model reads a number at any place.
    """
    if not verifier.score.traces:
        raise ModelError(f"a score that reads {verifier.score.reads!r} has no values along a solution")
    words = verification_ids(verifier.tokenizer, style) if verifier.score.asks else []
    names = names or [f"sequence {i}" for i in range(len(solutions))]
    places_B = [PLACES[places](y, verifier.tokenizer, step_rule) for y in solutions]
    passages_B = [
        passages_of(verifier, x, y, words, name, places_K)
        for x, y, name, places_K in zip(prompts, solutions, names, places_B, strict=True)
    ]
    values_B = _read(verifier, passages_B)
    if any(np.isnan(values_K).any() for values_K in values_B):
        raise ModelError("a value is not a number: the model's output is not finite; check its weights")
    found = []
    for places_K, values_K, passages in zip(places_B, values_B, passages_B, strict=True):
        stop_K = np.array([len(passage.ids) for passage in passages])
        start_K = stop_K - len(words)
        whole, new = flops(verifier.shape, 0, stop_K).sum(), flops(verifier.shape, start_K, stop_K).sum()
        tokens_new = len(words) * len(passages)
        found.append(Trace(places_K, values_K, int(stop_K.sum()), float(whole), tokens_new, float(new)))
    return found


def _read(verifier: Verifier, passages_B: Sequence[Sequence[Passage]]) -> list[np.ndarray]:
    """All values of each solution: of its last passage first, then of equal beginnings only once."""
    last_B = list(verifier.read([passages[-1] for passages in passages_B]))
    earlier: dict[tuple[int, ...], Passage] = {}
    for passages in passages_B:
        for passage in passages[:-1]:
            earlier.setdefault(tuple(passage.ids), passage)
    values = dict(zip(earlier, verifier.read(list(earlier.values())), strict=True)) if earlier else {}
    return [
        np.concatenate([*(values[tuple(passage.ids)] for passage in passages[:-1]), last_K])
        for passages, last_K in zip(passages_B, last_B, strict=True)
    ]


def traces_table(
    verifier: Verifier,
    problems: pl.DataFrame,
    samples: pl.DataFrame,
    style: str,
    places: str,
    system_prompt: str | None = None,
    step_rule: str = "sentence",
    own: bool = False,
) -> pl.DataFrame:
    """A "samples" table as a "traces" table, row for row in the same order.

    Equal solutions are read once and cost as often as they are there, as in `scores_table` (verifier.py),
    which also says what the arguments are and what is raised.
    """
    read = distinct(verifier.tokenizer, problems, samples, style, system_prompt)
    found = trace_solutions(
        verifier, read.prompts_U, read.solutions_U, style, places, read.names_U, step_rule
    )
    rows = [found[u] for u in read.row_S]
    return tables.frame(
        "traces",
        {
            **{column: samples[column].to_list() for column in ("problem_id", "sample_id", "budget")},
            "places": [list(row.places_K) for row in rows],
            "values": [row.values_K.tolist() for row in rows],
            "n_tokens_read": [row.tokens for row in rows],
            "flops": [row.flops for row in rows],
            "n_tokens_new": [row.tokens_new if own else row.tokens for row in rows],
            "flops_new": [row.flops_new if own else row.flops for row in rows],
        },
    )
