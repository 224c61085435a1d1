"""Length selection: the budget grows problem by problem until the verifier is confident in the voted answer.

Solutions of a problem are known at budgets b_1 < ... < b_M, the same solutions at each: cut there and made to
answer, or ended before. For N of them and a threshold t, weighted voting is held at b_1, b_2, ... and stops
when the mean score of the solutions that give the voted answer is at least t, or at b_M. Votes, ties and
confidence are those of votes.confident_voting; averages are over the same subsets of N as in curves.py, so
that thresholds, budgets and methods are paired.

    accuracy   expected correctness of the answer at which it stopped
    length     generated tokens a solution there: its n_tokens, less than the budget if it ended early
    tokens     all that was spent on the N solutions until stopping at budget b_s:
                   n_tokens(b_s)                                  the solutions, their prefixes sampled once
                   + sum over m < s of max(n_tokens(b_m) - b_m, 0)    answers forced earlier, with prefix
                   + sum over m <= s of n_tokens_read(b_m)            the verifier, at every budget visited
               The second line holds since a cut solution continues from its first b_m tokens. The third is
               an upper limit: a solution that ended is counted as read again at each later budget.
    flops      the same. A forced answer is charged its tokens' share of flops(b_m), extra / n_tokens(b_m): an
               approximation, a little low since attention costs most at the end.
    confident  fraction that passed the threshold at some budget

Left out: choosing a threshold, which would need problems of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.bootstrap import interval, resampled_means, resamples
from rlv.evaluation.curves import SUBSETS, by_problem, chosen_rows, subset_indices, typed
from rlv.evaluation.recorded import Recorded, recorded
from rlv.evaluation.tallies import TIE, Floats, Ints
from rlv.evaluation.votes import confident_voting

COLUMNS = ("accuracy", "length", "tokens", "flops", "confident")


def select(
    solutions: pl.DataFrame,
    scores: pl.DataFrame,
    *,
    dataset: str,
    reasoner: str,
    verifier: str,
    ns: Sequence[int],
    thresholds: Sequence[float],
    subsets: int = SUBSETS,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The selection and selection_per_problem tables: one cell an N and threshold.

    Raises DataError if solutions and scores do not join one to one, there are fewer than two budgets, a
    problem lacks a solution at one of them, an N exceeds the solutions, or thresholds do not ascend within
    [0, 1].
    """
    where = f"solutions of {reasoner!r} on {dataset!r} scored by {verifier!r}"
    if list(thresholds) != sorted(set(thresholds)) or not all(0 <= t <= 1 for t in thresholds):
        raise DataError(f"{where}: thresholds {list(thresholds)}; they must ascend within [0, 1]")
    data = recorded(solutions, scores, where=where)
    _refuse_unequal(data, where)
    problems, size = data[0].classes_PS.shape
    if wrong := [n for n in ns if not 1 <= n <= size]:
        raise DataError(f"{where}: N = {wrong[0]} with {size} solutions a problem; N must be in 1 … {size}")
    cells = [(n, t) for n in ns for t in thresholds]
    values_VPK = np.concatenate(
        [stopped(data, n, thresholds, subsets=subsets, seed=seed) for n in ns], axis=2
    )
    labels = pl.DataFrame(
        {"dataset": dataset, "reasoner": reasoner, "verifier": verifier, "n": n, "threshold": t}
        for n, t in cells
    )
    counts_DP = resamples(problems, draws, seed)
    values: dict[str, Floats] = dict(zip(COLUMNS, values_VPK, strict=True))
    means = {column: values_PK.mean(axis=0) for column, values_PK in values.items()}
    low_K, high_K = interval(resampled_means(values_VPK[0], counts_DP))
    length_low_K, length_high_K = interval(resampled_means(values_VPK[1], counts_DP))
    ends = {"low": low_K, "high": high_K, "length_low": length_low_K, "length_high": length_high_K}
    summary = labels.with_columns(pl.DataFrame(means | ends))
    long = by_problem(labels, data[0].problem_ids, values, "selection_per_problem")
    return typed(summary, "selection"), long


def stopped(
    data: Sequence[Recorded], n: int, thresholds: Sequence[float], *, subsets: int = SUBSETS, seed: int = 0
) -> Floats:
    """What each problem comes to at each threshold, in the mean over subsets of n: values_VPT, V as COLUMNS.

    `data` holds the same solutions at ascending budgets, with scores.
    """
    problems, size = data[0].classes_PS.shape
    tokens_MPS, flops_MPS = spent(data)
    subsets_RN = subset_indices(size, n, subsets, seed)
    votes = [_votes(at, subsets_RN) for at in data]
    credit_MPR = np.stack([credit for credit, _ in votes])
    confidence_MPR = np.stack([confidence for _, confidence in votes])
    # Sums over a subset are one matrix product with its members.
    members_SR = np.zeros((size, len(subsets_RN)))
    members_SR[subsets_RN, np.arange(len(subsets_RN))[:, None]] = 1
    length_MPS = np.stack([at.tokens_PS for at in data])
    values_VMPR = np.stack(
        [
            credit_MPR,
            length_MPS @ members_SR / n,
            tokens_MPS @ members_SR,
            flops_MPS @ members_SR,
            np.ones_like(credit_MPR),
        ]
    )
    found_VPT = np.empty((len(COLUMNS), problems, len(thresholds)))
    for i, threshold in enumerate(thresholds):
        # A mean of equal scores may differ from them in the last bits.
        passed_MPR = confidence_MPR >= threshold * (1 - TIE)
        passed_PR = passed_MPR.any(axis=0)
        at_PR = np.where(passed_PR, passed_MPR.argmax(axis=0), len(data) - 1)
        chosen_VPR = np.take_along_axis(values_VMPR, at_PR[None, None], axis=1)[:, 0]
        chosen_VPR[-1] = passed_PR
        found_VPT[:, :, i] = chosen_VPR.mean(axis=2)
    return found_VPT


def spent(data: Sequence[Recorded]) -> tuple[Floats, Floats]:
    """Tokens and FLOPs of each solution if all stops at a budget: tokens_MPS, flops_MPS (see above)."""
    tokens, flops = [], []
    before_tokens_PS = np.zeros(data[0].tokens_PS.shape)  # forced earlier, and read so far
    before_flops_PS = np.zeros(data[0].tokens_PS.shape)
    for at in data:
        if at.read_PS is None or at.read_flops_PS is None:
            raise ValueError("length selection needs scores")
        before_tokens_PS = before_tokens_PS + at.read_PS
        before_flops_PS = before_flops_PS + at.read_flops_PS
        tokens.append(before_tokens_PS + at.tokens_PS)
        flops.append(before_flops_PS + at.flops_PS)
        forced_PS = np.maximum(at.tokens_PS - at.budget, 0)
        before_tokens_PS = before_tokens_PS + forced_PS
        before_flops_PS = before_flops_PS + at.flops_PS * forced_PS / np.maximum(at.tokens_PS, 1)
    return np.stack(tokens), np.stack(flops)


def _votes(data: Recorded, subsets_RN: Ints) -> tuple[Floats, Floats]:
    """Credit and confidence of weighted voting in every subset: two arrays PR."""
    problems = len(data.problem_ids)
    credits, confidences = [], []
    for classes, correct, scores in chosen_rows(data.classes_PS, data.correct_PS, data.scores_PS, subsets_RN):
        assert scores is not None  # `spent` refuses data without
        credit, confidence = confident_voting(classes, correct, scores)
        credits.append(credit.reshape(problems, -1))
        confidences.append(confidence.reshape(problems, -1))
    return np.concatenate(credits, axis=1), np.concatenate(confidences, axis=1)


def _refuse_unequal(data: Sequence[Recorded], where: str) -> None:
    """DataError unless every budget holds the same solutions, and there are two budgets."""
    if len(data) < 2:
        raise DataError(f"{where}: budgets {[at.budget for at in data]}; length selection needs two or more")
    first = data[0]
    for at in data[1:]:
        if at.problem_ids != first.problem_ids:
            odd = min(set(at.problem_ids) ^ set(first.problem_ids))
            raise DataError(
                f"{where}: problem {odd!r} is there at only one of the budgets {first.budget} and "
                f"{at.budget}; every budget needs the same solutions"
            )
        if not np.array_equal(at.sample_ids_PS, first.sample_ids_PS):  # pyright: ignore[reportArgumentType]
            raise DataError(
                f"{where}: sample ids differ between the budgets {first.budget} and {at.budget}; "
                "every budget needs the same solutions"
            )
