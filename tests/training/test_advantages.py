"""Closed forms and invariants of the value-free advantages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rlv.training.advantages import ADVANTAGES, grpo, leave_one_out

groups = arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(2, 8)), elements=st.sampled_from([0.0, 1.0])
)


def test_one_right_of_four():
    rewards_PG = np.array([[1.0, 0.0, 0.0, 0.0]])
    # mean 1/4, population std sqrt(3)/4
    np.testing.assert_allclose(grpo(rewards_PG), [[3**0.5, -(3**-0.5), -(3**-0.5), -(3**-0.5)]], rtol=1e-5)
    np.testing.assert_allclose(leave_one_out(rewards_PG), [[1, -1 / 3, -1 / 3, -1 / 3]], rtol=1e-12)


def test_two_solutions_split():
    np.testing.assert_allclose(grpo(np.array([[1.0, 0.0]])), [[1, -1]], rtol=1e-5)
    np.testing.assert_allclose(leave_one_out(np.array([[1.0, 0.0]])), [[1, -1]])


@pytest.mark.parametrize("name", ADVANTAGES)
@pytest.mark.parametrize("reward", [0.0, 1.0, 0.1])  # 0.1: its mean over three is not 0.1
def test_equal_rewards_teach_nothing(name, reward):
    assert (ADVANTAGES[name](np.full((2, 3), reward)) == 0).all()


@given(groups)
def test_sum_to_zero_and_follow_the_reward(rewards_PG):
    for advantage in ADVANTAGES.values():
        advantages_PG = advantage(rewards_PG)
        np.testing.assert_allclose(advantages_PG.sum(axis=1), 0, atol=1e-9)
        assert ((advantages_PG > 0) <= (rewards_PG == 1)).all()


@given(groups)
def test_problems_do_not_meet(rewards_PG):
    for advantage in ADVANTAGES.values():
        alone_PG = np.concatenate([advantage(rewards_PG[p : p + 1]) for p in range(len(rewards_PG))])
        np.testing.assert_array_equal(advantage(rewards_PG), alone_PG)
