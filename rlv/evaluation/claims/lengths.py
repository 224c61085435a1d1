"""Claims about sequential compute: length budgets together with N, and length selection by confidence."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.bootstrap import Floats
from rlv.evaluation.claims.evidence import Column, Evidence, Pair
from rlv.evaluation.claims.parallel import base_at, ours_at
from rlv.evaluation.claims.rows import row, spread, where
from rlv.evaluation.equal_cost import accuracy_at


def joint_scaling(evidence: Evidence) -> list[dict]:
    """Accuracy of RL^V, weighted voting, over the base method's majority at equal budget and the largest N.

    The number is the median over budgets; every budget and the range are in `detail`. A budget at which
    neither is ever right has no ratio and is left out. Paper: abstract, "1.2-1.6x".
    """
    rows = []
    for pair in evidence.pairs:
        n = evidence.common_ns(pair)[-1]
        budgets = evidence.budgets
        ours = [replace(ours_at(pair, n), budget=budget) for budget in budgets]
        base = [replace(base_at(n), budget=budget) for budget in budgets]
        values_QK = evidence.values(pair, [*ours, *base])
        median = evidence.estimate(pair, values_QK, lambda m: _median(_ratios(m)))
        accuracy_2K = 100 * values_QK.mean(axis=0).reshape(2, -1)
        each = [
            evidence.estimate(pair, values_QK, lambda m, k=k: _ratios(m)[..., k]) for k in range(len(budgets))
        ]
        known = [e.value for e in each if not np.isnan(e.value)]
        span = f"range {min(known):.2f} to {max(known):.2f}" if known else "no ratio"
        listed = ", ".join(
            f"{budget}: {spread(ratio, '.2f')} ({ours_at_it:.1f} % against {base_at_it:.1f} %)"
            for budget, ratio, ours_at_it, base_at_it in zip(budgets, each, *accuracy_2K, strict=True)
        )
        statement = (
            f"Accuracy of {pair.unified}, weighted voting, over {pair.base}, majority voting, at equal "
            f"budget and N = {n} (median over budgets) {where(evidence, pair)}"
        )
        detail = f"{span} over budgets; by tokens of the budget {listed}"
        rows.append(row("joint_scaling", statement, "1.2-1.6x", median, 1.2, detail))
    return rows


def length_selection(evidence: Evidence) -> list[dict]:
    """Points of length selection over one budget for all problems, at equal mean length and the largest N.

    The fixed budgets' accuracy is linear in mean length between them: what mixing two budgets at random over
    problems reaches. The threshold is the middle one of those swept, by rule and not by its result; all of
    them are in `detail`. Both sides are RL^V by weighted voting on the same solutions.
    """
    if evidence.selection is None:
        return []
    rows = []
    for pair in evidence.pairs:
        n, thresholds = _swept(evidence, pair)
        chosen = thresholds[len(thresholds) // 2]
        gains, means = {}, {}
        for threshold in thresholds:
            values_QK = evidence.values(pair, _selection_columns(evidence, pair, n, threshold))
            # The tables have tokens of N solutions, where the selection has the mean length of one.
            values_QK[:, -len(evidence.budgets) :] /= n
            gains[threshold] = evidence.estimate(pair, values_QK, _points_at_equal_length)
            means[threshold] = values_QK.mean(axis=0)
        at = means[chosen]
        length_column = 1 + len(evidence.budgets)
        matched = 100 * at[0] - _points_at_equal_length(at)
        swept = ", ".join(
            f"{t:g}: {spread(gains[t], '+.1f')} at {means[t][length_column]:.1f} tokens" for t in thresholds
        )
        ours, fixed = _spent(evidence, pair, n, chosen, at[length_column:])
        detail = (
            f"{100 * at[0]:.1f} % against {matched:.1f} % at {at[length_column]:.1f} tokens a solution; all "
            f"that was spent, earlier answers and reading included, is {ours:.0f} tokens a problem against "
            f"{fixed:.0f}; threshold {chosen:g}, the middle of those swept; by threshold {swept}"
        )
        statement = (
            f"Points of {pair.unified} with length selection over one budget for all problems, at equal mean "
            f"length, weighted voting at N = {n} {where(evidence, pair)}"
        )
        paper = "adapts the length to the problem (figure 1, right)"
        rows.append(row("length_selection", statement, paper, gains[chosen], 0.0, detail))
    return rows


def _swept(evidence: Evidence, pair: Pair) -> tuple[int, list[float]]:
    """The largest N that length selection shares with the votes, and its thresholds there, ascending."""
    assert evidence.selection is not None
    found = evidence.selection.filter(
        (pl.col("dataset") == evidence.dataset)
        & (pl.col("reasoner") == evidence.seeds(pair)[0][1])
        & (pl.col("verifier") == pair.verifier)
    )
    ns, votes = set(found["n"].to_list()), evidence.common_ns(pair)
    if not ns & set(votes):
        raise DataError(
            f"claims: the selection_per_problem table has N = {sorted(ns)} of {pair.unified!r} with "
            f"{pair.verifier!r} on {evidence.dataset!r}, its votes N = {votes}; evaluate it at a common N"
        )
    n = max(ns & set(votes))
    return n, found.filter(pl.col("n") == n)["threshold"].unique().sort().to_list()


def _selection_columns(evidence: Evidence, pair: Pair, n: int, threshold: float) -> list[Column]:
    """Accuracy of the selection and of each fixed budget, then the length of the same."""
    chosen = Column("unified", "", n, pair.verifier, threshold=threshold)
    fixed = [replace(ours_at(pair, n), budget=budget) for budget in evidence.budgets]
    # Majority voting pays for generated tokens alone, which are the length.
    lengths = [Column("unified", "majority", n, "", "tokens", budget) for budget in evidence.budgets]
    return [chosen, *fixed, replace(chosen, value="length"), *lengths]


def _points_at_equal_length(means: Floats) -> Floats:
    """Columns as `_selection_columns` has them."""
    half = means.shape[-1] // 2
    accuracy, length = means[..., :half], means[..., half:]
    return 100 * (accuracy[..., 0] - accuracy_at(length[..., 0], length[..., 1:], accuracy[..., 1:]))


def _spent(evidence: Evidence, pair: Pair, n: int, threshold: float, length_K: Floats) -> tuple[float, float]:
    """Mean tokens a problem of the selection, and of fixed budgets at its length, the first of `length_K`."""
    chosen = Column("unified", "", n, pair.verifier, "tokens", threshold=threshold)
    fixed = [replace(ours_at(pair, n), value="tokens", budget=budget) for budget in evidence.budgets]
    ours, *others = evidence.values(pair, [chosen, *fixed]).mean(axis=0).tolist()
    return ours, float(accuracy_at(length_K[0], length_K[1:], np.array(others)))


def _ratios(means: Floats) -> Floats:
    half = means.shape[-1] // 2
    return means[..., :half] / means[..., half:]


def _median(ratios: Floats) -> Floats:
    with warnings.catch_warnings():
        # Rows without a single ratio are undefined, and stay so without NumPy's warning about them.
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmedian(ratios, axis=-1)
