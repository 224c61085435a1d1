"""Small solutions and scores tables."""

from __future__ import annotations

import numpy as np
import polars as pl

from rlv import tables


def make_tables(
    classes_PS,
    correct_PS,
    scores_PS=None,
    *,
    budget: int = 64,
    tokens: int = 10,
    read: int = 12,
    new: int = 2,
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Solutions and scores of problems p0, p1, …; class -1 becomes null."""
    classes_PS, correct_PS = np.asarray(classes_PS), np.asarray(correct_PS)
    problems, size = classes_PS.shape
    key = [
        {"problem_id": f"p{p}", "sample_id": s, "budget": budget}
        for p in range(problems)
        for s in range(size)
    ]
    solutions = [
        row
        | {
            "text": "",
            "n_prompt_tokens": 5,
            "n_tokens": tokens,
            "flops": 2.0 * tokens,
            "finish_reason": "stop",
            "answer": None if c < 0 else str(c),
        }
        | {"answer_class": None if c < 0 else c, "correct": ok}
        for row, c, ok in zip(key, classes_PS.ravel().tolist(), correct_PS.ravel().tolist(), strict=True)
    ]
    if scores_PS is None:
        return tables.frame("solutions", solutions), None
    flat = np.asarray(scores_PS).ravel().tolist()
    cost = {"n_tokens_read": read, "flops": 3.0 * read, "n_tokens_new": new, "flops_new": 3.0 * new}
    scores = [row | {"score": score} | cost for row, score in zip(key, flat, strict=True)]
    return tables.frame("solutions", solutions), tables.frame("scores", scores)
