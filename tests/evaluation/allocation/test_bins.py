"""Bins of difficulty, and what telling it costs."""

from __future__ import annotations

import numpy as np
import pytest

from rlv.evaluation.allocation.bins import NONE, bins_of, told_bins
from rlv.evaluation.recorded import recorded
from tests.evaluation.tables_for_tests import make_tables


def scored(seed=0, problems=6, size=8):
    rng = np.random.default_rng(seed)
    correct_PS = rng.random((problems, size)) < np.linspace(0.1, 0.9, problems)[:, None]
    tables = make_tables(np.where(correct_PS, 0, 1), correct_PS, rng.random((problems, size)))
    return recorded(*tables, where="test")[0], correct_PS


def test_bins_are_of_equal_size_from_the_easiest_on():
    hardness_Q = np.random.default_rng(0).permutation(100) / 100
    bins_Q = bins_of(hardness_Q, 5)
    assert np.bincount(bins_Q).tolist() == [20] * 5
    assert all(hardness_Q[bins_Q == b].max() < hardness_Q[bins_Q == b + 1].min() for b in range(4))


def test_equal_problems_share_a_bin_and_bins_are_numbered_without_gaps():
    bins_Q = bins_of(np.array([0.0] * 7 + [0.5, 0.6, 0.7]), 3)
    assert bins_Q[:7].tolist() == [0] * 7
    assert sorted(set(bins_Q.tolist())) == list(range(bins_Q.max() + 1))
    assert bins_of(np.array([3.0, 1.0, 3.0]), 5).tolist() == [1, 0, 1]
    assert bins_of(np.zeros(4), 5).tolist() == [0] * 4


def test_difficulty_is_told_from_the_other_half_of_the_solutions():
    data, correct_PS = scored()
    told = told_bins(data, np.full(6, np.nan), ["oracle", "predicted", "level"], 3, 2)
    assert list(told) == [NONE, "oracle", "predicted"]  # no levels
    wrong = 1 - np.concatenate([correct_PS[:, 4:].mean(axis=1), correct_PS[:, :4].mean(axis=1)])
    np.testing.assert_allclose(told["oracle"].hardness_Q, wrong)
    scores = data.scores_PS
    assert scores is not None
    predicted = 1 - np.concatenate([scores[:, 4:6].mean(axis=1), scores[:, :2].mean(axis=1)])
    np.testing.assert_allclose(told["predicted"].hardness_Q, predicted)


def test_probes_are_charged_and_labels_are_not():
    data, _ = scored()
    told = told_bins(data, np.arange(6.0), ["oracle", "predicted", "level"], 5, 2)
    assert told["oracle"].charged("whole") == told["level"].charged("whole") == {}
    charged = told["predicted"].charged("whole")
    assert charged["solutions"].tolist() == [2.0] * 12
    assert charged["tokens"] == pytest.approx(2 * (10 + 12))  # generated and read, as make_tables has them
    assert charged["flops"] == pytest.approx(2 * (20 + 36))


def test_levels_are_bins_themselves():
    data, _ = scored()
    told = told_bins(data, np.array([1, 1, 2, 5, 5, 5.0]), ["level"], 5, 2)
    assert told["level"].bins_Q.tolist() == [0, 0, 1, 2, 2, 2] * 2


def test_without_scores_nothing_is_predicted():
    correct_PS = np.ones((3, 4), dtype=bool)
    data = recorded(*make_tables(np.zeros((3, 4), dtype=int), correct_PS), where="test")[0]
    assert list(told_bins(data, np.full(3, np.nan), ["predicted"], 2, 2)) == [NONE]


def test_a_level_that_all_problems_have_tells_nothing():
    data, _ = scored()
    assert list(told_bins(data, np.ones(6), ["level"], 5, 2)) == [NONE]
