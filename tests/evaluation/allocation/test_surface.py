"""Solve or verify: surfaces of S solutions and V verdicts, by brute force and at their ends."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.allocation.surface import (
    accuracy_surface,
    block_scores,
    divisors,
    exponents,
    surface,
)
from rlv.evaluation.curves import expected
from rlv.evaluation.recorded import recorded
from rlv.evaluation.votes import VOTES
from tests.evaluation.allocation.test_allocate import SETTINGS, cached, simulated
from tests.evaluation.tables_for_tests import make_tables

P, S, K = 5, 6, 4


def world(seed=0):
    rng = np.random.default_rng(seed)
    correct_PS = rng.random((P, S)) < 0.5
    solutions, scores = make_tables(
        np.where(correct_PS, 0, rng.integers(1, 3, (P, S))), correct_PS, rng.random((P, S))
    )
    verdicts_PSK = rng.random((P, S, K))
    verdicts_PSK[rng.random((P, S, K)) < 0.2] = np.nan
    return recorded(solutions, scores, where="test")[0], verdicts_PSK


def long(verdicts_PSK, written=7, read=20) -> pl.DataFrame:
    """The table of verdicts."""
    problems, samples, draws = verdicts_PSK.shape
    keys = [(f"p{p}", s, 64, d) for p in range(problems) for s in range(samples) for d in range(draws)]
    said = [None if np.isnan(v) else v for v in verdicts_PSK.ravel().tolist()]
    cost = {"n_tokens": written, "flops": 2.0 * written, "n_tokens_read": read, "flops_read": 2.0 * read}
    cost |= {"n_tokens_new": 1, "flops_new": 2.0}
    names = ("problem_id", "sample_id", "budget", "draw")
    rows = [
        dict(zip(names, key, strict=True)) | {"verdict": v} | cost for key, v in zip(keys, said, strict=True)
    ]
    return tables.frame("verdicts", rows)


def test_a_block_skips_missing_verdicts_and_none_at_all_is_a_half():
    nan = np.nan
    verdicts_PSK = np.array([[[0.2, nan, nan, nan]], [[0.2, 0.4, 1.0, nan]]])
    assert block_scores(verdicts_PSK, 2)[:, 0].tolist() == [[0.2, 0.5], [pytest.approx(0.3), 1.0]]
    assert block_scores(verdicts_PSK, 1)[0, 0].tolist() == [0.2, 0.5, 0.5, 0.5]
    with pytest.raises(ValueError, match="divisor"):
        block_scores(verdicts_PSK, 3)


@pytest.mark.parametrize("strategy", ["weighted_voting", "best_of_n"])
def test_the_surface_is_the_mean_over_all_subsets_and_all_blocks(strategy):
    data, verdicts_PSK = world()
    kept = verdicts_PSK.copy()
    found_PNV = accuracy_surface(data, verdicts_PSK, strategy, (1, 2, 3), subsets=256, seed=0)
    np.testing.assert_array_equal(verdicts_PSK, kept)
    vs = divisors(K)
    assert vs == [1, 2, 4] and found_PNV.shape == (P, 3, 3)
    for i, n in enumerate((1, 2, 3)):
        for j, v in enumerate(vs):
            credits = []
            for b in range(K // v):
                block = verdicts_PSK[:, :, b * v : (b + 1) * v]
                empty = np.isnan(block).all(axis=2)
                scores_PS = np.where(empty, 0.5, np.nanmean(np.where(empty[..., None], 0.5, block), axis=2))
                for chosen in map(list, combinations(range(S), n)):
                    votes = (data.classes_PS[:, chosen], data.correct_PS[:, chosen], scores_PS[:, chosen])
                    credits.append(VOTES[strategy].count(*votes))
            np.testing.assert_allclose(found_PNV[:, i, j], np.mean(credits, axis=0))


def test_equal_verdicts_make_every_number_of_them_the_same():
    data, verdicts_PSK = world()
    same_PSK = np.repeat(np.nan_to_num(verdicts_PSK[:, :, :1], nan=0.3), K, axis=2)
    found_PNV = accuracy_surface(data, same_PSK, "weighted_voting", (2, 4), subsets=64, seed=0)
    np.testing.assert_allclose(found_PNV, found_PNV[:, :, :1].repeat(3, axis=2))
    once = expected(replace(data, scores_PS=same_PSK[:, :, 0]), "weighted_voting", 2, subsets=64, seed=0)
    np.testing.assert_allclose(found_PNV[:, 0, 0], once)


def test_a_solution_is_generated_and_read_once_and_every_verdict_is_written():
    data, verdicts_PSK = world()
    found = surface(data, long(verdicts_PSK), "best_of_n", (1, 3), subsets=16, seed=0)
    assert (found.ns, found.vs) == ((1, 3), (1, 2, 4))
    for i, n in enumerate(found.ns):
        for j, v in enumerate(found.vs):
            assert found.tokens_PNV[:, i, j] == pytest.approx(n * (10 + 20 + v * 7))
            assert found.flops_PNV[:, i, j] == pytest.approx(2 * n * (10 + 20 + v * 7))


def test_the_order_of_rows_means_nothing_and_unequal_numbers_are_refused():
    data, verdicts_PSK = world()
    table = long(verdicts_PSK)
    found = surface(data, table, "best_of_n", (2,), subsets=16, seed=0)
    mixed = surface(
        data, table.sample(fraction=1.0, shuffle=True, seed=1), "best_of_n", (2,), subsets=16, seed=0
    )
    np.testing.assert_array_equal(found.accuracy_PNV, mixed.accuracy_PNV)
    with pytest.raises(DataError, match="every solution needs as many"):
        surface(data, table.slice(1), "best_of_n", (2,), subsets=16, seed=0)


def test_exponents_are_those_of_a_world_that_has_them():
    """If only solutions help, all compute goes to them, and if only verdicts help, to these."""
    ns, vs = (1, 2, 4, 8, 16, 32), (1, 2, 4, 8, 16, 32)
    cost_1NV = np.multiply.outer(ns, vs)[None].astype(float)
    rising = np.log(ns)[:, None] * np.ones(6)
    slopes = exponents(np.stack([rising, rising.T]), cost_1NV.repeat(2, axis=0), ns, vs)
    assert slopes[0, 0] > 0.5 and slopes[0, 1] == pytest.approx(0)
    np.testing.assert_allclose(slopes[1], slopes[0, ::-1])


def test_an_allocation_with_verdicts_leaves_their_surface():
    from rlv.evaluation.allocation.allocate import allocate

    solutions, scores = simulated()
    said = np.random.default_rng(0).random((30, 16, 2))
    left = allocate(
        solutions,
        {"chain": cached(scores)},
        {},
        SETTINGS,
        dataset="test",
        reasoner="rl",
        verdicts={"chain": long(said)},
    )
    rows = tables.check(left["surface"], "surface", "surface")
    assert rows.height == 2 * 4 * 2 and rows["v"].unique().sort().to_list() == [1, 2]
    assert left["savings"].filter(what="solve_faster")["strategy"].to_list() == [
        "best_of_n",
        "weighted_voting",
    ]
