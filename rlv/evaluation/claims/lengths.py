"""Claims about sequential compute: length budgets together with N, and length selection by confidence."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.bootstrap import Estimate, Floats
from rlv.evaluation.claims.equal_tokens import CACHED, NOT_KNOWN, columns, covered_n, matched
from rlv.evaluation.claims.evidence import Column, Evidence, Pair, base_at, ours_at
from rlv.evaluation.claims.rows import NOT_STATED, OURS, PAPER, row, spread, where
from rlv.evaluation.equal_cost import accuracy_at
from rlv.evaluation.prices import Price
from rlv.evaluation.ratio import divided, ratio


def joint_scaling(evidence: Evidence) -> list[dict]:
    """Accuracy of RL^V, weighted voting, over the base method's majority at equal budget and the largest N.

    The number is the median over budgets; every budget, the range and the ratio at equal tokens are in
    `detail`. A budget at which the base method is never right has no ratio and is left out; if it is never
    right in a resample, that ratio counts as larger than any number. Paper: abstract, "1.2-1.6x".
    """
    rows = []
    for pair in evidence.pairs:
        n = evidence.common_ns(pair)[-1]
        ours = evidence.values(pair, [ours_at(pair, n, budget) for budget in evidence.budgets])
        base = evidence.values(pair, [base_at(n, budget) for budget in evidence.budgets])
        known_K = base.any(axis=0)
        values_QK = np.concatenate([ours[:, known_K], base[:, known_K]], axis=1)
        median = evidence.ratio(pair, values_QK, lambda m: _median(_ratios(m)))
        each = [
            ratio(*sides, evidence.draws, evidence.seed, len(evidence.seeds(pair)))
            for sides in zip(ours.T, base.T, strict=True)
        ]
        listed = ", ".join(
            f"{budget} tokens {spread(found, '.2f')} ({above:.1f} % against {below:.1f} %)"
            for budget, found, above, below in zip(
                evidence.budgets, each, 100 * ours.mean(axis=0), 100 * base.mean(axis=0), strict=True
            )
        )
        statement = (
            f"Accuracy of {pair.unified} by weighted voting over {pair.base} by majority at equal "
            f"budget and N = {n} (median of budgets) {where(evidence, pair)}"
        )
        span = _span([found.value for found in each])
        detail = f"{span}; at a budget of {listed}; {_at_equal_tokens(evidence, pair, n)}"
        detail += _voteless(evidence, pair)
        rows.append(row("joint_scaling", statement, "1.2-1.6x", median, 1.2, PAPER, detail))
    return rows


def _voteless(evidence: Evidence, pair: Pair) -> str:
    """How many solutions of either side cast no vote, and how many of them at no budget at all."""
    if evidence.answered is None:
        return ""
    said = []
    for reasoner in (pair.base, pair.unified):
        rows = evidence.answered.filter(
            (pl.col("dataset") == evidence.dataset) & (pl.col("reasoner") == reasoner)
        ).unique("budget")
        if rows.is_empty():
            raise DataError(f"claims: the answered table has no rows of {reasoner!r} on {evidence.dataset!r}")
        total, silent, mute = (rows[c].sum() for c in ("solutions", "without_vote", "unanswered"))
        said.append(
            f"{silent} of {total} of {reasoner} ({rows['never_voting'].max()} solutions at every budget; "
            f"nobody votes in {mute} of {rows['problems'].sum()} problems)"
        )
    return f"; over all budgets, solutions without an answer, which cast no vote: {', '.join(said)}"


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
            # The tables have tokens of N solutions; the selection has the mean length of one.
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
            f"that was spent, earlier answers and whole readings included, is {ours:.0f} tokens a problem "
            f"against {fixed:.0f}; threshold {chosen:g}, the middle of those swept; by threshold {swept}"
        )
        statement = (
            f"Points of accuracy of {pair.unified} with length selection over fixed budgets of equal "
            f"mean final length, N = {n}, {where(evidence, pair)}"
        )
        rows.append(row("length_selection", statement, NOT_STATED, gains[chosen], 0.0, OURS, detail))
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
    fixed = [ours_at(pair, n, budget) for budget in evidence.budgets]
    # Majority voting pays only for generated tokens, which are the length.
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
    fixed = [replace(ours_at(pair, n, budget), value="tokens") for budget in evidence.budgets]
    ours, *others = evidence.values(pair, [chosen, *fixed]).mean(axis=0).tolist()
    return ours, float(accuracy_at(length_K[0], length_K[1:], np.array(others)))


def _at_equal_tokens(evidence: Evidence, pair: Pair, n: int) -> str:
    """The ratio of joint_scaling with the base method's majority at RL^V's tokens, by both prices."""
    blocks = _blocks(evidence, pair, n, "cached")
    said = NOT_KNOWN
    if not any(np.isnan(block).any() for block in blocks):
        said = f"{CACHED} {spread(_matched_median(evidence, pair, blocks)[0], '.2f')}"
    return f"{_read_whole(evidence, pair, n)}; {said}"


def _read_whole(evidence: Evidence, pair: Pair, n: int) -> str:
    largest_n = evidence.base_ns(pair)[-1]
    found, short = _matched_median(evidence, pair, _blocks(evidence, pair, n))
    said = f"at equal tokens (read whole) with {pair.unified} at N = {n}: {spread(found, '.2f')}"
    if not short:
        return said
    said += (
        f", though at {short} of {len(evidence.budgets)} budgets the base method has fewer tokens even at "
        f"its largest N = {largest_n}, which stands in"
    )
    fewer = covered_n(evidence, pair, evidence.budgets)
    if fewer is None:
        return said
    found, _ = _matched_median(evidence, pair, _blocks(evidence, pair, fewer))
    return f"{said}; at N = {fewer}, where it has as many at every budget: {spread(found, '.2f')}"


def _blocks(evidence: Evidence, pair: Pair, n: int, price: Price = "whole") -> list[Floats]:
    """What is compared at equal tokens, budget by budget."""
    ns = evidence.base_ns(pair)
    return [evidence.values(pair, columns(pair, n, ns, budget, price=price)) for budget in evidence.budgets]


def _matched_median(evidence: Evidence, pair: Pair, blocks: list[Floats]) -> tuple[Estimate, int]:
    """The median over budgets of the ratio at equal tokens, and at how many budgets the base has too few."""
    means_KC = np.stack([block.mean(axis=0) for block in blocks])
    tokens_KC = means_KC[:, means_KC.shape[1] // 2 :]
    short = int((tokens_KC[:, 0] > tokens_KC[:, -1]).sum())
    known = [block for block, means in zip(blocks, means_KC, strict=True) if matched(means)[1] > 0]
    values_QK = np.concatenate(known or [np.empty((len(blocks[0]), 0))], axis=1)
    found = evidence.ratio(
        pair,
        values_QK,
        lambda m: _median(divided(*matched(m.reshape(*m.shape[:-1], len(known), means_KC.shape[1])))),
    )
    return found, short


def _ratios(means: Floats) -> Floats:
    half = means.shape[-1] // 2
    return divided(means[..., :half], means[..., half:])


def _median(ratios_K: Floats) -> Floats:
    """Over the last axis; without a single ratio undefined."""
    if not ratios_K.shape[-1]:
        return np.full(ratios_K.shape[:-1], np.nan)
    with warnings.catch_warnings():
        # Rows without a single ratio are undefined, and stay so without NumPy's warning about them.
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmedian(ratios_K, axis=-1)


def _span(ratios: list[float]) -> str:
    """The range over budgets, and at how many there is no ratio."""
    known = [value for value in ratios if np.isfinite(value)]
    span = f"range {min(known):.2f} to {max(known):.2f}" if known else "no ratio"
    left_out = len(ratios) - len(known)
    without = f" ({left_out} of {len(ratios)} left out: the base method is never right)" if left_out else ""
    return f"{span} over budgets{without}"
