"""Imported solutions as the tables that a study goes on with: equally many of every problem."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from rlv import tables
from rlv.errors import DataError
from rlv.imported.fields import brief
from rlv.imported.read import Imported

# The budget of solutions of which nobody says what length they were allowed.
NO_BUDGET = 0
# Problems below which intervals over problems are doubtful.
FEW = 20


@dataclass(frozen=True)
class Given:
    """n solutions of each problem. The tables of these names (rlv/tables); `notes`: what was left out."""

    problems: pl.DataFrame
    samples: pl.DataFrame
    given: pl.DataFrame
    given_scores: pl.DataFrame
    notes: list[str]


def fewest(imported: Imported) -> int:
    """The number of solutions of the problem that has the fewest."""
    return int(imported.solutions.group_by("problem_id").len()["len"].min())  # pyright: ignore[reportArgumentType]


def given_tables(imported: Imported, n: int) -> Given:
    """The first n solutions of every problem that has as many.

    Raises DataError if no problem has.
    """
    notes = []
    sizes = imported.solutions.group_by("problem_id").len()
    kept = sizes.filter(pl.col("len") >= n)
    if kept.is_empty():
        raise DataError(
            f"{n:,} solutions of each problem are asked for, and no problem has more than "
            f"{sizes['len'].max():,}; a smaller n would do"
        )
    if len(kept) < len(sizes):
        first = sizes.filter(pl.col("len") < n).sort("problem_id").row(0)
        notes.append(
            f"{len(sizes) - len(kept):,} of {len(sizes):,} problems have fewer than {n:,} solutions and are "
            f"left out (first: {brief(first[0])!r} with {first[1]:,})"
        )
    dropped = int((kept["len"] - n).sum())
    if dropped:
        notes.append(f"{dropped:,} solutions beyond the first {n:,} of their problem are left out")
    solutions = imported.solutions.join(kept, "problem_id", "semi").filter(pl.col("sample_id") < n)
    absent = {name: pl.lit(None, kind) for name, kind in tables.SCHEMAS["samples"].items()}
    here = {name: pl.col(name) for name in absent if name in solutions.columns}
    columns = {**absent, **here, "budget": pl.lit(NO_BUDGET, pl.Int32)}
    key = ["problem_id", "sample_id"]
    scores = [
        table.join(solutions, key, "semi").select(
            *key, pl.lit(verifier, pl.String).alias("verifier"), "score", "steps"
        )
        for verifier, table in imported.scores.items()
    ]
    found = pl.concat([tables.frame("given_scores", []), *scores])
    notes += _gaps(solutions, found, imported)
    return Given(
        imported.problems.join(kept, "problem_id", "semi").sort("problem_id"),
        solutions.select(**columns),
        solutions.select(list(tables.SCHEMAS["given"])),
        found,
        notes,
    )


def scored(given: Given) -> list[str]:
    """The verifiers that have scored every solution, in the order of the files."""
    counts = given.given_scores.group_by("verifier", maintain_order=True).len()
    return counts.filter(pl.col("len") == len(given.samples))["verifier"].to_list()


def _gaps(solutions: pl.DataFrame, scores: pl.DataFrame, imported: Imported) -> list[str]:
    """What an evaluation will lack: scores of some solutions, tokens, answers."""
    notes = []
    for verifier in imported.scores:
        count = scores.filter(pl.col("verifier") == verifier).height
        if count < len(solutions):
            notes.append(
                f"{verifier} has no score for {len(solutions) - count:,} of {len(solutions):,} solutions: it "
                "cannot vote; give them one, or leave these solutions out of the file"
            )
    ended = (pl.col("finish_reason") == "length") & pl.col("answer").is_null() & pl.col("correct").is_null()
    if limited := solutions.select(ended.sum()).item():
        notes.append(
            f"{limited:,} of {len(solutions):,} solutions ran into their limit (finish_reason length): they "
            "have no answer, whatever half a text says"
        )
    if (count := solutions["problem_id"].n_unique()) < FEW:
        notes.append(f"{count} problem{'s' * (count != 1)}: intervals over so few mean little")
    if solutions["n_tokens"].null_count():
        notes.append("the tokens of solutions are not known, so there are no costs; a tokenizer counts them")
    if solutions["answer"].is_null().all() and solutions["text"].is_null().all():
        notes.append(
            "no answers are known, only verdicts: every solution is an answer of its own, so majority voting "
            "is as good as one solution, and weighted voting as the best of N"
        )
    return notes
