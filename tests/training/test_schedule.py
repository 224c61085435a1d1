"""The learning rate of every update: closed forms, and what a killed run and a recorded one make of it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlv.study.types import Training
from rlv.study.types.training import Schedule
from rlv.training.schedule import DECAYS, rate_factor, warmup_updates


def factors(n_updates: int, **settings) -> list[float]:
    factor = rate_factor(Training(**settings), n_updates)
    return [factor(n) for n in range(n_updates)]


def test_studies_can_name_every_schedule():
    assert set(get_args(Schedule)) == set(DECAYS)


def test_constant_is_the_warm_up_and_then_the_peak():
    assert factors(6, warmup_steps=4) == [1 / 4, 2 / 4, 3 / 4, 1, 1, 1]
    assert factors(3, warmup_steps=0) == [1, 1, 1]
    assert factors(3, warmup_steps=6) == [1 / 6, 2 / 6, 3 / 6]  # the run ends within its warm-up


def test_linear_falls_from_the_end_of_the_warm_up_to_zero_after_the_run():
    found = factors(7, schedule="linear", warmup_steps=3)
    assert found == pytest.approx([1 / 3, 2 / 3, 1, 4 / 5, 3 / 5, 2 / 5, 1 / 5])
    assert rate_factor(Training(schedule="linear", warmup_steps=3), 7)(7) == 0


def test_cosine_is_half_a_wave():
    found = factors(7, schedule="cosine", warmup_steps=3)
    half = [(1 + math.cos(math.pi * k / 5)) / 2 for k in range(5)]
    assert found == pytest.approx([1 / 3, 2 / 3, *half])


def test_a_share_of_all_updates_is_warmed_up():
    config = Training(warmup_share=0.03, warmup_steps=5)
    assert warmup_updates(config, 16_000) == 480 and warmup_updates(config, 10) == 0
    assert factors(100, warmup_share=0.1) == factors(100, warmup_steps=10)
    assert warmup_updates(Training(warmup_steps=5), 16_000) == 5


@given(st.sampled_from(sorted(DECAYS)), st.integers(1, 60), st.integers(0, 80))
def test_the_rate_rises_to_its_peak_and_never_rises_again(schedule, n_updates, warmup):
    found = factors(n_updates, schedule=schedule, warmup_steps=warmup)
    peak = min(max(1, warmup), n_updates)
    assert all(a < b for a, b in pairwise(found[:peak])) or warmup > n_updates
    assert all(a >= b for a, b in pairwise(found[peak - 1 :]))
    assert all(0 < f <= 1 for f in found)
    if warmup <= n_updates:
        assert found[peak - 1] == 1
