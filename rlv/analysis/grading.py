"""Imported samples, graded: answers read, judged against references, and put into classes."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from rlv.answers import Grader
from rlv.errors import DataError
from rlv.imported import Imported
from rlv.imported.given import fewest, given_tables
from rlv.scoring.given import given_scores


@dataclass(frozen=True)
class Graded:
    """n solutions of each problem, graded, with the scores that came with them.

    `problems`, `solutions`: tables (rlv/tables), a row a problem and a row a solution; `solutions` has
    answer, answer_class and correct. `scores`: verifier -> a scores table, a row a solution. `name`: of the
    reasoner, in tables and pictures. `notes`: what was left out, in words.
    """

    name: str
    problems: pl.DataFrame
    solutions: pl.DataFrame
    scores: Mapping[str, pl.DataFrame]
    notes: list[str]
    known: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def n(self) -> int:
        """Solutions of a problem."""
        return len(self.solutions) // len(self.problems)


def grade(
    samples: Imported,
    *,
    n: int | None = None,
    answer_format: str = "stated",
    name: str = "samples",
    free: Collection[str] = (),
    workers: int | None = None,
) -> Graded:
    """The samples with every answer read and judged.

    What a file states of a solution, its answer and whether it is right, comes before what its text says.
    `n`: so many solutions of each problem count, the first; problems with fewer are left out. None: as many
    as the problem has that has the fewest. `answer_format`: where a text has its answer, "stated" (in a box,
    or after `answer is` or `####`), "boxed" or "marker" (after the word Answer). A verifier that has not
    scored every one of these solutions is left out. `free`: verifiers for whose scores nothing was read, as
    sampling knew them; others are charged as reading a solution whole. `workers`: processes; None: one a
    core. Raises DataError if no problem has n solutions, for an unknown format, and for a `free` verifier
    that there is not.
    """
    if not isinstance(samples, Imported):
        raise DataError(f"grade: found {type(samples).__name__}, expected what `rlv.read_samples` returns")
    unknown = [verifier for verifier in free if verifier not in samples.scores]
    if unknown:
        there = ", ".join(samples.scores) or "none"
        raise DataError(f"grade: free has {unknown[0]!r}, expected some of: {there}")
    given = given_tables(samples, fewest(samples) if n is None else n)
    with Grader(workers=workers or os.cpu_count() or 1) as grader:
        solutions = grader.grade(given.samples, given.problems, answer_format, given=given.given)
    scores, notes = {}, [*samples.notes, *given.notes]
    for verifier in samples.scores:
        try:
            scored = given_scores(given.samples, given.given_scores, verifier, free=verifier in free)
            scores[verifier] = scored
        except DataError as error:
            notes.append(str(error))
    return Graded(name, given.problems, solutions, scores, notes)
