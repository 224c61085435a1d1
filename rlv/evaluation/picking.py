"""From the classes and scores of solutions to one answer, by any vote that does not know what is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from rlv.errors import DataError
from rlv.evaluation.votes import VOTES, Vote


def vote_named(name: str) -> Vote:
    """The vote of this name. Raises DataError if there is none, or if it knows what is right."""
    able = [known for known in VOTES if known in VOTES.own and not VOTES[known].limit]
    if name not in VOTES:
        raise DataError(f"vote: found {name!r}, expected one of {', '.join(able)}, or one of a package")
    vote = VOTES[name]
    if vote.limit:
        raise DataError(
            f"vote: {name!r} knows which answers are right, and here nobody does; use {', '.join(able)}"
        )
    return vote


def winner(
    answers: Sequence[str | None], classes: Sequence[int], scores: Sequence[float] | None, vote: Vote
) -> tuple[str | None, float]:
    """The answer that wins, and its share of all weight that was cast; (None, 0.0) if nothing voted.

    `classes`: of each answer, -1 for none. A solution weighs its score if the vote reads scores, else 1; if
    all weights are 0, it is the share of the solutions. Classes that tie: the one that came first. Of a class
    the most frequent spelling is the answer.
    """
    won = winning_class(classes, scores, vote)
    if won is None:
        return None, 0.0
    spellings = Counter(a for a, c in zip(answers, classes, strict=True) if c == won)
    classes_N = np.array(classes, dtype=np.int64)
    votes_N, wins_N = classes_N >= 0, classes_N == won
    weights_N = np.ones(len(classes)) if scores is None or not vote.reads_scores else np.array(scores)
    if not weights_N[votes_N].sum() > 0:
        weights_N = np.ones(len(classes))
    return spellings.most_common(1)[0][0], float(weights_N[wins_N].sum() / weights_N[votes_N].sum())


def winning_class(classes: Sequence[int], scores: Sequence[float] | None, vote: Vote) -> int | None:
    """The class that wins, of those that tie the one that came first; None if nothing voted."""
    classes_1N = np.array([classes], dtype=np.int64)
    if not len(classes) or classes_1N.max() < 0:
        return None
    scores_1N = None if scores is None else np.array([scores], dtype=np.float64)
    # What a vote credits a class with if it, and nothing else, is right is the chance that it is picked.
    credit_C = [
        float(vote.count(classes_1N, classes_1N == c, scores_1N)[0]) for c in range(classes_1N.max() + 1)
    ]
    return int(np.argmax(credit_C))
