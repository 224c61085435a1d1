"""How good scores are at telling correct solutions from wrong ones, with intervals over problems.

    balanced_accuracy  mean of the true-positive and true-negative rate; a score of 0.5 or more accepts
    auroc              chance that a correct solution outscores a wrong one, ties counting half (exact)
    within_auroc       the same of two solutions of one problem, in the mean over problems that have both
                       correct and wrong ones (exact)
    one_of_k           chance that a correct solution has the highest score among K - 1 wrong ones of its
                       problem, drawn without replacement, K = 4 (RewardBench 2, Malik et al. 2025); of m
                       that tie for it, each gets 1/m; in the mean over problems with a correct and K - 1
                       wrong ones (exact). Scores that say nothing have 1/K
    mrr                mean reciprocal rank of a correct solution among itself and all wrong ones of its
                       problem (RewardMATH, Kim et al. 2024), in the mean over problems that have both (exact)
    calibration_error  expected calibration error: 15 bins of equal width on [0, 1], mean |mean score -
                       fraction correct| weighted by the solutions in the bin (Guo et al. 2017, eq. 5)

auroc mixes two things: to know which problems are easy, and which solution of a problem is right. Votes use
only the second, which within_auroc measures. Problems count alike, as in most published numbers; the
within-question discrimination of CISC (Taubenfeld et al. 2025, arXiv 2502.06233) counts pairs alike. Ties are
in a random order, as in votes; RewardMATH counts them against the correct solution, which punishes verifiers
with few different scores, and the other way round a constant would win. mrr depends on how many wrong
solutions there are: compare it on the same solutions only.

Every metric is there twice. Of "all" solutions: a verifier should reject those that cast no vote, too, but
most of these are unfinished, which is easy to see. Of the "answered" ones, which vote: what a verifier is
for, and what claims take. Solutions of one problem are alike, so intervals resample problems, never
solutions. The bins of the calibration error make the reliability table, of all solutions. Left out on
purpose: what votes make of the scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rlv import tables
from rlv.evaluation.bootstrap import Floats, all_and_resamples, interval
from rlv.evaluation.recorded import join
from rlv.evaluation.tallies import Bools, Ints

# Which solutions a metric is of.
ALL, ANSWERED = "all", "answered"
THRESHOLD = 0.5
BINS = 15
K = 4  # solutions that one_of_k chooses among
CHUNK = 100_000


def verification(
    solutions: pl.DataFrame,
    scores: pl.DataFrame,
    *,
    dataset: str,
    reasoner: str,
    verifier: str,
    draws: int = 1000,
    seed: int = 0,
) -> pl.DataFrame:
    """The verification table of one verifier on one reasoner's solutions, every budget on its own.

    A metric that is undefined (no correct or no wrong solution) is null. Resamples are the same for all
    metrics: of all problems, those without an answered solution included.
    Raises DataError where solutions and scores do not join one to one.
    """
    label = {"dataset": dataset, "reasoner": reasoner, "verifier": verifier}
    rows = []
    for budget, judged in _judged(solutions, scores, label):
        weights_DP = all_and_resamples(judged.problems, draws, seed)
        for which, kept_B in ((ALL, slice(None)), (ANSWERED, judged.answered_B)):
            solutions_B = judged.score_B[kept_B], judged.correct_B[kept_B], judged.problem_B[kept_B]
            for metric, function in METRICS.items():
                values_D = function(*solutions_B, weights_DP)
                low, high = interval(values_D[1:])
                numbers = {"value": values_D[0], "low": low, "high": high}
                of = {"budget": budget, "over": which, "metric": metric}
                rows.append(label | of | _nullable(numbers))
    return tables.frame("verification", rows)


def reliability(
    solutions: pl.DataFrame,
    scores: pl.DataFrame,
    *,
    dataset: str,
    reasoner: str,
    verifier: str,
    draws: int = 1000,
    seed: int = 0,
) -> pl.DataFrame:
    """The reliability table: of the solutions in each bin of the score, the fraction that is correct.

    One row a budget and bin, the bins of the calibration error. Intervals resample problems; resamples
    without a solution in the bin are left out. An empty bin has nulls.
    Raises DataError where solutions and scores do not join one to one.
    """
    label = {"dataset": dataset, "reasoner": reasoner, "verifier": verifier}
    rows = []
    for budget, judged in _judged(solutions, scores, label):
        cell_B = judged.problem_B * BINS + bin_of(judged.score_B)

        def per_bin(amounts_B: NDArray, cell_B: Ints = cell_B, problems: int = judged.problems) -> Floats:
            weights_B = amounts_B.astype(np.float64)
            sums = np.bincount(cell_B, weights_B, minlength=problems * BINS)
            return sums.reshape(problems, BINS).astype(np.float64, copy=False)

        size_PK, hits_PK = per_bin(np.ones_like(judged.score_B)), per_bin(judged.correct_B)
        total_PK = per_bin(judged.score_B)
        weights_DP = all_and_resamples(judged.problems, draws, seed)
        fraction_DK = _ratio(weights_DP @ hits_PK, weights_DP @ size_PK)
        low_K, high_K = interval(fraction_DK[1:])
        size_K = size_PK.sum(axis=0)
        mean_K = _ratio(total_PK.sum(axis=0), size_K)
        for k in range(BINS):
            numbers = {"mean_score": mean_K[k], "fraction_correct": fraction_DK[0, k]}
            numbers |= {"low": low_K[k], "high": high_K[k]}
            edges = {"bin_low": k / BINS, "bin_high": (k + 1) / BINS, "solutions": int(size_K[k])}
            rows.append(label | {"budget": budget} | edges | _nullable(numbers))
    return tables.frame("reliability", rows)


@dataclass(frozen=True)
class _Judged:
    """All B solutions at one budget, in one row each."""

    score_B: Floats
    correct_B: Bools
    answered_B: Bools
    problem_B: Ints
    problems: int


def _judged(
    solutions: pl.DataFrame, scores: pl.DataFrame, label: Mapping[str, str]
) -> Iterator[tuple[int, _Judged]]:
    """(budget, its solutions), budgets ascending."""
    where = "solutions of {reasoner!r} on {dataset!r} scored by {verifier!r}".format(**label)
    data = join(solutions, scores, where=where).sort("budget", maintain_order=True)
    for part in data.partition_by("budget", maintain_order=True):
        problem_B = part["problem_id"].rank("dense").to_numpy().astype(np.int64) - 1
        correct_B = part["correct"].to_numpy().astype(np.bool_)
        answered_B = part["answer_class"].is_not_null().to_numpy()
        problems = int(problem_B.max()) + 1
        score_B = part["score"].to_numpy()
        yield int(part["budget"][0]), _Judged(score_B, correct_B, answered_B, problem_B, problems)


def _nullable(numbers: Mapping[str, float | Floats]) -> dict[str, float | None]:
    return {key: None if np.isnan(value) else float(value) for key, value in numbers.items()}


def balanced_accuracy(score_B: Floats, correct_B: Bools, problem_B: Ints, weights_DP: Floats) -> Floats:
    """Balanced accuracy at THRESHOLD under each weighting of the problems: value_D, NaN with one class."""
    accepted_B = score_B >= THRESHOLD
    true_yes, yes, true_no, no = (
        weights_DP @ _per_problem(problem_B, kind_B, weights_DP)
        for kind_B in (correct_B & accepted_B, correct_B, ~correct_B & ~accepted_B, ~correct_B)
    )
    return (_ratio(true_yes, yes) + _ratio(true_no, no)) / 2


def auroc(score_B: Floats, correct_B: Bools, problem_B: Ints, weights_DP: Floats) -> Floats:
    """Area under the ROC curve under each weighting of the problems: value_D, NaN with one class.

    A weighted Mann-Whitney statistic: wrong solutions below a score, and half of those at it, are counted
    from one sort by score that all weightings share.
    """
    order = np.argsort(score_B, kind="stable")
    ranked_B, hit_B, owner_B = score_B[order], correct_B[order], problem_B[order]
    if len(ranked_B) == 0:
        return np.full(len(weights_DP), np.nan)
    starts = np.flatnonzero(np.concatenate([[True], ranked_B[1:] != ranked_B[:-1]]))
    step = max(1, CHUNK // len(ranked_B))
    parts = []
    for first in range(0, len(weights_DP), step):
        weight_DB = weights_DP[first : first + step, owner_B]
        right_DU = np.add.reduceat(weight_DB * hit_B, starts, axis=1)
        wrong_DU = np.add.reduceat(weight_DB * ~hit_B, starts, axis=1)
        below_DU = np.cumsum(wrong_DU, axis=1) - wrong_DU / 2
        wins_D = (right_DU * below_DU).sum(axis=1)
        parts.append(_ratio(wins_D, right_DU.sum(axis=1) * wrong_DU.sum(axis=1)))
    return np.concatenate(parts)


@dataclass(frozen=True)
class _Ranked:
    """Groups U of solutions of one problem with equal scores, and the wrong solutions around them."""

    owner_U: Ints  # the problem
    right_U: Floats  # how many in the group are right
    below_U: Floats  # wrong ones of the problem with a lower score
    tied_U: Floats  # with the same
    wrong_U: Floats  # all of the problem

    def mean(self, value_U: Floats, least: int, weights_DP: Floats) -> Floats:
        """The mean over right solutions of a problem, then over problems with `least` wrong ones: value_D."""
        problems = weights_DP.shape[1]
        enough_U = self.wrong_U >= least
        sums = np.where(enough_U, self.right_U * value_U, 0), self.right_U * enough_U
        total_P, right_P = (np.bincount(self.owner_U, sum_U, minlength=problems) for sum_U in sums)
        mean_P = np.nan_to_num(_ratio(total_P, right_P))
        return _ratio(weights_DP @ mean_P, weights_DP @ (right_P > 0))


def _ranked(score_B: Floats, correct_B: Bools, problem_B: Ints) -> _Ranked:
    order = np.lexsort((score_B, problem_B))
    ranked_B, hit_B, owner_B = score_B[order], correct_B[order], problem_B[order]
    # Runs of equal scores within a problem, and for each the wrong solutions of the problem below it.
    new_B = np.ones(len(ranked_B), dtype=np.bool_)
    new_B[1:] = (ranked_B[1:] != ranked_B[:-1]) | (owner_B[1:] != owner_B[:-1])
    run_B, owner_U = np.cumsum(new_B) - 1, owner_B[new_B]
    right_U, tied_U = (_counted(run_B, kind_B, len(owner_U)) for kind_B in (hit_B, ~hit_B))
    wrong_P = _counted(owner_B, ~hit_B, int(owner_B.max(initial=-1)) + 1)
    earlier_P = np.cumsum(wrong_P) - wrong_P
    below_U = np.cumsum(tied_U) - tied_U - earlier_P[owner_U]
    return _Ranked(owner_U, right_U, below_U, tied_U, wrong_P[owner_U])


def within_auroc(score_B: Floats, correct_B: Bools, problem_B: Ints, weights_DP: Floats) -> Floats:
    """Chance that a right solution outscores a wrong one of the same problem, ties half: value_D.

    The mean over problems that have both kinds; NaN without one.
    """
    ranked = _ranked(score_B, correct_B, problem_B)
    return ranked.mean(_ratio(ranked.below_U + ranked.tied_U / 2, ranked.wrong_U), 1, weights_DP)


def one_of_k(score_B: Floats, correct_B: Bools, problem_B: Ints, weights_DP: Floats) -> Floats:
    """Chance that a right solution wins against K - 1 random wrong ones of the same problem: value_D.

    With L of W wrong ones below it and T tied, Σ_j C(T, j) C(L, K-1-j) / (j + 1) / C(W, K-1), and by
    C(T, j) / (j + 1) = C(T+1, j+1) / (T + 1) that is (C(L+T+1, K) - C(L, K)) / ((T + 1) C(W, K-1)). The mean
    over problems with a right one and K - 1 wrong ones; NaN without one.
    """
    ranked = _ranked(score_B, correct_B, problem_B)
    below_U, tied_U = ranked.below_U, ranked.tied_U
    won_U = _choose(below_U + tied_U + 1, K) - _choose(below_U, K)
    chance_U = _ratio(won_U, (tied_U + 1) * _choose(ranked.wrong_U, K - 1))
    return ranked.mean(chance_U, K - 1, weights_DP)


def _choose(n_U: Floats, k: int) -> Floats:
    """Binomial coefficients of whole numbers, exact up to 2^53."""
    return np.prod([n_U - i for i in range(k)], axis=0) / math.factorial(k)


def mrr(score_B: Floats, correct_B: Bools, problem_B: Ints, weights_DP: Floats) -> Floats:
    """Mean reciprocal rank of a right solution among itself and the wrong ones of its problem: value_D.

    With A wrong ones above it and T tied, in a random order, (1/(A+1) + … + 1/(A+T+1)) / (T + 1). The mean
    over problems that have both kinds; NaN without one.
    """
    ranked = _ranked(score_B, correct_B, problem_B)
    last_U = (ranked.wrong_U - ranked.below_U).astype(np.int64)  # A + T
    first_U = last_U - ranked.tied_U.astype(np.int64)
    harmonic_N = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, last_U.max(initial=0) + 2))])
    return ranked.mean((harmonic_N[last_U + 1] - harmonic_N[first_U]) / (ranked.tied_U + 1), 1, weights_DP)


def calibration_error(score_B: Floats, correct_B: Bools, problem_B: Ints, weights_DP: Floats) -> Floats:
    """Expected calibration error (BINS bins of equal width) under each weighting of the problems: value_D."""
    problems = weights_DP.shape[1]
    cell_B = problem_B * BINS + bin_of(score_B)
    surplus_PK = np.bincount(cell_B, score_B - correct_B, minlength=problems * BINS).reshape(problems, BINS)
    size_P = _per_problem(problem_B, np.ones_like(correct_B), weights_DP)
    # |mean score - fraction correct| x solutions in the bin is |sum of (score - correct)|.
    return _ratio(np.abs(weights_DP @ surplus_PK).sum(axis=1), weights_DP @ size_P)


def bin_of(score_B: Floats) -> Ints:
    """Which of BINS bins of equal width each score lies in; exactly 1 belongs to the last one."""
    return np.minimum((score_B * BINS).astype(np.int64), BINS - 1)


METRICS = {
    "balanced_accuracy": balanced_accuracy,
    "auroc": auroc,
    "within_auroc": within_auroc,
    "one_of_k": one_of_k,
    "mrr": mrr,
    "calibration_error": calibration_error,
}


def _per_problem(problem_B: Ints, kind_B: Bools, weights_DP: Floats) -> Floats:
    """How many solutions of a kind each problem has: count_P."""
    return _counted(problem_B, kind_B, weights_DP.shape[1])


def _counted(group_B: Ints, kind_B: Bools, groups: int) -> Floats:
    """How many of a kind each group has."""
    return np.bincount(group_B[kind_B], minlength=groups).astype(np.float64)


def _ratio(above: NDArray, below: NDArray) -> Floats:
    """Quotient, NaN if nothing is below the line."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
