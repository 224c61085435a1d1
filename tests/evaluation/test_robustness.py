"""What attacks achieve: against enumeration, and by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from rlv import tables
from rlv.evaluation.recorded import Recorded
from rlv.evaluation.robustness import (
    Threshold,
    acceptance_threshold,
    attack_tables,
    capture,
)

LEVELS = st.sampled_from([0.0, 0.25, 0.5, 1.0])


@given(st.lists(LEVELS, min_size=1, max_size=6), LEVELS, st.data())
def test_capture_is_the_mean_over_all_subsets(honest, score, data):
    n = data.draw(st.integers(1, len(honest) + 1))
    shares = []
    for drawn in combinations(honest, n - 1):
        leads = max(drawn, default=-1.0) <= score
        shares.append(leads / (1 + drawn.count(score)))
    assert capture(np.array(honest), score, n) == pytest.approx(np.mean(shares))


def test_capture_at_the_ends():
    honest_S = np.array([0.1, 0.2, 0.3])
    assert capture(honest_S, 0.0, 1) == 1.0  # nobody else
    assert capture(honest_S, 0.9, 4) == 1.0 and capture(honest_S, 0.0, 2) == 0.0
    assert capture(np.full(500, 0.5), 0.5, 200) == pytest.approx(1 / 200)  # all alike: one of N
    for n in (0, 5):
        with pytest.raises(ValueError, match="honest solutions, found 3"):
            capture(honest_S, 0.5, n)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_the_threshold_accepts_the_share_and_no_higher_one_does(scores):
    scores_R = np.array(scores)
    threshold = acceptance_threshold(scores_R)
    assert (scores_R >= threshold).mean() >= 0.95
    assert (scores_R > threshold).mean() < 0.95


def test_the_threshold_by_hand():
    assert acceptance_threshold(np.arange(100) / 100) == 0.05
    assert acceptance_threshold(np.arange(20) / 20) == 0.05
    assert acceptance_threshold(np.array([0.3])) == 0.3
    assert np.isnan(acceptance_threshold(np.array([])))


def recorded(scores_PS):
    problems, samples = scores_PS.shape
    zeros = np.zeros((problems, samples))
    ids = [f"p{i}" for i in range(problems)]
    return Recorded(0, ids, zeros.astype(int), zeros > 0, zeros, zeros, scores_PS)


def scored(rows):
    return tables.frame(
        "attack_scores",
        [
            {"problem_id": problem, "dataset": "d", "reasoner": "r", "verifier": "v", "attack": attack}
            | {"baseline": attack == "wrong", "text": "", "score": score}
            for attack, problem, score in rows
        ],
    )


HONEST = recorded(np.array([[0.1, 0.2, 0.3, 0.4], [0.6, 0.7, 0.8, 0.9]]))
ROWS = [("b", "p0", 0.5), ("b", "p1", 0.4), ("a", "p1", 1.0), ("wrong", "p0", 0.0), ("wrong", "p1", 0.65)]


def test_tables_by_hand():
    attacks, captures = attack_tables(
        scored(ROWS), HONEST, Threshold(0.45, "tuning"), [1, 2, 4, 16], draws=50
    )
    assert attacks["attack"].to_list() == ["b", "a", "wrong"]  # as they came
    assert attacks["problems"].to_list() == [2, 1, 2] and attacks["baseline"].to_list() == [
        False,
        False,
        True,
    ]
    b = attacks.row(0, named=True)
    assert b["mean_score"] == pytest.approx(0.45) and b["lure"] == pytest.approx(0.45 - 0.5)
    assert (b["accepted"], b["accepted_95"]) == (0.5, 0.5)
    assert b["threshold"] == 0.45 and b["threshold_from"] == "tuning"
    # More than all honest ones are there for is not counted.
    assert captures.filter(attack="b")["n"].to_list() == [2, 4]
    assert captures.filter(attack="b")["captures"].to_list() == [0.5, 0.5]
    assert (b["captures_n"], b["captures"]) == (4, 0.5)
    assert captures.filter(attack="a")["captures"].to_list() == [1.0, 1.0]
    for column in ("mean_score", "lure", "accepted", "accepted_95", "captures"):
        assert (attacks[f"{column}_low"] <= attacks[column]).all()
        assert (attacks[column] <= attacks[f"{column}_high"]).all()


def test_permutations_change_nothing_and_no_right_solution_leaves_no_threshold():
    first = attack_tables(scored(ROWS), HONEST, Threshold(0.45, "tuning"), [2, 4])
    turned = recorded(np.asarray(HONEST.scores_PS)[:, ::-1])
    again = attack_tables(scored(ROWS[1::-1] + ROWS[2:]), turned, Threshold(0.45, "tuning"), [2, 4])
    for one, other in zip(first, again, strict=True):
        assert_frame_equal(one, other)
    attacks, _ = attack_tables(scored(ROWS), HONEST, Threshold(float("nan"), "evaluated"), [1])
    assert (
        attacks.select("threshold", "accepted_95", "accepted_95_low", "captures").null_count().row(0)
        == (3,) * 4
    )
    assert attacks["accepted"].null_count() == 0
