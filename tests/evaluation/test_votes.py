"""Votes against a reference that enumerates every way to break ties, and their invariants."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlv.evaluation.tallies import leaders
from rlv.evaluation.votes import VOTES, confident_voting


def plain_vote(strategy: str, classes: list[int], correct: list[bool], scores: list[float]) -> float:
    """One problem, one vote, written from the definition."""
    voting = [i for i, c in enumerate(classes) if c >= 0]
    if not voting:
        return 0.0
    if strategy == "pass_at_n":
        return float(any(correct[i] for i in voting))
    if strategy == "best_of_n":
        top = max(scores[i] for i in voting)
        tied = [i for i in voting if scores[i] == top]
        return sum(correct[i] for i in tied) / len(tied)
    weight = {c: 0.0 for c in classes if c >= 0}
    for i in voting:
        weight[classes[i]] += 1.0 if strategy == "majority" else scores[i]
    tied = [c for c, w in weight.items() if w >= max(weight.values()) - 1e-9]
    share = {c: np.mean([correct[i] for i in voting if classes[i] == c]) for c in tied}
    return float(sum(share.values()) / len(tied))


@st.composite
def recorded_votes(draw, consistent: bool = True):
    """(classes, correct, scores) of one problem; scores are few-valued, so that they tie."""
    size = draw(st.integers(1, 7))
    classes = draw(st.lists(st.integers(-1, 3), min_size=size, max_size=size))
    scores = draw(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.7, 1.0]), min_size=size, max_size=size))
    right = draw(st.integers(0, 3))
    correct = [c == right for c in classes]
    if not consistent:
        correct = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    return classes, correct, scores


def vote(strategy: str, classes, correct, scores) -> float:
    return float(VOTES[strategy].count(np.array([classes]), np.array([correct]), np.array([scores]))[0])


@pytest.mark.parametrize("strategy", VOTES)
@given(recorded_votes(consistent=False))
@settings(deadline=None, max_examples=150)
def test_agrees_with_the_definition(strategy, problem):
    assert vote(strategy, *problem) == pytest.approx(plain_vote(strategy, *problem))


@pytest.mark.parametrize("strategy", VOTES)
@given(recorded_votes(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_order_and_names_of_classes_change_nothing(strategy, problem, random):
    classes, correct, scores = problem
    expected = vote(strategy, *problem)
    order = list(range(len(classes)))
    random.shuffle(order)
    shuffled = [[column[i] for i in order] for column in problem]
    assert vote(strategy, *shuffled) == pytest.approx(expected, abs=1e-12)
    names = list(range(6))
    random.shuffle(names)
    relabelled = [c if c < 0 else names[c] for c in classes]
    assert vote(strategy, relabelled, correct, scores) == pytest.approx(expected, abs=1e-12)


@given(recorded_votes(), st.sampled_from([1e-30, 0.1, 1.0]))
@settings(deadline=None)
def test_constant_scores_make_weighted_voting_a_majority(problem, score):
    # Scores of exactly 0 are another matter: then every class has the same sum.
    classes, correct, _ = problem
    constant = [score] * len(classes)
    majority = vote("majority", classes, correct, constant)
    assert vote("weighted_voting", classes, correct, constant) == pytest.approx(majority)


@given(recorded_votes(consistent=False))
@settings(deadline=None)
def test_nothing_beats_pass_at_n(problem):
    limit = vote("pass_at_n", *problem)
    assert all(vote(strategy, *problem) <= limit + 1e-12 for strategy in VOTES)


@given(recorded_votes())
@settings(deadline=None)
def test_scores_that_know_the_truth_reach_the_limit(problem):
    classes, correct, _ = problem
    truth = [float(c) for c in correct]
    limit = vote("pass_at_n", classes, correct, truth)
    assert vote("best_of_n", classes, correct, truth) == limit
    assert vote("weighted_voting", classes, correct, truth) == limit


@pytest.mark.parametrize("strategy", VOTES)
def test_problems_do_not_mix_and_silence_is_wrong(strategy):
    classes = np.array([[-1, -1, -1], [0, 0, 1], [2, -1, -1]])
    correct = np.array([[False] * 3, [True, True, False], [True, False, False]])
    scores = np.array([[0.9, 0.9, 0.9], [0.5, 0.5, 0.1], [0.0, 0.9, 1.0]])
    assert VOTES[strategy].count(classes, correct, scores).tolist() == [0.0, 1.0, 1.0]


def test_ties_are_shared():
    classes, correct = np.array([[0, 1, 2, 1, 0]]), np.array([[True, False, False, False, True]])
    assert VOTES["majority"].count(classes, correct, None).tolist() == [0.5]
    scores = np.array([[0.8, 0.8, 0.8, 0.1, 0.2]])
    assert VOTES["best_of_n"].count(classes, correct, scores)[0] == pytest.approx(1 / 3)
    # 0.1 + 0.2 and 0.3 differ in floating point, and must still tie.
    scores = np.array([[0.1, 0.3, 0.0, 0.0, 0.2]])
    assert VOTES["weighted_voting"].count(classes, correct, scores).tolist() == [0.5]


@pytest.mark.parametrize("strategy", ["best_of_n", "weighted_voting"])
def test_missing_scores_are_refused(strategy):
    with pytest.raises(ValueError, match="needs scores"):
        VOTES[strategy].count(np.array([[0]]), np.array([[True]]), None)


def plain_confidence(classes: list[int], scores: list[float]) -> float:
    """Mean score of those who give the voted answer; over answers that tie, the mean of that."""
    given: dict[int, list[float]] = {}
    for c, score in zip(classes, scores, strict=True):
        if c >= 0:
            given.setdefault(c, []).append(score)
    best = max((sum(g) for g in given.values()), default=0.0)
    tied = [sum(g) / len(g) for g in given.values() if sum(g) >= best - 1e-9]
    return sum(tied) / len(tied) if tied else 0.0


@given(recorded_votes(consistent=False))
@settings(deadline=None, max_examples=150)
def test_confidence_agrees_with_the_definition(problem):
    classes, correct, scores = problem
    credit, confidence = confident_voting(np.array([classes]), np.array([correct]), np.array([scores]))
    assert credit[0] == pytest.approx(plain_vote("weighted_voting", *problem))
    assert confidence[0] == pytest.approx(plain_confidence(classes, scores))


def test_confidence_is_of_the_voted_answer_and_nothing_without_votes():
    classes, correct = np.array([[0, 0, 1], [-1, -1, -1]]), np.array([[True, True, False]] * 2)
    scores = np.array([[0.5, 0.3, 0.7], [0.9, 0.9, 0.9]])
    credit, confidence = confident_voting(classes, correct & (classes >= 0), scores)
    assert credit.tolist() == [1.0, 0.0] and confidence == pytest.approx([0.4, 0.0])


def test_leaders_are_found_whatever_the_sign_of_the_totals():
    """Adding a constant to every total, or scaling them, changes no leader."""
    totals_PC = np.array(
        [[-3.0, -1.0, -2.0], [-1.0, -1.0 - 1e-14, -5.0], [0.0, -2.0, -1.0], [2.0, 9.0, -9.0]]
    )
    counts_PC = np.array([[1.0, 2.0, 1.0], [1.0, 1.0, 1.0], [3.0, 1.0, 1.0], [1.0, 0.0, 1.0]])
    expected_PC = [[False, True, False], [True, True, False], [True, False, False], [True, False, False]]
    for shift in (0.0, -100.0, 100.0):
        for scale in (1.0, 1e-6, 1e6):
            moved_PC = scale * (totals_PC + shift)
            found_PC = leaders(moved_PC, counts_PC, np.abs(moved_PC))
            assert found_PC.tolist() == expected_PC, (shift, scale)
    assert not leaders(-np.ones((1, 2)), np.zeros((1, 2)), np.ones((1, 2))).any()


def test_scores_that_cancel_tie_in_every_order():
    classes, correct = np.array([[0, 0, 0, 1, 1, 1]]), np.array([[True, True, True, False, False, False]])
    for first in itertools.permutations((0.1, 0.2, -0.3)):
        for second in itertools.permutations((0.1, 0.2, -0.3)):
            scores = np.array([[*first, *second]])
            assert VOTES["weighted_voting"].count(classes, correct, scores).tolist() == [0.5]


def test_scores_without_bounds_are_refused():
    classes, correct = np.array([[0, 1]]), np.array([[True, False]])
    for score in (np.inf, -np.inf, np.nan):
        with pytest.raises(ValueError, match="not finite"):
            VOTES["weighted_voting"].count(classes, correct, np.array([[score, 0.5]]))
