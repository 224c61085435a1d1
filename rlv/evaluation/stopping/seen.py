"""What is known after each of n solutions of a problem: all that a stopping rule may read.

    classes_BN  int    equivalence class of the n-th answer within its problem; -1 casts no vote
    scores_BN   float  in [0, 1], of the n-th solution; None without a verifier
    tokens_BN   float  generated, and read by the verifier if there is one, by the first n together

One row a problem and order of its solutions. Everything that is derived is cumulative: column n - 1 depends
on nothing after the n-th solution.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from rlv.evaluation.stopping.bayes import bayes
from rlv.evaluation.stopping.fitted import Fitted, logit
from rlv.evaluation.stopping.places import cells
from rlv.evaluation.tallies import Bools, Floats, Ints, required


@dataclass(frozen=True)
class Race:
    """The two classes that lead after each of n solutions, by votes or by the sum of their scores.

    `votes_BN`: how many solutions gave the leading answer. Of classes that tie, the one that came there
    first leads. Totals are 0 where nobody has voted.
    """

    first_BN: Floats
    second_BN: Floats
    votes_BN: Floats


@dataclass(frozen=True)
class Seen:
    """Solutions in the order in which they are drawn, and what follows from the first n of them.

    `vote`: by which the answer would be taken; `fitted`: what training problems say of the scores; `chances`:
    `chance_BN`, if somebody knows it already.
    """

    classes_BN: Ints
    tokens_BN: Floats
    scores_BN: Floats | None = None
    vote: str = "majority"
    fitted: Fitted = field(default=Fitted())
    chances: Floats | None = None

    @cached_property
    def drawn_N(self) -> Ints:
        """1 … N."""
        return np.arange(1, self.classes_BN.shape[1] + 1)

    @cached_property
    def by_count(self) -> Race:
        """The two answers with the most votes."""
        return race(self.classes_BN)

    @cached_property
    def by_sum(self) -> Race:
        """The two answers with the highest sums of scores."""
        return race(self.classes_BN, required(self.scores_BN))

    @property
    def by_vote(self) -> Race:
        """The two answers that are ahead in the vote: by their scores if it sums scores, else by votes."""
        return self.by_sum if self.vote == "weighted_voting" else self.by_count

    @cached_property
    def best_BN(self) -> Floats:
        """The highest score of the solutions that vote; -inf while there is none."""
        voting_BN = np.where(self.classes_BN >= 0, required(self.scores_BN), -np.inf)
        return np.maximum.accumulate(voting_BN, axis=1)

    @cached_property
    def chance_BN(self) -> Floats:
        """The chance of the most probable answer, by Bayes' rule from calibrated scores."""
        if self.chances is not None:
            return self.chances
        logits_BN = logit(self.fitted.calibrated(required(self.scores_BN)))
        return bayes(self.classes_BN, np.zeros(self.classes_BN.shape, dtype=bool), logits_BN)[0]

    @cached_property
    def counts_BNC(self) -> Floats:
        """Votes of every class; large, for rules that need more than the two that lead."""
        return np.cumsum(self._members_BNC, axis=1, dtype=np.float64)

    @cached_property
    def sums_BNC(self) -> Floats:
        """Sums of scores of every class; as large."""
        return np.cumsum(self._members_BNC * required(self.scores_BN)[:, :, None], axis=1)

    @property
    def _members_BNC(self) -> Bools:
        return self.classes_BN[:, :, None] == np.arange(max(int(self.classes_BN.max(initial=0)), 0) + 1)


def race(classes_BN: Ints, weights_BN: Floats | None = None) -> Race:
    """The two classes that lead after each solution, by votes or by weights of 0 or more.

    Totals only grow, so that a new vote can change nothing but its own class's place: a step costs the same
    however many classes there are.
    """
    rows, steps = classes_BN.shape
    cells_NB, voting_NB = cells(classes_BN)
    size = rows * (int(classes_BN.max(initial=-1)) + 2)
    weights_NB = None if weights_BN is None else np.ascontiguousarray(weights_BN.T)
    totals, counts = np.zeros(size), np.zeros(size)
    first_B, second_B, votes_B = np.full(rows, -1.0), np.zeros(rows), np.zeros(rows)
    leader_B = np.full(rows, -1)
    found = Race(*(np.empty((steps, rows)) for _ in range(3)))
    for n, cell_B in enumerate(cells_NB):
        counts[cell_B] += 1
        total_B = totals[cell_B] + (1.0 if weights_NB is None else weights_NB[n])
        totals[cell_B] = total_B
        total_B = np.where(voting_NB[n], total_B, -1.0)
        own_B = cell_B == leader_B
        ahead_B = total_B > first_B
        # One that overtakes leaves the old leader second; one that stays behind may pass the second.
        passed_B = np.where(ahead_B, first_B, total_B)
        second_B = np.where(own_B, second_B, np.maximum(second_B, passed_B))
        first_B = np.where(ahead_B, total_B, first_B)
        leader_B = np.where(ahead_B, cell_B, leader_B)
        votes_B = np.where(own_B | ahead_B, counts[cell_B], votes_B)
        found.first_BN[n], found.second_BN[n], found.votes_BN[n] = first_B, second_B, votes_B
    first_BN, second_BN = np.maximum(found.first_BN.T, 0.0), found.second_BN.T
    return Race(first_BN, second_BN, found.votes_BN.T)
