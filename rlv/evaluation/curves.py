"""Accuracy at N: the expectation over random subsets of N of the S recorded solutions of a problem.

A vote that has a closed form is computed by it. Any other is averaged: over all subsets if these are few
(N = 1 and N = S are always exact), and over a fixed set of random ones otherwise. The set depends only on the
seed, S and N: every vote and every reasoner sees the same subsets, and comparisons are paired.

With the default of 256 subsets the standard error of a problem by Monte Carlo is about 0.03 at
most (0.5 / 16). A single error may be twice that. The standard error of the mean over P problems is
about 0.03 / sqrt(P): a small part of the half-width of any interval over problems that matters.
Left out: votes on one set of solutions (votes.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import ceil, comb

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.bootstrap import interval, resampled_means, resamples
from rlv.evaluation.prices import COSTS, costs_per_solution
from rlv.evaluation.recorded import Recorded, recorded
from rlv.evaluation.tallies import Bools, Floats, Ints
from rlv.evaluation.votes import VOTES
from rlv.families import is_fitted

SUBSETS = 256
# Elements of the largest temporary array: under 1 MB of float64, so that it stays in the cache and is never
# handed back to the system (twice the speed of arrays twenty times as large).
CHUNK = 100_000


def evaluate(
    solutions: pl.DataFrame,
    scores: pl.DataFrame | None,
    *,
    dataset: str,
    reasoner: str,
    verifier: str,
    ns: Sequence[int],
    strategies: Sequence[str] | None = None,
    fitted: Mapping[str, str] | None = None,
    subsets: int = SUBSETS,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The curves and per_problem tables of one reasoner on one data set, every budget on its own.

    Strategies are names of votes, by default all of ours that the inputs allow. Those that read no scores
    carry verifier "" and the same numbers whatever the verifier. Tokens and FLOPs are what N solutions of a
    problem cost in the mean: N times what its recorded solutions cost to generate and, for strategies with
    scores, the verifier to read, whole and with a cache (prices.py). `unfinished` is of all recorded
    solutions at a budget, whatever the vote. `fitted`: the vote that a strategy such as softmax:fit stands
    for, whose number was chosen on other problems.

    Raises DataError if solutions and scores do not join one to one, problems have unequal numbers of
    solutions, an N exceeds that number, or a strategy is unknown or lacks its scores
    or its number.
    """
    where = f"solutions of {reasoner!r} on {dataset!r}" + (
        f" scored by {verifier!r}" if scores is not None else ""
    )
    stands_for = fitted or {}
    names = _strategies(strategies, scores is not None, stands_for, where)
    unfinished = unfinished_share(solutions)
    curves: list[pl.DataFrame] = []
    per_problem: list[pl.DataFrame] = []
    for data in recorded(solutions, scores, where=where):
        problems, size = data.classes_PS.shape
        wrong = [n for n in ns if not 1 <= n <= size]
        if wrong:
            raise DataError(
                f"{where}: N = {wrong[0]} with {size} solutions a problem; N must be in 1 … {size}"
            )
        cells = [(name, n) for name in names for n in ns]
        votes = [(stands_for.get(name, name), n) for name, n in cells]
        accuracy_PK = np.stack([expected(data, *vote, subsets=subsets, seed=seed) for vote in votes], axis=1)
        low_K, high_K = interval(resampled_means(accuracy_PK, resamples(problems, draws, seed)))
        labels = pl.DataFrame(
            {"dataset": dataset, "reasoner": reasoner, "budget": data.budget}
            | {"verifier": verifier if VOTES[name].reads_scores else "", "strategy": name, "n": n}
            for name, n in cells
        )
        costs = {name: costs_per_solution(data, read=VOTES[name].reads_scores) for name in names}
        costs_PK = {c: np.stack([n * costs[name][c] for name, n in cells], axis=1) for c in COSTS}
        values = {"accuracy": accuracy_PK, **costs_PK}
        means = {column: value_PK.mean(axis=0) for column, value_PK in values.items()}
        summary = labels.with_columns(
            pl.DataFrame(means | {"low": low_K, "high": high_K}), unfinished=pl.lit(unfinished[data.budget])
        )
        curves.append(typed(summary, "curves"))
        per_problem.append(by_problem(labels, data.problem_ids, values, "per_problem"))
    return pl.concat(curves), pl.concat(per_problem)


def unfinished_share(solutions: pl.DataFrame) -> dict[int, float | None]:
    """Budget -> share of the solutions that ran into its end, and most of which therefore have no answer.

    A solution that was cut and made to answer (finish_reason "forced") has ended, and is not counted. None
    if nobody knows how one of them has ended.
    """
    known = pl.col("finish_reason").null_count() == 0
    ran_out = pl.when(known).then((pl.col("finish_reason") == "length").mean())
    return dict(solutions.group_by("budget").agg(ran_out).iter_rows())


def expected(data: Recorded, strategy: str, n: int, *, subsets: int = SUBSETS, seed: int = 0) -> Floats:
    """Expected accuracy of each problem at N: accuracy_P. Exact if there is a closed form, or few subsets."""
    votes = (data.classes_PS, data.correct_PS, data.scores_PS)
    closed_form = VOTES[strategy].closed_form
    if closed_form is not None:
        return closed_form(*votes, n)
    subsets_RN = subset_indices(data.classes_PS.shape[1], n, subsets, seed)
    return averaged(strategy, *votes, subsets_RN)


def averaged(
    strategy: str, classes_PS: Ints, correct_PS: Bools, scores_PS: Floats | None, subsets_RN: Ints
) -> Floats:
    """The mean of a vote over given subsets of the solutions (indices into S): accuracy_P."""
    vote = VOTES[strategy]
    read_PS = scores_PS if vote.reads_scores else None
    problems = classes_PS.shape[0]
    total_P = np.zeros(problems)
    for chosen in chosen_rows(classes_PS, correct_PS, read_PS, subsets_RN):
        total_P += vote.count(*chosen).reshape(problems, -1).sum(axis=1)
    return total_P / len(subsets_RN)


def chosen_rows(
    classes_PS: Ints, correct_PS: Bools, scores_PS: Floats | None, subsets_RN: Ints
) -> Iterator[tuple[Ints, Bools, Floats | None]]:
    """The arrays of a vote with one row a problem and subset, in chunks of subsets.

    Row p C + i of a chunk is its subset i of problem p, so a vote's result reshapes to (P, C).
    """
    n = subsets_RN.shape[1]
    width = max(n, int(classes_PS.max(initial=0)) + 2)
    step = max(1, CHUNK // (classes_PS.shape[0] * width))
    for start in range(0, len(subsets_RN), step):
        chunk_RN = subsets_RN[start : start + step]

        def chosen(table_PS: NDArray, chunk_RN: Ints = chunk_RN) -> NDArray:
            return np.take(table_PS, chunk_RN, axis=1).reshape(-1, n)

        yield chosen(classes_PS), chosen(correct_PS), None if scores_PS is None else chosen(scores_PS)


def subset_indices(size: int, n: int, subsets: int, seed: int) -> NDArray[np.int64]:
    """Subsets of n out of `size` solutions as indices: subsets_RN.

    All of them if they are no more than max(subsets, size), else `subsets` random ones.
    """
    if comb(size, n) <= max(subsets, size):
        return np.array(list(combinations(range(size), n)), dtype=np.int64)
    # Disjoint blocks of shuffled solutions: each is a uniform subset, and together they use every solution
    # about equally often, which lowers the Monte-Carlo error at no cost.
    blocks = size // n
    rng = np.random.default_rng([seed, size])
    shuffled = np.argsort(rng.random((ceil(subsets / blocks), size)), axis=1)
    return shuffled[:, : blocks * n].reshape(-1, n)[:subsets]


def _strategies(
    asked: Sequence[str] | None, scored: bool, fitted: Mapping[str, str], where: str
) -> list[str]:
    if asked is None:
        return [name for name, vote in VOTES.own.items() if scored or not vote.reads_scores]
    for name in asked:
        if name not in VOTES:
            raise DataError(f"{where}: unknown strategy {name!r}; known: {', '.join(VOTES)}")
        if VOTES[name].reads_scores and not scored:
            raise DataError(f"{where}: strategy {name!r} needs scores and there are none; name a verifier")
        if is_fitted(name) and name not in fitted:
            raise DataError(
                f"{where}: the number of {name!r} is chosen on training problems, which only a study with "
                "the section `tuning` has; name a number"
            )
    return list(asked)


def by_problem(
    labels: pl.DataFrame, problem_ids: Sequence[str], values: Mapping[str, Floats], table: str
) -> pl.DataFrame:
    """A table of one row a problem and cell, cell by cell, from the cells' labels and columns value_PK."""
    problems = pl.DataFrame({"problem_id": problem_ids})
    long = labels.join(problems, how="cross", maintain_order="left_right")
    columns = pl.DataFrame({column: value_PK.T.ravel() for column, value_PK in values.items()})
    return typed(long.with_columns(columns), table)


def typed(data: pl.DataFrame, table: str) -> pl.DataFrame:
    """Columns as the table's schema orders and types them; what is not known (NaN) is null."""
    found = data.select([pl.col(name).cast(kind) for name, kind in tables.SCHEMAS[table].items()])
    return found.with_columns(cs.float().fill_nan(None))
