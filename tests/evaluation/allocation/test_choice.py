"""Choices by price and bin: against brute force, at the ends of the prices, and on other problems."""

from __future__ import annotations

import numpy as np
import pytest

from rlv.evaluation.allocation.choice import crossfit, crossfitted, frontier, on_hull, price_grid

PRICES = np.array([np.inf, 1.0, 0.1, 0.02, 0.0])


def world(seed=0, problems=24, cells=5, bins=3):
    rng = np.random.default_rng(seed)
    accuracy_PK = rng.random((problems, cells))
    cost_PK = np.arange(1, cells + 1) * (1 + 0.1 * rng.random((problems, 1)))
    return accuracy_PK, cost_PK, rng.integers(0, bins, problems)


def test_one_bin_and_one_cell_are_that_cell():
    accuracy_PK, cost_PK, _ = world(cells=1)
    bins_P = np.zeros(24, dtype=int)
    assert (frontier(accuracy_PK, cost_PK, bins_P, PRICES) == 0).all()
    accuracy_L, cost_L = crossfit(accuracy_PK, cost_PK, bins_P, PRICES, np.arange(24) % 2)
    np.testing.assert_allclose(accuracy_L, accuracy_PK.mean())
    np.testing.assert_allclose(cost_L, cost_PK.mean())


def test_an_infinite_price_takes_the_cheapest_cell_and_no_price_the_most_accurate():
    accuracy_PK = np.tile([0.4, 0.9], (6, 1))
    cost_PK = np.tile([1.0, 8.0], (6, 1))
    choice_LB = frontier(accuracy_PK, cost_PK, np.zeros(6, dtype=int), np.array([np.inf, 0.0]))
    assert choice_LB.tolist() == [[0], [1]]


def test_of_equally_accurate_cells_the_cheaper_one_is_chosen_without_a_price():
    accuracy_PK = np.tile([0.5, 1 / 3 + 1 / 6, 0.5], (7, 1))
    cost_PK = np.tile([4.0, 2.0, 8.0], (7, 1))
    assert frontier(accuracy_PK, cost_PK, np.zeros(7, dtype=int), np.zeros(1)).tolist() == [[1]]


@pytest.mark.parametrize("seed", range(5))
def test_the_choice_of_each_bin_is_the_best_by_brute_force(seed):
    accuracy_PK, cost_PK, bins_P = world(seed)
    choice_LB = frontier(accuracy_PK, cost_PK, bins_P, PRICES)
    for price, choice_B in zip(PRICES[1:], choice_LB[1:], strict=True):
        for one, k in enumerate(choice_B):
            inside = bins_P == one
            worth_K = accuracy_PK[inside].mean(axis=0) - price * cost_PK[inside].mean(axis=0)
            assert k == int(np.argmax(worth_K))


@pytest.mark.parametrize("seed", range(5))
def test_crossfitting_judges_each_fold_by_what_the_others_choose(seed):
    accuracy_PK, cost_PK, bins_P = world(seed, problems=40)
    folds_P = np.random.default_rng(seed).permutation(40) % 4
    accuracy_L, cost_L = crossfit(accuracy_PK, cost_PK, bins_P, PRICES, folds_P)
    for at, price in enumerate(PRICES[1:], 1):
        got, paid = 0.0, 0.0
        for p in range(40):
            others = (folds_P != folds_P[p]) & (bins_P == bins_P[p])
            k = int(np.argmax(accuracy_PK[others].mean(0) - price * cost_PK[others].mean(0)))
            got, paid = got + accuracy_PK[p, k], paid + cost_PK[p, k]
        assert accuracy_L[at] == pytest.approx(got / 40)
        assert cost_L[at] == pytest.approx(paid / 40)


@pytest.mark.parametrize("seed", range(5))
def test_more_bins_never_lower_what_is_gained_on_the_problems_that_they_were_chosen_on(seed):
    accuracy_PK, cost_PK, bins_P = world(seed)
    finer_P = bins_P * 2 + np.arange(len(bins_P)) % 2
    alone = np.zeros(len(bins_P), dtype=int)
    gains = []
    for bins in (alone, bins_P, finer_P):
        accuracy_L, cost_L = crossfit(accuracy_PK, cost_PK, bins, PRICES[1:], alone)
        gains.append(accuracy_L - PRICES[1:] * cost_L)
    assert (gains[1] >= gains[0] - 1e-9).all()
    assert (gains[2] >= gains[1] - 1e-9).all()


def test_bins_that_know_nothing_gain_nothing_on_other_problems_in_the_mean():
    gains = []
    for seed in range(60):
        accuracy_PK, cost_PK, _ = world(seed, problems=40)
        rng = np.random.default_rng(100 + seed)
        folds_P = rng.permutation(40) % 2
        shuffled_P, alone = rng.integers(0, 4, 40), np.zeros(40, dtype=int)
        binned, _ = crossfit(accuracy_PK, cost_PK, shuffled_P, np.zeros(1), folds_P)
        single, _ = crossfit(accuracy_PK, cost_PK, alone, np.zeros(1), folds_P)
        gains.append(binned[0] - single[0])
    assert np.mean(gains) < 2 * np.std(gains) / np.sqrt(len(gains))


def test_a_bin_without_problems_in_the_other_folds_gets_what_all_bins_would():
    accuracy_PK = np.array([[0.0, 1.0]] * 4 + [[1.0, 0.0]])
    cost_PK = np.ones((5, 2))
    bins_P, folds_P = np.array([0, 0, 0, 0, 1]), np.array([0, 0, 1, 1, 1])
    accuracy_L, _ = crossfit(accuracy_PK, cost_PK, bins_P, np.zeros(1), folds_P)
    assert accuracy_L[0] == pytest.approx(4 / 5)


def test_resamples_choose_anew_as_if_their_problems_were_there_so_often():
    accuracy_PK, cost_PK, bins_P = world(3)
    folds_P = np.arange(24) % 2
    counts_P = np.random.default_rng(1).multinomial(24, np.full(24, 1 / 24)).astype(float)
    weights_DP = np.stack([np.ones(24), counts_P])
    means_VDL = crossfitted(np.stack([accuracy_PK, cost_PK]), bins_P, PRICES, folds_P, weights_DP)
    there = np.repeat(np.arange(24), counts_P.astype(int))
    repeated = crossfit(accuracy_PK[there], cost_PK[there], bins_P[there], PRICES, folds_P[there])
    np.testing.assert_allclose(means_VDL[:, 1], repeated)
    np.testing.assert_allclose(means_VDL[:, 0], crossfit(accuracy_PK, cost_PK, bins_P, PRICES, folds_P))


def test_the_order_of_problems_changes_nothing():
    accuracy_PK, cost_PK, bins_P = world(4)
    folds_P, order = np.arange(24) % 3, np.random.default_rng(2).permutation(24)
    same = crossfit(accuracy_PK[order], cost_PK[order], bins_P[order], PRICES, folds_P[order])
    np.testing.assert_allclose(same, crossfit(accuracy_PK, cost_PK, bins_P, PRICES, folds_P))


def test_prices_run_along_the_convex_hull():
    accuracy_K = np.array([0.3, 0.5, 0.52, 0.7, 0.69, 0.71])
    cost_K = np.array([1.0, 2.0, 3.0, 4.0, 8.0, 16.0])
    hull_K = on_hull(accuracy_K, cost_K)
    assert hull_K.tolist() == [True, True, False, True, False, True]
    prices_L = np.concatenate([[np.inf], np.geomspace(1, 1e-4, 400), [0.0]])
    choice_LB = frontier(accuracy_K[None], cost_K[None], np.zeros(1, dtype=int), prices_L)
    assert sorted(set(choice_LB[:, 0].tolist())) == np.flatnonzero(hull_K).tolist()


def test_the_grid_of_prices_reaches_both_ends():
    accuracy_PK, cost_PK, _ = world(5)
    prices_L = price_grid(accuracy_PK, cost_PK)
    assert (np.diff(prices_L) < 0).all() and np.isinf(prices_L[0]) and prices_L[-1] == 0
    choice_LB = frontier(accuracy_PK, cost_PK, np.zeros(24, dtype=int), prices_L)
    assert choice_LB[1, 0] == 0
    assert choice_LB[-2, 0] == accuracy_PK.mean(axis=0).argmax()
    assert price_grid(accuracy_PK, np.ones_like(cost_PK)).tolist() == [np.inf, 0.0]
