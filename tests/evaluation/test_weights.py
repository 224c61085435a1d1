"""Families of votes: against their definitions, at the ends of their parameters, and under permutations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlv.errors import StudyError
from rlv.evaluation.votes import VOTES
from rlv.evaluation.weights import FAMILIES, top
from rlv.logistic import CLIP
from tests.evaluation.test_votes import recorded_votes

NAMES = ["softmax:0.1", "softmax:3", "rank:0.5", "rank:2", "top:0.5", "top:0.1", "power:2", "log_odds"]
NAMES += ["log_odds:0.7", "pessimistic:0.5", "pessimistic:0"]


def weight(name: str, scores: list[float], classes: list[int], i: int) -> float:
    """The weight of solution i, from the definition."""
    family, _, text = name.partition(":")
    n, s = len(scores), scores[i]
    if family == "softmax":
        return math.exp((s - max(scores[j] for j in range(n) if classes[j] >= 0)) / float(text))
    if family == "rank":
        rank = sum(other > s for other in scores) + (sum(other == s for other in scores) - 1) / 2
        return ((n - rank) / n) ** float(text)
    if family == "top":
        # Of all orders of the solutions that break ties at random, the share in which it is among the best.
        best, above = max(math.ceil(float(text) * n), 1), sum(other > s for other in scores)
        return s * min(max((best - above) / sum(other == s for other in scores), 0.0), 1.0)
    if family == "power":
        return s ** float(text)
    p = min(max(s, CLIP), 1 - CLIP)
    answers = len({c for c in classes if c >= 0})
    return math.log(p / (1 - p)) + (float(text) if text else math.log(max(answers - 1, 1)))


def plain(name: str, classes: list[int], correct: list[bool], scores: list[float]) -> float:
    voting = [i for i, c in enumerate(classes) if c >= 0]
    if not voting:
        return 0.0
    values = {}
    for c in {classes[i] for i in voting}:
        members = [i for i in voting if classes[i] == c]
        if name.startswith("pessimistic"):
            mean = sum(scores[i] for i in members) / len(members)
            values[c] = mean - float(name.split(":")[1]) * math.log(len(classes)) / (len(members) + 1)
        else:
            values[c] = sum(weight(name, scores, classes, i) for i in members)
    best = max(values.values())
    tied = [c for c, value in values.items() if value >= best - 1e-9 * max(1.0, abs(best))]
    shares = [np.mean([correct[i] for i in voting if classes[i] == c]) for c in tied]
    return float(sum(shares) / len(tied))


def vote(name: str, classes, correct, scores) -> float:
    return float(VOTES[name].count(np.array([classes]), np.array([correct]), np.array([scores]))[0])


@pytest.mark.parametrize("name", NAMES)
@given(recorded_votes(consistent=False))
@settings(deadline=None, max_examples=150)
def test_agrees_with_the_definition(name, problem):
    assert vote(name, *problem) == pytest.approx(plain(name, *problem))


@pytest.mark.parametrize("name", NAMES)
@given(recorded_votes(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=50)
def test_the_order_of_solutions_changes_nothing(name, problem, rng):
    order = list(range(len(problem[0])))
    rng.shuffle(order)
    assert vote(name, *([part[i] for i in order] for part in problem)) == pytest.approx(vote(name, *problem))


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("power:1", "weighted_voting"),
        ("power:0", "majority"),
        ("rank:0", "majority"),
        ("softmax:1e14", "majority"),
        ("log_odds:1e14", "majority"),
        ("pessimistic:1e14", "majority"),
        ("top:1", "weighted_voting"),
    ],
)
@given(recorded_votes())
@settings(deadline=None, max_examples=100)
def test_the_ends_of_a_parameter_are_known_votes(name, same, problem):
    assert vote(name, *problem) == pytest.approx(vote(same, *problem))


@pytest.mark.parametrize("name", ["softmax:1e-4", "rank:5000", "power:5000", "top:1e-9"])
@given(st.integers(1, 6), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_at_the_other_end_the_best_solution_decides(name, size, rng):
    """With scores that differ; equal ones share a weight, and best_of_n shares their credit otherwise."""
    scores = rng.sample([0.2, 0.35, 0.5, 0.65, 0.8, 0.95], size)
    classes = [rng.randrange(3) for _ in range(size)]
    correct = [c == 1 for c in classes]
    assert vote(name, classes, correct, scores) == vote("best_of_n", classes, correct, scores)


@pytest.mark.parametrize("name", NAMES)
def test_of_one_solution_every_vote_is_that_solution(name):
    for score in (0.0, 0.3, 1.0):
        assert vote(name, [0], [True], [score]) == 1.0
        assert vote(name, [0], [False], [score]) == 0.0
        assert vote(name, [-1], [False], [score]) == 0.0


def test_log_odds_are_bayes_rule_where_wrong_answers_are_alike():
    """A solution is right with chance pi, else one of M wrong answers; its score is calibrated."""
    rng = np.random.default_rng(0)
    wrong, size, pi = 3, 7, 0.4
    agree = 0
    for _ in range(300):
        # Which class is right is drawn; scores are calibrated by construction.
        truth = rng.integers(wrong + 1)
        right = rng.random(size) < pi
        classes = np.where(right, truth, (truth + rng.integers(1, wrong + 1, size)) % (wrong + 1))
        if len(set(classes)) != wrong + 1:
            continue  # the vote knows of the answers that it sees
        odds = np.where(right, 2.0, 0.5) * pi / (1 - pi)
        scores = odds / (1 + odds)
        # Posterior of each class: its voters are right and all others wrong, times the chance to land there.
        chances = [
            np.sum(
                np.log(np.where(classes == c, scores / pi * pi, (1 - scores) / (1 - pi) * (1 - pi) / wrong))
            )
            for c in range(wrong + 1)
        ]
        best = max(chances)
        tied = [c for c, chance in enumerate(chances) if chance > best - 1e-9]
        expected = float(truth in tied) / len(tied)
        assert vote(
            "log_odds", classes.tolist(), (classes == truth).tolist(), scores.tolist()
        ) == pytest.approx(expected)
        agree += 1
    assert agree > 100


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("softmax", "expected softmax:PARAMETER with a number above 0, found ''"),
        ("softmax:0", "above 0, found '0'"),
        ("softmax:nan", "found 'nan'"),
        ("softmax:inf", "found 'inf'"),
        ("rank:-1", "0 or more, found '-1'"),
        ("top:1.5", "above 0, 1 at most, found '1.5'"),
        ("power:x", "found 'x'"),
        ("log_odds:inf", "expected log_odds:PARAMETER with a number, found 'inf'"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(name, message):
    assert name in VOTES
    with pytest.raises(StudyError, match=message):
        VOTES[name]
    assert VOTES.package(name) is None


def test_families_are_ours_and_no_other_name_is_one():
    assert all("about" and family.about for family in FAMILIES.values())
    assert "soft:1" not in VOTES and "majority:1" not in VOTES
    with pytest.raises(KeyError):
        VOTES["soft:1"]


def test_the_best_share_is_a_share_also_of_scores_that_tie():
    scores_PN, classes_PN = np.array([[1.0] * 6 + [0.0] * 4]), np.zeros((1, 10), dtype=int)
    for share, places in ((0.1, 1), (0.3, 3), (0.6, 6), (0.9, 6)):
        assert top(scores_PN, classes_PN, share).sum() == pytest.approx(places)
