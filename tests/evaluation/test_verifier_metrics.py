"""Metrics against their definitions, weighted ones against data that are really repeated."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.bootstrap import interval, resamples
from rlv.evaluation.verifier_metrics import (
    METRICS,
    auroc,
    balanced_accuracy,
    calibration_error,
    mrr,
    one_of_k,
    reliability,
    verification,
    within_auroc,
)
from tests.evaluation.tables_for_tests import make_tables


def random_scores(problems: int = 12, size: int = 9, seed: int = 0):
    """Flat scores (with ties), correctness and problem numbers, problems unlike each other."""
    rng = np.random.default_rng(seed)
    correct = rng.random((problems, size)) < rng.random((problems, 1))
    score = np.clip(np.round(0.3 * correct + 0.7 * rng.random((problems, size)), 1), 0, 1)
    return score.ravel(), correct.ravel(), np.repeat(np.arange(problems), size)


def pairwise_auroc(score, correct, problem=None) -> float:
    right, wrong = score[correct][:, None], score[~correct][None, :]
    return float(((right > wrong) + 0.5 * (right == wrong)).mean())


def pairwise_within_auroc(score, correct, problem) -> float:
    own = [problem == p for p in np.unique(problem)]
    both = [rows for rows in own if correct[rows].any() and not correct[rows].all()]
    return float(np.mean([pairwise_auroc(score[rows], correct[rows]) for rows in both]))


def drawn_one_of_k(score, correct, problem) -> float:
    """Every right solution among every three wrong ones of its problem."""
    chances = []
    for p in np.unique(problem):
        right, wrong = score[(problem == p) & correct], score[(problem == p) & ~correct]
        if len(right) and len(wrong) >= 3:
            rounds = [(one, [one, *three]) for one in right for three in combinations(wrong, 3)]
            chances.append(np.mean([(one == max(four)) / four.count(max(four)) for one, four in rounds]))
    return float(np.mean(chances)) if chances else np.nan


def ordered_mrr(score, correct, problem) -> float:
    """Every right solution in every place that ties with wrong ones leave it."""
    means = []
    for p in np.unique(problem):
        right, wrong = score[(problem == p) & correct], score[(problem == p) & ~correct]
        if len(right) and len(wrong):
            places = [range((wrong > one).sum(), (wrong >= one).sum() + 1) for one in right]
            means.append(np.mean([np.mean([1 / (k + 1) for k in place]) for place in places]))
    return float(np.mean(means))


def plain_balanced_accuracy(score, correct, problem=None) -> float:
    return float(((score[correct] >= 0.5).mean() + (score[~correct] < 0.5).mean()) / 2)


def plain_calibration_error(score, correct, problem=None) -> float:
    total = 0.0
    for i in range(15):
        last = i == 14
        inside = (score * 15 >= i) & ((score * 15 < i + 1) | last)
        if inside.any():
            total += inside.mean() * abs(score[inside].mean() - correct[inside].mean())
    return float(total)


PLAIN = {
    "auroc": pairwise_auroc,
    "balanced_accuracy": plain_balanced_accuracy,
    "within_auroc": pairwise_within_auroc,
    "one_of_k": drawn_one_of_k,
    "mrr": ordered_mrr,
    "calibration_error": plain_calibration_error,
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_the_definition(metric, seed):
    score, correct, problem = random_scores(seed=seed)
    found = METRICS[metric](score, correct, problem, np.ones((1, 12)))
    assert found[0] == pytest.approx(PLAIN[metric](score, correct, problem))


@pytest.mark.parametrize("metric", METRICS)
def test_weights_are_repeated_problems(metric):
    score, correct, problem = random_scores(seed=9)
    weights_DP = np.random.default_rng(0).integers(0, 4, (20, 12)).astype(float)
    found = METRICS[metric](score, correct, problem, weights_DP)
    for value, weight_P in zip(found, weights_DP.astype(int), strict=True):
        copies = [np.flatnonzero(problem == p) for p in range(12) for _ in range(weight_P[p])]
        rows = np.concatenate(copies)
        another = np.repeat(np.arange(len(copies)), 9)  # a problem that is drawn twice is two problems
        assert value == pytest.approx(PLAIN[metric](score[rows], correct[rows], another))


def test_within_auroc_compares_solutions_of_one_problem_only():
    # The easy problem has the higher scores; within either problem the wrong solutions do.
    correct = np.array([True, True, True, False, True, False, False, False])
    score = np.array([0.8, 0.8, 0.8, 0.9, 0.1, 0.2, 0.2, 0.1])
    problem = np.repeat([0, 1], 4)
    one = np.ones((1, 2))
    assert within_auroc(score, correct, problem, one)[0] == pytest.approx((0 + 0.5 / 3) / 2)
    assert auroc(score, correct, problem, one)[0] > 0.5
    # A shift of a problem's scores changes nothing; a problem without both kinds has no pairs.
    shifted = score + np.where(problem == 0, 0.0, 0.7)
    assert within_auroc(shifted, correct, problem, one)[0] == pytest.approx(0.5 / 6)
    alone = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    found = within_auroc(score, correct, problem, alone)
    assert found[:2] == pytest.approx([0, 0.5 / 3]) and np.isnan(found[2])
    assert np.isnan(within_auroc(score[:3], correct[:3], problem[:3], one)[0])
    assert np.isnan(within_auroc(score[:0], correct[:0], problem[:0], one)[0])


def test_one_of_k_of_scores_that_say_nothing_is_one_in_four_and_needs_three_wrong_ones():
    # Problems of 3, 1, and 0 right ones of 6, and one with 2 wrong ones, which has no four to choose among.
    right = np.array([3, 1, 0, 4])
    correct = np.concatenate([np.arange(6) < n for n in right])
    problem, weights_DP = np.repeat(np.arange(4), 6), np.ones((1, 4))
    for constant in (0.0, 0.3, 1.0):
        assert one_of_k(np.full(24, constant), correct, problem, weights_DP)[0] == 1 / 4
    # Always the highest, and never.
    assert one_of_k(correct.astype(float), correct, problem, weights_DP)[0] == 1
    assert one_of_k(1.0 - correct, correct, problem, weights_DP)[0] == 0
    # Only the problem that is too small.
    assert np.isnan(one_of_k(correct.astype(float), correct, problem, np.array([[0.0, 0.0, 1.0, 1.0]]))[0])
    # One of the three is above it, or two are where it is.
    score = np.array([0.5, 0.2, 0.5, 0.9])
    first, alone, one = np.arange(4) == 0, np.zeros(4, int), np.ones((1, 1))
    assert one_of_k(score, first, alone, one)[0] == 0
    assert one_of_k(np.minimum(score, 0.5), first, alone, one)[0] == 1 / 3


def test_one_of_k_is_exact_with_many_solutions():
    correct = np.arange(513) == 0
    score = np.zeros(513)
    for constant in (score, score + 1):
        assert one_of_k(constant, correct, np.zeros(513, int), np.ones((1, 1)))[0] == 1 / 4


def test_mrr_of_ties_is_the_mean_over_their_orders():
    correct, problem, one = np.array([True, False, False, False]), np.zeros(4, int), np.ones((1, 1))
    for score, expected in (
        ([0.9, 0.1, 0.1, 0.1], 1),
        ([0.1, 0.9, 0.9, 0.9], 1 / 4),
        ([0.5, 0.9, 0.5, 0.1], (1 / 2 + 1 / 3) / 2),
        ([0.5, 0.5, 0.5, 0.5], (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4),
    ):
        assert mrr(np.array(score), correct, problem, one)[0] == pytest.approx(expected)
    assert np.isnan(mrr(np.ones(4), np.ones(4, bool), problem, one)[0])
    assert np.isnan(mrr(np.ones(0), np.ones(0, bool), problem[:0], one)[0])


@pytest.mark.parametrize("metric", ["auroc", "within_auroc", "one_of_k", "mrr"])
def test_the_order_of_scores_is_all_that_ranks_solutions(metric):
    score, correct, problem = random_scores(seed=3)
    found, mapped = (METRICS[metric](s, correct, problem, np.ones((1, 12))) for s in (score, score**3 / 2))
    assert found == mapped
    mixed = np.random.default_rng(1).permutation(len(score))
    assert METRICS[metric](score[mixed], correct[mixed], problem[mixed], np.ones((1, 12))) == pytest.approx(
        found
    )


def test_perfect_and_useless_scores():
    correct, problem = np.array([True, False, True, False]), np.zeros(4, int)
    one = np.ones((1, 1))
    truth = correct.astype(float)
    assert auroc(truth, correct, problem, one)[0] == balanced_accuracy(truth, correct, problem, one)[0] == 1
    assert within_auroc(truth, correct, problem, one)[0] == 1
    assert calibration_error(truth, correct, problem, one)[0] == 0
    half = np.full(4, 0.5)
    assert auroc(half, correct, problem, one)[0] == balanced_accuracy(half, correct, problem, one)[0] == 0.5
    assert calibration_error(half, correct, problem, one)[0] == 0


def test_table_with_intervals():
    score, correct, problem = random_scores(problems=40, size=10)
    classes = np.where(correct, 0, 1).reshape(40, 10)
    solutions, scores = make_tables(classes, correct.reshape(40, 10), score.reshape(40, 10))
    assert scores is not None
    table = verification(
        solutions.sample(fraction=1, shuffle=True, seed=0), scores, dataset="d", reasoner="r", verifier="v"
    )
    tables.check(table, "verification", "test")
    assert table["metric"].to_list() == [*METRICS] * 2
    assert table["over"].to_list() == ["all"] * len(METRICS) + ["answered"] * len(METRICS)
    assert (table["low"] < table["value"])[:3].all() and (table["value"] < table["high"])[:3].all()
    # All of them vote.
    halves = table.partition_by("over")
    assert halves[0].drop("over").equals(halves[1].drop("over"))
    for metric, value in zip(table["metric"], table["value"], strict=True):
        assert value == pytest.approx(PLAIN[metric](score, correct, problem))
    with pytest.raises(DataError, match="'p3', sample 1"):
        verification(solutions, scores[:31].vstack(scores[32:]), dataset="d", reasoner="r", verifier="v")


def test_solutions_without_an_answer_count_among_all_and_not_among_answered():
    score, correct, problem = random_scores(problems=20, size=10, seed=4)
    score, correct = score.reshape(20, 10), correct.reshape(20, 10)
    # Each problem has solutions without an answer, never right and easy to reject; one problem has no others.
    silent = np.zeros_like(correct)
    silent[:, ::3] = silent[7] = True
    correct &= ~silent
    score[silent] = 0.01
    solutions, scores = make_tables(np.where(silent, -1, np.where(correct, 0, 1)), correct, score)
    assert scores is not None
    table = verification(solutions, scores, **NAMES, seed=3)
    values = {(r["over"], r["metric"]): r for r in table.iter_rows(named=True)}
    for metric, plain in PLAIN.items():
        every, answered = values["all", metric], values["answered", metric]
        assert every["value"] == pytest.approx(plain(score.ravel(), correct.ravel(), problem))
        voting = ~silent.ravel()
        assert answered["value"] == pytest.approx(
            plain(score.ravel()[voting], correct.ravel()[voting], problem[voting])
        )
        assert answered["low"] < answered["value"] < answered["high"]
    # Easy ones flatter a verifier.
    for metric in ("balanced_accuracy", "auroc"):
        assert values["all", metric]["value"] > values["answered", metric]["value"]
    # Resamples are of all twenty problems.
    weights_DP = np.concatenate([np.ones((1, 20)), resamples(20, 1000, 3)])
    by_name = np.argsort(np.argsort([f"p{p}" for p in range(20)]))  # the order of their ids
    of_problem = by_name[problem].reshape(20, 10)[~silent]
    values_D = auroc(score[~silent], correct[~silent], of_problem, weights_DP)
    low, high = interval(values_D[1:])
    assert (values["answered", "auroc"]["low"], values["answered", "auroc"]["high"]) == (low, high)


def test_without_any_answer_nothing_is_known_of_the_answered():
    solutions, scores = make_tables([[-1, -1]], [[False, False]], [[0.2, 0.3]])
    assert scores is not None
    table = verification(solutions, scores, **NAMES)
    assert table.filter(pl.col("over") == "answered")["value"].is_null().all()
    error = table.filter(over="all", metric="calibration_error")["value"]
    assert error.to_list() == pytest.approx([0.25])


def test_one_class_alone_is_undefined():
    solutions, scores = make_tables([[0, 0]], [[True, True]], [[0.9, 0.8]])
    assert scores is not None
    table = verification(solutions, scores, dataset="d", reasoner="r", verifier="v")
    values = dict(zip(table["metric"], table["value"], strict=True))
    assert values["auroc"] is values["within_auroc"] is values["balanced_accuracy"] is None
    assert values["calibration_error"] == pytest.approx(0.15)


def at_two_budgets():
    """Random scores at budget 64, and the very opposite ones at budget 32."""
    score, correct, _ = random_scores(problems=20, size=10)
    shape = (20, 10)
    arrays = [a.reshape(shape) for a in (np.where(correct, 0, 1), correct, score)]
    late = make_tables(*arrays, budget=64)
    early = make_tables(*arrays[:2], 1 - arrays[2], budget=32)
    return [pl.concat([a, b]) for a, b in zip(late, early, strict=True)], score, correct


NAMES = {"dataset": "d", "reasoner": "r", "verifier": "v"}


def test_every_budget_has_its_own_metrics():
    (solutions, scores), score, correct = at_two_budgets()
    table = verification(solutions, scores, **NAMES)
    assert table["budget"].to_list() == [32] * 2 * len(METRICS) + [64] * 2 * len(METRICS)
    values = {(r["budget"], r["metric"]): r["value"] for r in table.iter_rows(named=True)}
    assert values[64, "auroc"] == pytest.approx(pairwise_auroc(score, correct))
    assert values[32, "auroc"] == pytest.approx(1 - values[64, "auroc"])


def test_reliability_counts_each_bin():
    (solutions, scores), score, correct = at_two_budgets()
    table = tables.check(reliability(solutions, scores, **NAMES), "reliability", "test")
    assert table["budget"].to_list() == [32] * 15 + [64] * 15
    late = table.filter(pl.col("budget") == 64)
    assert late["solutions"].sum() == len(score)
    for i, row in enumerate(late.iter_rows(named=True)):
        assert (row["bin_low"], row["bin_high"]) == pytest.approx((i / 15, (i + 1) / 15))
        inside = (score * 15 >= i) & ((score * 15 < i + 1) | (i == 14))
        assert row["solutions"] == inside.sum()
        if inside.any():
            assert row["mean_score"] == pytest.approx(score[inside].mean())
            assert row["fraction_correct"] == pytest.approx(correct[inside].mean())
            assert (
                row["low"] <= row["fraction_correct"] + 1e-9 and row["fraction_correct"] <= row["high"] + 1e-9
            )
        else:
            assert all(row[c] is None for c in ("mean_score", "fraction_correct", "low", "high"))
    # What the table says and what the metric says are the same thing.
    known = late.drop_nulls()
    gap = (known["mean_score"] - known["fraction_correct"]).abs() * known["solutions"]
    assert gap.sum() / len(score) == pytest.approx(plain_calibration_error(score, correct))


def test_reliability_resamples_problems_not_solutions():
    # All solutions of a problem are alike: the interval is that of 40 problems, not of 4000 solutions.
    correct = np.repeat(np.arange(40) % 2 == 0, 100).reshape(40, 100)
    tables_of = make_tables(np.where(correct, 0, 1), correct, np.full((40, 100), 0.99))
    row = reliability(*tables_of, **NAMES).row(14, named=True)
    assert row["fraction_correct"] == 0.5
    error = 0.5 / np.sqrt(40)
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * error, rel=0.15)
