"""From the classes and scores of solutions to one answer, by any vote that does not know what is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rlv.errors import DataError
from rlv.evaluation.tallies import Vote
from rlv.evaluation.votes import VOTES
from rlv.families import is_fitted


@dataclass(frozen=True)
class Candidate:
    """An answer that solutions voted for.

    `answer`: None if solutions that are classes of their own have none that can be told. `share`: of the
    weight that all answers cast, in [0, 1]. `solutions`: the numbers of those that give it.
    """

    answer: str | None
    share: float
    solutions: tuple[int, ...]


def vote_named(name: str) -> Vote:
    """The vote of this name. Raises DataError if there is none, or if it knows what is right."""
    able = [known for known in VOTES if known in VOTES.own and not VOTES[known].limit]
    if name not in VOTES:
        raise DataError(f"vote: found {name!r}, expected one of {', '.join(able)}, or one of a package")
    vote = VOTES[name]
    if is_fitted(name):
        raise DataError(f"vote: the number of {name!r} is chosen on training problems; name a number here")
    if vote.limit:
        raise DataError(
            f"vote: {name!r} knows which answers are right, and here nobody does; use {', '.join(able)}"
        )
    return vote


def candidates(
    answers: Sequence[str | None], classes: Sequence[int], scores: Sequence[float] | None, vote: Vote
) -> tuple[Candidate, ...]:
    """The answers that were voted for, the winner first, then by their shares; () if nothing voted.

    `classes`: of each answer, -1 for none. A solution weighs its score if the vote reads scores, else 1; if
    all weights are 0, it is the share of the solutions. Classes that tie: the one that came first. Of a class
    the most frequent spelling is the answer.
    """
    classes_1N = np.array([classes], dtype=np.int64)
    if not len(classes) or classes_1N.max() < 0:
        return ()
    scores_1N = None if scores is None else np.array([scores], dtype=np.float64)
    # What a vote credits a class with if it, and nothing else, is right is the chance that it is picked.
    credit = {
        c: float(vote.count(classes_1N, classes_1N == c, scores_1N)[0]) for c in sorted({*classes} - {-1})
    }
    weights_N = np.ones(len(classes)) if scores_1N is None or not vote.reads_scores else scores_1N[0]
    votes_N = classes_1N[0] >= 0
    if not weights_N[votes_N].sum() > 0:
        weights_N = np.ones(len(classes))
    cast = weights_N[votes_N].sum()

    def candidate(c: int) -> Candidate:
        spellings = Counter(a for a, own in zip(answers, classes, strict=True) if a is not None and own == c)
        share = float(weights_N[classes_1N[0] == c].sum() / cast)
        solutions = tuple(k for k, own in enumerate(classes) if own == c)
        answer = spellings.most_common(1)[0][0] if spellings else None
        return Candidate(answer, share, solutions)

    won = max(credit, key=lambda c: credit[c])  # the first of equal ones
    others = sorted((candidate(c) for c in credit if c != won), key=lambda found: -found.share)
    return (candidate(won), *others)
