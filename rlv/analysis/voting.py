"""The answer that a vote picks for each problem of graded samples."""

from __future__ import annotations

import polars as pl

from rlv.analysis.grading import Graded
from rlv.errors import DataError
from rlv.evaluation.picking import candidates, vote_named


def vote(graded: Graded, strategy: str = "majority", verifier: str | None = None) -> pl.DataFrame:
    """The answer that wins the vote of all solutions of each problem: a row a problem.

    Columns: problem_id, answer (null: nobody votes), confidence (the share of the weight that was cast), and
    correct. Classes that tie go to the one that came first, so `correct` may differ from the expectation over
    ties that `curves` has. `strategy`: "majority", "weighted_voting", "best_of_n", or a package's.
    `verifier`: whose scores it reads; the only one, if there is one. Raises DataError for an unknown strategy
    or verifier.
    """
    chosen = vote_named(strategy)
    scores = _scores(graded, verifier) if chosen.reads_scores else None
    key = ["problem_id", "sample_id"]
    rows = graded.solutions.sort(key)
    if scores is not None:
        rows = rows.join(scores.select(*key, "score"), key, "left", maintain_order="left")
    found = []
    for (problem,), part in rows.group_by("problem_id", maintain_order=True):
        # Dense, in the order in which they come; -1 casts no vote.
        classes = (part["answer_class"].rank("dense").cast(pl.Int64) - 1).fill_null(-1)
        weights = None if scores is None else part["score"].to_list()
        standing = candidates(part["answer"].to_list(), classes.to_list(), weights, chosen)
        if not standing:
            found.append((problem, None, 0.0, False))
            continue
        won = standing[0]
        correct = bool(part["correct"].gather(list(won.solutions)).any())
        found.append((problem, won.answer, won.share, correct))
    schema = {
        "problem_id": pl.String(),
        "answer": pl.String(),
        "confidence": pl.Float64(),
        "correct": pl.Boolean(),
    }
    return pl.DataFrame(found, schema=schema, orient="row")


def _scores(graded: Graded, verifier: str | None) -> pl.DataFrame:
    if verifier is None and len(graded.scores) == 1:
        return next(iter(graded.scores.values()))
    if verifier is None or verifier not in graded.scores:
        there = ", ".join(graded.scores) or "none"
        raise DataError(f"vote: found verifier {verifier!r}, expected one of: {there}")
    return graded.scores[verifier]
