"""From classes and scores to an answer, against counting by hand; classes without a reference."""

from __future__ import annotations

import random

import pytest

from rlv.answers.groups import classes_of
from rlv.answers.pool import Limits, Pool
from rlv.errors import DataError
from rlv.evaluation.picking import candidates, vote_named
from rlv.evaluation.votes import VOTES


def winner(*arguments) -> tuple[str | None, float]:
    """The first candidate's answer and share."""
    found = candidates(*arguments)
    return (found[0].answer, found[0].share) if found else (None, 0.0)


def test_weights_decide_and_the_share_is_of_all_that_voted():
    answers, classes = ["3", "5", "5", None], [0, 1, 1, -1]
    scores = [0.9, 0.2, 0.3, 1.0]
    assert winner(answers, classes, scores, vote_named("weighted_voting")) == ("3", pytest.approx(0.9 / 1.4))
    assert winner(answers, classes, None, vote_named("majority")) == ("5", pytest.approx(2 / 3))
    assert winner(answers, classes, scores, vote_named("best_of_n")) == ("3", pytest.approx(0.9 / 1.4))


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_class_with_the_highest_sum(seed):
    rng = random.Random(seed)
    classes = [rng.randrange(-1, 4) for _ in range(12)]
    scores = [rng.random() for _ in classes]
    sums = {c: sum(s for s, k in zip(scores, classes, strict=True) if k == c) for c in set(classes) - {-1}}
    best = max(sums, key=lambda c: sums[c])
    answers = [None if c < 0 else f"answer {c}" for c in classes]
    found = winner(answers, classes, scores, VOTES["weighted_voting"])
    assert found == (f"answer {best}", pytest.approx(sums[best] / sum(sums.values())))


def test_nothing_votes_and_nothing_weighs():
    vote = vote_named("weighted_voting")
    assert winner([], [], [], vote) == (None, 0.0)
    assert winner([None, None], [-1, -1], [0.5, 0.5], vote) == (None, 0.0)
    assert winner(["1", "1", "2"], [0, 0, 1], [0.0, 0.0, 0.0], vote)[1] in (
        pytest.approx(2 / 3),
        pytest.approx(1 / 3),
    )


def test_ties_go_to_the_first_and_the_frequent_spelling_is_the_answer():
    answers = ["7", "1/2", "0.5", "0.5", "7", "7"]
    assert winner(answers, [0, 1, 1, 1, 0, 0], None, vote_named("majority")) == ("7", 0.5)
    assert winner(answers[1:4], [0, 0, 0], None, vote_named("majority")) == ("0.5", 1.0)


@pytest.mark.parametrize("vote", ["weighted_voting", "majority", "best_of_n"])
@pytest.mark.parametrize("seed", range(10))
def test_every_answer_is_a_candidate_once_and_shares_sum_to_one(vote, seed):
    rng = random.Random(seed)
    classes = [rng.randrange(-1, 4) for _ in range(9)]
    order = list(dict.fromkeys(c for c in classes if c >= 0))
    classes = [-1 if c < 0 else order.index(c) for c in classes]  # numbered as they come
    answers = [None if c < 0 else f"answer {c}" for c in classes]
    found = candidates(answers, classes, [rng.random() for _ in classes], vote_named(vote))
    assert sorted(c.answer for c in found) == sorted(set(answers) - {None})
    assert sum(c.share for c in found) == pytest.approx(1.0)
    assert all([answers[k] for k in c.solutions] == [c.answer] * answers.count(c.answer) for c in found)
    assert [c.share for c in found[1:]] == sorted((c.share for c in found[1:]), reverse=True)


@pytest.mark.parametrize("name", ["pass_at_n", "", "weighted", "\x1b[2J"])
def test_votes_that_cannot_be_asked_for_are_named(name):
    with pytest.raises(DataError, match="weighted_voting") as error:
        vote_named(name)
    assert "\x1b" not in str(error.value)


def test_classes_without_a_reference():
    with Pool(1, Limits()) as pool:
        assert classes_of(["3", None, " 03", "4"], pool) == [0, -1, 0, 1]
        assert classes_of([], pool) == [] and classes_of([None], pool) == [-1]
        assert pool._processes == []  # plain integers need none
        assert classes_of([r"\frac{1}{2}", "0.5", "x", "1/2", None, "7"], pool) == [0, 0, 1, 0, -1, 2]
        assert classes_of(["9" * 3000, "8" * 3000, "9" * 3000], pool) == [0, 1, 0]  # too long to be read
