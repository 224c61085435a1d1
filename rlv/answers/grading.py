"""Grade: samples to solutions (a table a call), and answers to rewards (a batch a training step).

Within a problem every different answer string is read once. Problems whose reference and answers are all
plain integers are graded in this process; the others go to the pool, longest first.

Counts of what could not be graded are kept for the manifest and the log (`Grader.counts`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from rlv.answers.equivalence import Answer, Classes, Placement, plain_integer
from rlv.answers.given import answers_of, require_references, with_verdicts
from rlv.answers.groups import ungraded
from rlv.answers.pool import Limits, Pool, Result
from rlv.answers.worker import Job
from rlv.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

# Raised when other answers become right. It is in the keys of what is trained on rewards; tables of solutions
# have the recipe of the stage `grade`.
RULES = 3
_NO_VOTE = Placement(None, False)


@dataclass(frozen=True)
class Counts:
    """Counts of a grader. Solutions count each time, answers that ended a worker once."""

    solutions: int = 0
    missing: int = 0  # solutions without an answer
    unparsable: int = 0  # solutions whose answer could not be read: it votes as its string
    timed_out: int = 0  # answers that overran the time limit
    killed: int = 0  # answers that ended a worker otherwise: memory, a crash
    unread: int = 0  # answers not yet read when the time of their problem was over

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.solutions + other.solutions,
            self.missing + other.missing,
            self.unparsable + other.unparsable,
            self.timed_out + other.timed_out,
            self.killed + other.killed,
            self.unread + other.unread,
        )


class Grader:
    """Keeps the workers and a cache of judged (reference, answer) pairs. A context manager.

    `counts` adds up over everything it has graded.
    """

    def __init__(self, *, workers: int = 2, limits: Limits | None = None) -> None:
        self.counts = Counts()
        self._limits = limits or Limits()
        self._pool = Pool(workers, self._limits)
        self._judged: dict[tuple[str, str], bool] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers; the cache stays."""
        self._pool.close()

    def rewards(self, answers: Sequence[str | None], references: Sequence[str]) -> np.ndarray:
        """1.0 where an answer equals its reference, else 0.0: float64, one a pair, in order.

        Plain integers and pairs seen before never touch a worker. Raises DataError if the lengths differ.
        """
        import numpy as np

        if len(answers) != len(references):
            raise DataError(f"rewards: {len(answers)} answers for {len(references)} references")
        pairs = [
            (r.strip(), None if a is None else a.strip()) for r, a in zip(references, answers, strict=True)
        ]
        unknown: dict[str, dict[str, None]] = {}
        for reference, answer in pairs:
            if answer is None or (reference, answer) in self._judged:
                continue
            known = self._judge_here(reference, answer)
            if known is None:
                unknown.setdefault(reference, {})[answer] = None
            else:
                self._judged[reference, answer] = known
        jobs = [
            Job(reference, tuple(found), classes=False, hopeless=self._too_long(list(found)))
            for reference, found in unknown.items()
        ]
        counts = Counts(solutions=len(pairs), missing=sum(answer is None for _, answer in pairs))
        for number, result in self._pool.run(jobs):
            for answer, placement in zip(jobs[number].answers, result.placements, strict=True):
                self._judged[jobs[number].reference, answer] = placement.correct
            counts += Counts(timed_out=result.timed_out, killed=result.killed, unread=result.unread)
        self.counts += counts
        return np.array([a is not None and self._judged[r, a] for r, a in pairs], dtype=np.float64)

    def grade(
        self,
        samples: pl.DataFrame,
        problems: pl.DataFrame,
        answer_format: str,
        progress: Callable[[int, int], None] | None = None,
        *,
        given: pl.DataFrame | None = None,
    ) -> pl.DataFrame:
        """The samples table as a solutions table, in the same order: answers, classes, correctness.

        Classes are those of a problem's set of answers, over all its budgets, numbered in the order of
        (sample_id, budget). `progress` is called with (problems done, problems). `given`: a table of that
        name, for solutions that others sampled; what it states of a solution, its answer and whether it is
        right, comes before what is read and judged here, see given.py. Raises DataError if a sample belongs
        to no problem, if a problem has no reference and a solution that is judged here, or for an unknown
        format.
        """
        # Not at the top: workers import this package, and must stay small.
        import polars as pl

        from rlv import tables

        references = dict(problems.select("problem_id", "answer").iter_rows())
        strangers = set(samples["problem_id"].unique()) - references.keys()
        if strangers:
            raise DataError(
                f"samples table: {len(strangers)} problem ids that the problems table lacks, first "
                f"{min(strangers)!r}; grade with the problems that were sampled"
            )
        require_references(samples, problems, given)
        extracted = answers_of(samples, given, answer_format)
        keyed = samples.with_columns(pl.Series("answer", extracted, dtype=pl.String))
        ordered = keyed.drop_nulls("answer").sort("sample_id", "budget", maintain_order=True)
        per_problem = ordered.group_by("problem_id", maintain_order=True).agg(
            pl.col("answer").unique(maintain_order=True)
        )
        found: dict[str, list[str]] = dict(per_problem.iter_rows())

        placements: dict[tuple[str, str], Placement] = {}
        jobs: list[tuple[str, Job]] = []
        for problem_id, answers in found.items():
            reference = references[problem_id]
            here = None if reference is None else _place_integers(reference.strip(), answers)
            if reference is None:
                jobs.append((problem_id, ungraded(answers, self._limits.characters)))
            elif here is None:
                judged = Job(reference.strip(), tuple(answers), hopeless=self._too_long(answers))
                jobs.append((problem_id, judged))
            else:
                placements.update({(problem_id, a): p for a, p in here.items()})
        done, total = len(found) - len(jobs), len(found)
        jobs.sort(key=lambda item: -len(item[1].answers))
        counts = Counts(solutions=len(extracted), missing=extracted.count(None))
        for number, result in self._pool.run([job for _, job in jobs]):
            problem_id, job = jobs[number]
            placements.update(_placed(problem_id, job, result))
            counts += Counts(timed_out=result.timed_out, killed=result.killed, unread=result.unread)
            done += 1
            if progress is not None:
                progress(done, total)

        keys = zip(samples["problem_id"], extracted, strict=True)
        placed = [_NO_VOTE if a is None else placements[p, a] for p, a in keys]
        solutions = keyed.with_columns(
            pl.Series("answer_class", [p.answer_class for p in placed], dtype=pl.Int32),
            pl.Series("correct", [p.correct for p in placed], dtype=pl.Boolean),
        ).select(list(tables.SCHEMAS["solutions"]))
        solutions = solutions if given is None else with_verdicts(solutions, given)
        self.counts += counts + Counts(unparsable=sum(not p.read for p in placed))
        return tables.check(solutions, "solutions", "grading")

    def _too_long(self, answers: Sequence[str]) -> frozenset[int]:
        return frozenset(k for k, a in enumerate(answers) if len(a) > self._limits.characters)

    def _judge_here(self, reference: str, answer: str) -> bool | None:
        """Whether the pair is equal, if that needs no mathematics; None: a worker must decide."""
        if reference == answer:
            return True
        gold, value = plain_integer(reference), plain_integer(answer)
        return None if gold is None or value is None else gold == value


def grade(
    samples: pl.DataFrame,
    problems: pl.DataFrame,
    answer_format: str,
    *,
    workers: int = 2,
    limits: Limits | None = None,
) -> pl.DataFrame:
    """`Grader.grade` for one table, with workers that end with it."""
    with Grader(workers=workers, limits=limits) as grader:
        return grader.grade(samples, problems, answer_format)


def _place_integers(reference: str, answers: list[str]) -> dict[str, Placement] | None:
    """The placements of one problem's answers, if all of them are plain integers, else None."""
    values = [plain_integer(text) for text in [reference, *answers]]
    if any(value is None for value in values):
        return None
    read = [Answer(text, str(v), integer=v) for text, v in zip([reference, *answers], values, strict=True)]
    classes = Classes(read[0])
    for answer in read[1:]:
        classes.add(answer)
    return dict(zip(answers, classes.placements(), strict=True))


def _placed(problem_id: str, job: Job, result: Result) -> dict[tuple[str, str], Placement]:
    return {(problem_id, a): p for a, p in zip(job.answers, result.placements, strict=True)}
