"""Closed forms, brute force and invariants of the advantages."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rlv.training.advantages import ADVANTAGES, grpo, leave_one_out, vineppo

VALUE_FREE = {name: method.compute for name, method in ADVANTAGES.items() if not method.needs}
groups = arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(2, 8)), elements=st.sampled_from([0.0, 1.0])
)


@st.composite
def valued_groups(draw) -> tuple[np.ndarray, np.ndarray]:
    """Rewards and values; solutions of a group differ in their numbers of steps, one at least."""
    rewards_PG = draw(groups)
    n_steps = draw(st.integers(1, 5))
    values = arrays(np.float64, (*rewards_PG.shape, n_steps), elements=st.sampled_from([0, 0.25, 0.5, 1]))
    values_PGK = draw(values)
    steps_PG = draw(arrays(np.int64, rewards_PG.shape, elements=st.integers(1, n_steps)))
    return rewards_PG, np.where(np.arange(n_steps) < steps_PG[:, :, None], values_PGK, np.nan)


def test_one_right_of_four():
    rewards_PG = np.array([[1.0, 0.0, 0.0, 0.0]])
    # mean 1/4, population std sqrt(3)/4
    expected = [[3**0.5, -(3**-0.5), -(3**-0.5), -(3**-0.5)]]
    np.testing.assert_allclose(grpo(rewards_PG)[:, :, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(leave_one_out(rewards_PG)[:, :, 0], [[1, -1 / 3, -1 / 3, -1 / 3]], rtol=1e-12)


def test_two_solutions_split():
    np.testing.assert_allclose(grpo(np.array([[1.0, 0.0]])), [[[1], [-1]]], rtol=1e-5)
    np.testing.assert_allclose(leave_one_out(np.array([[1.0, 0.0]])), [[[1], [-1]]])


@pytest.mark.parametrize("name", VALUE_FREE)
@pytest.mark.parametrize("reward", [0.0, 1.0, 0.1])  # 0.1: its mean over three is not 0.1
def test_equal_rewards_teach_nothing(name, reward):
    assert (ADVANTAGES[name].compute(np.full((2, 3), reward), None) == 0).all()


@given(groups)
def test_value_free_advantages_sum_to_zero_and_follow_the_reward(rewards_PG):
    for advantage in VALUE_FREE.values():
        advantages_PGK = advantage(rewards_PG, None)
        assert advantages_PGK.shape == (*rewards_PG.shape, 1)
        np.testing.assert_allclose(advantages_PGK.sum(axis=1), 0, atol=1e-9)
        assert ((advantages_PGK[:, :, 0] > 0) <= (rewards_PG == 1)).all()


@given(valued_groups())
def test_problems_do_not_meet(valued):
    rewards_PG, values_PGK = valued
    for advantage in (method.compute for method in ADVANTAGES.values()):
        alone = [advantage(rewards_PG[[p]], values_PGK[[p]]) for p in range(len(rewards_PG))]
        np.testing.assert_array_equal(advantage(rewards_PG, values_PGK), np.concatenate(alone))


def test_steps_of_one_group():
    nan = np.nan
    rewards_PG = np.array([[1.0, 0.0]])
    values_PGK = np.array([[[0.5, 0.25, 0.75], [0.5, nan, nan]]])
    # A right solution whose first step lost ground; a wrong one of a single step.
    np.testing.assert_array_equal(vineppo(rewards_PG, values_PGK), [[[-0.25, 0.5, 0.25], [-0.5, nan, nan]]])


@given(valued_groups())
def test_value_differences_by_brute_force(valued):
    rewards_PG, values_PGK = valued
    found_PGK = vineppo(rewards_PG, values_PGK)
    assert found_PGK.shape == values_PGK.shape
    for p, rewards in enumerate(rewards_PG.tolist()):
        for g, reward in enumerate(rewards):
            values = [v for v in values_PGK[p, g].tolist() if v == v]
            states = [*values, reward]  # what the end of a solution is worth is known
            expected = [after - before for before, after in pairwise(states)]
            assert found_PGK[p, g, : len(values)].tolist() == expected
            assert np.isnan(found_PGK[p, g, len(values) :]).all()


@given(valued_groups())
def test_the_steps_of_a_solution_add_up(valued):
    rewards_PG, values_PGK = valued
    total_PG = np.nansum(vineppo(rewards_PG, values_PGK), axis=2)
    np.testing.assert_allclose(total_PG, rewards_PG - values_PGK[:, :, 0], atol=1e-12)


def test_values_cannot_be_left_out():
    with pytest.raises(ValueError, match="vineppo: no values"):
        vineppo(np.zeros((1, 2)), None)
