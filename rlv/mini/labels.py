"""Which step of a solution to a mini task is its first wrong one, exactly, as the table "step_labels"."""

from __future__ import annotations

from bisect import bisect_right

import polars as pl

from rlv import tables
from rlv.answers.steps import text_steps
from rlv.mini.steps import faults

# The label of a solution without a wrong step.
NO_ERROR = -1
# The kind of an error that is the same every time; the others are those of rlv/mini/steps.py.
HABIT = "habit"


def step_labels(problems: pl.DataFrame, solutions: pl.DataFrame, step_rule: str) -> pl.DataFrame:
    """The labels of a "solutions" or "samples" table's rows, in its order.

    `step_rule`: by which verifiers that read steps have found them (rlv/answers/steps.py). Raises DataError
    for a problem that is of no mini task.
    """
    questions = dict(problems.select("problem_id", "question").iter_rows())
    columns = ("problem_id", "sample_id", "budget", "text")
    rows = [
        _labelled(questions[row["problem_id"]], row, step_rule)
        for row in solutions.select(columns).iter_rows(named=True)
    ]
    return tables.frame("step_labels", rows)


def _labelled(question: str, row: dict, step_rule: str) -> dict:
    text = row.pop("text")
    starts = text_steps(text, step_rule)
    found = faults(question, text)
    first, kind = NO_ERROR, None
    if found:
        first = bisect_right(starts, _word_start(text, found[0].word)) - 1
        kind = HABIT if found[0].habitual else found[0].kind
    return {**row, "steps": len(starts), "first_wrong": first, "kind": kind}


def _word_start(text: str, word: int) -> int:
    """The place in a text at which a word begins; its end if it has no such word."""
    words = text.split()
    if word >= len(words):
        return len(text)
    place = 0
    for one in words[:word]:
        place = text.index(one, place) + len(one)
    return text.index(words[word], place)
