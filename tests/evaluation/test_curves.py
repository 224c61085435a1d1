"""Accuracy at N against brute force over every subset, and what the tables must refuse."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.curves import (
    averaged,
    evaluate,
    expected,
    subset_indices,
)
from rlv.evaluation.prices import COLUMNS, COSTS
from rlv.evaluation.recorded import Recorded
from rlv.evaluation.votes import VOTES, expected_best, expected_pass
from tests.evaluation.tables_for_tests import make_tables
from tests.evaluation.test_votes import plain_vote

NAMES = {"dataset": "test", "reasoner": "grpo_v", "verifier": "unified"}


def random_problems(problems: int, size: int, seed: int, answers: int = 4):
    """Classes (some silent), correctness and few-valued scores."""
    rng = np.random.default_rng(seed)
    classes_PS = rng.integers(-1, answers, (problems, size))
    return classes_PS, classes_PS == 0, rng.integers(0, 4, (problems, size)) / 3


def record(classes_PS, correct_PS, scores_PS) -> Recorded:
    ids = [f"p{i}" for i in range(len(classes_PS))]
    ones = np.ones_like(classes_PS)
    return Recorded(64, ids, classes_PS, correct_PS, ones, ones.astype(float), scores_PS)


def brute_force(strategy: str, classes_PS, correct_PS, scores_PS, n: int) -> list[float]:
    """The mean over all subsets of the votes' definition."""
    rows = zip(classes_PS.tolist(), correct_PS.tolist(), scores_PS.tolist(), strict=True)
    return [
        float(
            np.mean(
                [
                    plain_vote(strategy, *([column[i] for i in chosen] for column in row))
                    for chosen in combinations(range(len(row[0])), n)
                ]
            )
        )
        for row in rows
    ]


@pytest.mark.parametrize("strategy", VOTES)
@pytest.mark.parametrize("n", [1, 2, 3, 5, 7])
def test_small_sets_are_exact(strategy, n):
    problem = random_problems(12, 7, seed=n)
    found = expected(record(*problem), strategy, n)
    np.testing.assert_allclose(found, brute_force(strategy, *problem, n), atol=1e-12)


@pytest.mark.parametrize("size", [1, 5, 64, 512])
def test_pass_at_n_is_hypergeometric(size):
    hits = np.array([0, 1, size // 3, size - 1, size])
    correct_PS = np.arange(size) < hits[:, None]
    for n in {1, min(2, size), size // 2 + 1, size}:
        wanted = [1 - comb(size - c, n) / comb(size, n) for c in hits.tolist()]
        np.testing.assert_allclose(expected_pass(np.zeros_like(correct_PS, int), correct_PS, None, n), wanted)


def test_best_of_n_in_closed_form_agrees_with_sampling():
    classes_PS, correct_PS, scores_PS = random_problems(40, 64, seed=3)
    for n in (2, 8, 32):
        subsets_RN = subset_indices(64, n, 4000, seed=0)
        sampled = averaged("best_of_n", classes_PS, correct_PS, scores_PS, subsets_RN)
        exact = expected_best(classes_PS, correct_PS, scores_PS, n)
        # Disjoint blocks are never worse than independent subsets: 5 standard errors of those, at most.
        assert np.abs(sampled - exact).max() < 5 * 0.5 / np.sqrt(4000)


@pytest.mark.parametrize("strategy", ["majority", "weighted_voting"])
def test_sampling_is_close_to_brute_force(strategy):
    problem = random_problems(6, 14, seed=5)
    found = expected(record(*problem), strategy, 5, subsets=1500)
    assert comb(14, 5) > 1500
    np.testing.assert_allclose(found, brute_force(strategy, *problem, 5), atol=0.06)


@pytest.mark.parametrize("strategy", VOTES)
def test_one_and_all_are_exact_at_any_size(strategy):
    classes_PS, correct_PS, scores_PS = problem = random_problems(9, 300, seed=1)
    np.testing.assert_allclose(expected(record(*problem), strategy, 1), correct_PS.mean(axis=1))
    whole = VOTES[strategy].count(classes_PS, correct_PS, scores_PS)
    np.testing.assert_allclose(expected(record(*problem), strategy, 300), whole)


def test_subsets_are_sets_shared_and_even():
    subsets_RN = subset_indices(64, 16, 256, seed=7)
    assert subsets_RN.shape == (256, 16)
    assert all(len(set(row)) == 16 for row in subsets_RN.tolist())
    assert (np.bincount(subsets_RN.ravel(), minlength=64) == 64).all()
    assert (subsets_RN == subset_indices(64, 16, 256, seed=7)).all()
    assert (subsets_RN != subset_indices(64, 16, 256, seed=8)).any()
    assert len(subset_indices(6, 3, 256, seed=7)) == comb(6, 3)


@given(st.integers(0, 10_000), st.integers(1, 6))
@settings(deadline=None, max_examples=40)
def test_nothing_beats_pass_at_n(seed, n):
    data = record(*random_problems(3, 6, seed))
    limit = expected(data, "pass_at_n", n)
    for strategy in VOTES:
        assert (expected(data, strategy, n) <= limit + 1e-12).all()


def test_unfinished_is_the_share_that_ran_into_the_budgets_end():
    made = [make_tables([[0, 1, -1, 0]], [[True, False, False, True]], budget=b)[0] for b in (32, 64)]
    ends = pl.Series(["length", "forced", "length", "stop"])
    solutions = pl.concat([made[0].with_columns(finish_reason=ends), made[1]])
    curves, _ = evaluate(solutions, None, ns=[1, 4], **NAMES)
    shares = curves.select("budget", "unfinished").unique().sort("budget").rows()
    assert shares == [(32, 0.5), (64, 0.0)]


def test_tables_have_their_columns_tokens_and_order():
    problem = random_problems(30, 8, seed=2)
    solutions, scores = make_tables(*problem, tokens=10, read=12)
    curves, per_problem = evaluate(solutions, scores, ns=[1, 4, 8], **NAMES)
    tables.check(curves, "curves", "test")
    tables.check(per_problem, "per_problem", "test")
    assert len(curves) == 4 * 3 and len(per_problem) == 4 * 3 * 30
    assert ((curves["low"] <= curves["accuracy"]) & (curves["accuracy"] <= curves["high"])).all()
    key = ["strategy", "n"]
    means = per_problem.group_by([*key, "verifier"]).agg(pl.col("accuracy").mean().alias("mean"))
    both = curves.join(means, on=[*key, "verifier"])
    assert len(both) == 12
    np.testing.assert_allclose(both["accuracy"], both["mean"])
    cost = {(r["strategy"], r["n"]): (r["verifier"], r["tokens"]) for r in curves.to_dicts()}
    assert cost["majority", 4] == ("", 40.0) and cost["weighted_voting", 4] == ("unified", 88.0)
    expected_p3 = brute_force("weighted_voting", *problem, 4)
    got = per_problem.filter((pl.col("strategy") == "weighted_voting") & (pl.col("n") == 4)).sort(
        "problem_id"
    )
    wanted = [value for _, value in sorted(zip([f"p{i}" for i in range(30)], expected_p3, strict=True))]
    np.testing.assert_allclose(got["accuracy"], wanted, atol=1e-12)


def test_costs_are_those_of_each_problem():
    solutions, scores = make_tables([[0, 1], [0, -1], [1, 1]], np.ones((3, 2)) > 2, np.full((3, 2), 0.5))
    assert scores is not None
    # p0 took 10 and 20 tokens, p1 30 and 40, p2 50 and 60; a token costs 2 FLOPs. Read: one more each.
    lengths = pl.Series([10, 20, 30, 40, 50, 60], dtype=pl.Int32)
    solutions = solutions.with_columns(n_tokens=lengths, flops=2.0 * lengths)
    scores = scores.with_columns(n_tokens_read=lengths + 1, flops=3.0 * (lengths + 1))
    scores = scores.with_columns(n_tokens_new=pl.Series([1, 1, 1, 1, 1, 7], dtype=pl.Int32), flops_new=6.0)
    curves, per_problem = evaluate(solutions, scores, ns=[1, 2], **NAMES)
    cost = {(r["strategy"], r["n"]): (r["tokens"], r["flops"]) for r in curves.to_dicts()}
    assert cost["majority", 1] == (35, 70) and cost["pass_at_n", 2] == (70, 140)
    assert cost["best_of_n", 1] == (35 + 36, 70 + 108) == cost["weighted_voting", 1]
    rows = per_problem.filter((pl.col("n") == 2) & (pl.col("strategy") == "weighted_voting"))
    assert rows["tokens"].to_list() == [30 + 32, 70 + 72, 110 + 112]
    assert rows["flops"].to_list() == [60 + 96, 140 + 216, 220 + 336]
    # Generated, and of the read ones those that are new.
    assert rows["tokens_new"].to_list() == [30 + 2, 70 + 2, 110 + 8]
    assert rows["flops_new"].to_list() == [60 + 12, 140 + 12, 220 + 12]
    plain = curves.filter(verifier="")
    assert plain["tokens_new"].equals(plain["tokens"]) and plain["flops_new"].equals(plain["flops"])
    scored = curves.filter(pl.col("verifier") != "")
    assert (scored["tokens_new"] <= scored["tokens"]).all()
    assert (scored["flops_new"] <= scored["flops"]).all()


def test_the_cached_price_of_scores_from_before_it_was_recorded_is_not_known():
    solutions, scores = make_tables([[0, 1], [0, -1]], np.ones((2, 2)) > 2, np.full((2, 2), 0.5))
    assert scores is not None
    known, _ = evaluate(solutions, scores, ns=[1, 2], **NAMES)
    old = scores.with_columns(n_tokens_new=pl.lit(None, pl.Int32), flops_new=pl.lit(None, pl.Float64))
    for found in evaluate(solutions, old, ns=[1, 2], **NAMES):
        scored = found.filter(pl.col("verifier") != "")
        assert scored["tokens_new"].is_null().all() and scored["flops_new"].is_null().all()
        assert found.filter(verifier="").select(COSTS).null_count().row(0) == (0,) * 4
        assert found["tokens"].null_count() == found["flops"].null_count() == 0
    again, _ = evaluate(solutions, old, ns=[1, 2], **NAMES)
    assert again.drop(COLUMNS["cached"]).equals(known.drop(COLUMNS["cached"]))


def test_rows_in_any_order_and_any_class_names_give_the_same():
    classes_PS, correct_PS, scores_PS = random_problems(10, 40, seed=4)
    solutions, scores = make_tables(classes_PS, correct_PS, scores_PS)
    assert scores is not None
    renamed = solutions.with_columns(answer_class=1000 - 7 * pl.col("answer_class"))
    first, _ = evaluate(solutions, scores, ns=[1, 8], **NAMES)
    second, _ = evaluate(
        renamed.sample(fraction=1, shuffle=True, seed=1),
        scores.sample(fraction=1, shuffle=True, seed=2),
        ns=[1, 8],
        **NAMES,
    )
    np.testing.assert_allclose(first["accuracy"], second["accuracy"], atol=1e-12)


def test_without_scores_only_what_needs_none():
    solutions, _ = make_tables(*random_problems(5, 4, seed=0)[:2])
    curves, _ = evaluate(solutions, None, ns=[2], dataset="test", reasoner="grpo", verifier="")
    assert curves["strategy"].to_list() == ["majority", "pass_at_n"]
    with pytest.raises(DataError, match="'best_of_n' needs scores"):
        evaluate(solutions, None, ns=[2], strategies=["best_of_n"], **NAMES)
    with pytest.raises(DataError, match="unknown strategy 'vote'"):
        evaluate(solutions, None, ns=[2], strategies=["vote"], **NAMES)


def test_budgets_are_evaluated_apart():
    right = make_tables([[0, 0]], [[True, True]], [[0.5, 0.5]], budget=32)
    wrong = make_tables([[0, 0]], [[False, False]], [[0.5, 0.5]], budget=16)
    curves, _ = evaluate(pl.concat([right[0], wrong[0]]), pl.concat([right[1], wrong[1]]), ns=[2], **NAMES)
    assert dict(curves.group_by("budget").agg(pl.col("accuracy").mean()).iter_rows()) == {16: 0.0, 32: 1.0}


class TestRefusals:
    """Every message names the first offending row."""

    def refuse(self, solutions, scores, match, ns=(1,)):
        with pytest.raises(DataError, match=match):
            evaluate(solutions, scores, ns=list(ns), **NAMES)

    @pytest.fixture
    def pair(self):
        return make_tables(*random_problems(3, 4, seed=0))

    def test_a_solution_without_score(self, pair):
        self.refuse(
            pair[0], pair[1][:5].vstack(pair[1][6:]), "'p1', sample 1, budget 64 has a solution but no score"
        )

    def test_a_score_without_solution(self, pair):
        self.refuse(pair[0][:11], pair[1], "'p2', sample 3, budget 64 has a score but no solution")

    def test_a_row_twice(self, pair):
        self.refuse(pair[0].vstack(pair[0][2:3]), pair[1], "'p0', sample 2, .* twice in the solutions")
        self.refuse(pair[0].vstack(pair[0][2:3]), None, "'p0', sample 2, .* twice in the solutions")
        self.refuse(pair[0], pair[1].vstack(pair[1][2:3]), "'p0', sample 2, .* twice in the scores")

    @pytest.mark.parametrize("score", [float("nan"), None, 1.5, -0.1])
    def test_a_score_that_is_none(self, pair, score):
        bad = pair[1].with_columns(
            score=pl.when(pl.col("problem_id") == "p1").then(pl.lit(score, pl.Float64)).otherwise("score")
        )
        self.refuse(pair[0], bad, r"'p1', sample 0, .* outside \[0, 1\]")

    def test_an_n_beyond_the_samples(self, pair):
        self.refuse(*pair, "N = 8 with 4 solutions", ns=[1, 8])

    def test_unequal_numbers_of_solutions(self, pair):
        self.refuse(pair[0][:11], pair[1][:11], "'p2' has 3 solutions at budget 64")

    def test_a_correct_solution_without_class(self):
        self.refuse(*make_tables([[0, -1]], [[True, True]]), "'p0', sample 1, .* no answer class")

    def test_no_solutions(self, pair):
        self.refuse(pair[0][:0], None, "no solutions")
