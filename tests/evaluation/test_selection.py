"""Length selection against its definition, written out for every subset and solution."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.curves import evaluate
from rlv.evaluation.selection import select
from tests.evaluation.tables_for_tests import make_tables
from tests.evaluation.test_votes import plain_confidence, plain_vote

NAMES = {"dataset": "test", "reasoner": "grpo_v", "verifier": "unified"}
BUDGETS = (8, 16, 32)
THRESHOLDS = (0.0, 0.3, 0.5, 0.7, 1.0)


def at_budgets(problems: int, size: int, seed: int, budgets=BUDGETS):
    """Solutions that end by themselves or are cut and made to answer, with few-valued scores."""
    rng = np.random.default_rng(seed)
    own_length = rng.integers(3, 2 * budgets[-1], (problems, size))
    solutions, scores = [], []
    for budget in budgets:
        classes = rng.integers(-1, 3, (problems, size))
        forced = own_length > budget
        lengths = np.where(forced, budget + 2 + rng.integers(0, 3, (problems, size)), own_length)
        score = rng.integers(0, 5, (problems, size)) / 5
        made = make_tables(classes, classes == 0, score, budget=budget)
        count = pl.Series(lengths.ravel(), dtype=pl.Int32)
        solutions.append(
            made[0].with_columns(
                n_tokens=count,
                flops=count * 10.0 + count**2,
                finish_reason=pl.Series(np.where(forced.ravel(), "forced", "stop")),
            )
        )
        scores.append(made[1].with_columns(n_tokens_read=count + 3, flops=count * 7.0))
    return pl.concat(solutions), pl.concat(scores)


def plain_selection(solutions: pl.DataFrame, scores: pl.DataFrame, n: int, threshold: float, problem: str):
    """One problem, from the tables' rows: every subset of sample ids, one budget after another."""
    rows = solutions.join(scores, on=["problem_id", "sample_id", "budget"], suffix="_read")
    by_key = {
        (row["budget"], row["sample_id"]): row
        for row in rows.filter(pl.col("problem_id") == problem).iter_rows(named=True)
    }
    budgets = sorted({budget for budget, _ in by_key})
    samples = sorted({sample for _, sample in by_key})
    totals = np.zeros(5)
    subsets = list(combinations(samples, n))
    for subset in subsets:
        tokens = flops = 0.0
        for budget in budgets:
            here = [by_key[budget, sample] for sample in subset]
            classes = [-1 if row["answer_class"] is None else row["answer_class"] for row in here]
            marks = [row["score"] for row in here]
            tokens += sum(row["n_tokens_read"] for row in here)
            flops += sum(row["flops_read"] for row in here)
            passed = plain_confidence(classes, marks) >= threshold - 1e-12
            if passed or budget == budgets[-1]:
                tokens += sum(row["n_tokens"] for row in here)
                flops += sum(row["flops"] for row in here)
                credit = plain_vote("weighted_voting", classes, [row["correct"] for row in here], marks)
                length = sum(row["n_tokens"] for row in here) / n
                totals += [credit, length, tokens, flops, passed]
                break
            for row in here:
                # Thrown away before going on: all that came after the cut.
                extra = row["n_tokens"] - budget if row["finish_reason"] == "forced" else 0
                tokens += extra
                flops += row["flops"] * extra / row["n_tokens"]
    return totals / len(subsets)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_enumeration(seed):
    solutions, scores = at_budgets(4, 5, seed)
    ns = [1, 2, 3, 5]
    table, by_problem = select(solutions, scores, ns=ns, thresholds=THRESHOLDS, **NAMES)
    tables.check(table, "selection", "test")
    tables.check(by_problem, "selection_per_problem", "test")
    columns = ["accuracy", "length", "tokens", "flops", "confident"]
    found = {
        (r["n"], r["threshold"], r["problem_id"]): [r[c] for c in columns]
        for r in by_problem.iter_rows(named=True)
    }
    assert len(found) == len(ns) * len(THRESHOLDS) * 4 == by_problem.height
    for (n, threshold, problem), values in found.items():
        wanted = plain_selection(solutions, scores, n, threshold, problem)
        np.testing.assert_allclose(values, wanted, rtol=1e-9, atol=1e-12)
    means = by_problem.group_by("n", "threshold").agg(pl.col(columns).mean())
    both = table.join(means, on=["n", "threshold"], suffix="_mean", validate="1:1")
    for column in columns:
        np.testing.assert_allclose(both[column], both[f"{column}_mean"])
    assert ((table["low"] <= table["accuracy"]) & (table["accuracy"] <= table["high"])).all()
    assert ((table["length_low"] <= table["length"]) & (table["length"] <= table["length_high"])).all()


def test_the_ends_of_the_thresholds_are_the_first_and_the_last_budget():
    solutions, scores = at_budgets(30, 24, seed=1)
    scores = scores.with_columns(score=0.9 * pl.col("score"))
    ns = [1, 4, 24]
    table, _ = select(solutions, scores, ns=ns, thresholds=[0.0, 1.0], **NAMES)
    curves, _ = evaluate(solutions, scores, ns=ns, strategies=["weighted_voting", "majority"], **NAMES)
    for threshold, budget in ((0.0, BUDGETS[0]), (1.0, BUDGETS[-1])):
        chosen = table.filter(pl.col("threshold") == threshold)
        fixed = curves.filter((pl.col("budget") == budget) & (pl.col("strategy") == "weighted_voting"))
        generated = curves.filter((pl.col("budget") == budget) & (pl.col("strategy") == "majority"))
        # The same subsets of solutions: the same numbers, not only close ones. Lengths are a mean over these
        # subsets here and over all solutions there.
        np.testing.assert_allclose(chosen["accuracy"], fixed["accuracy"], atol=1e-12)
        np.testing.assert_allclose(chosen["low"], fixed["low"], atol=1e-12)
        np.testing.assert_allclose(chosen["length"], generated["tokens"] / generated["n"], rtol=0.01)
        assert (chosen["confident"] == 1.0 - threshold).all()
    first = curves.filter((pl.col("budget") == BUDGETS[0]) & (pl.col("strategy") == "weighted_voting"))
    np.testing.assert_allclose(table.filter(pl.col("threshold") == 0)["tokens"], first["tokens"], rtol=0.01)


def test_a_higher_threshold_never_stops_earlier_nor_spends_less():
    _, by_problem = select(*at_budgets(20, 16, seed=2), ns=[4], thresholds=np.linspace(0, 1, 21), **NAMES)
    spent = (
        by_problem.pivot(on="threshold", index="problem_id", values="tokens").drop("problem_id").to_numpy()
    )
    assert (np.diff(spent, axis=1) >= -1e-9).all()
    sure = (
        by_problem.pivot(on="threshold", index="problem_id", values="confident").drop("problem_id").to_numpy()
    )
    assert (np.diff(sure, axis=1) <= 1e-12).all()


def test_a_mean_of_equal_scores_passes_their_own_threshold():
    one = make_tables([[0, 0, 0]], [[True] * 3], [[0.7] * 3], budget=8)
    two = make_tables([[0, 0, 0]], [[False] * 3], [[0.7] * 3], budget=16)
    both = [pl.concat(pair) for pair in zip(one, two, strict=True)]
    table, _ = select(*both, ns=[3], thresholds=[0.7, 0.71], **NAMES)
    assert table["accuracy"].to_list() == [1.0, 0.0] and table["confident"].to_list() == [1.0, 0.0]


class TestRefusals:
    """Every message says what was found."""

    def refuse(self, solutions, scores, match, thresholds=(0.5,), ns=(1,)):
        with pytest.raises(DataError, match=match):
            select(solutions, scores, ns=list(ns), thresholds=list(thresholds), **NAMES)

    def test_thresholds(self):
        made = at_budgets(2, 3, seed=0)
        self.refuse(*made, r"thresholds \[0.5, 0.2\]", thresholds=[0.5, 0.2])
        self.refuse(*made, "ascend within", thresholds=[0.5, 1.2])

    def test_one_budget(self):
        self.refuse(*make_tables([[0]], [[True]], [[0.5]], budget=8), r"budgets \[8\].* two or more")

    def test_an_n_beyond_the_samples(self):
        self.refuse(*at_budgets(2, 3, seed=0), "N = 4 with 3 solutions", ns=[4])

    def test_other_problems_at_another_budget(self):
        solutions, scores = at_budgets(3, 3, seed=0)
        rest = ~((pl.col("problem_id") == "p2") & (pl.col("budget") == 16))
        self.refuse(solutions.filter(rest), scores.filter(rest), "'p2' is there at only one of .* 8 and 16")

    def test_other_samples_at_another_budget(self):
        moved = pl.when(pl.col("budget") == 16).then(pl.col("sample_id") + 1).otherwise("sample_id")
        made = [t.with_columns(moved.alias("sample_id")) for t in at_budgets(2, 3, seed=0)]
        self.refuse(*made, "sample ids differ between the budgets 8 and 16")
