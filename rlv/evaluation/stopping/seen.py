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
from rlv.evaluation.stopping.fitted import Fitted
from rlv.evaluation.stopping.race import Race, race
from rlv.evaluation.tallies import Bools, Floats, Ints, required
from rlv.logistic import logit


@dataclass(frozen=True)
class Seen:
    """Solutions in the order in which they are drawn, and what follows from the first n of them.

    `vote`: by which the answer would be taken; `fitted`: what training problems say of the scores; `chances`
    and `ahead`: `chance_BN` and `by_vote`, if somebody knows them already.
    """

    classes_BN: Ints
    tokens_BN: Floats
    scores_BN: Floats | None = None
    vote: str = "majority"
    fitted: Fitted = field(default=Fitted())
    chances: Floats | None = None
    ahead: Race | None = None

    @cached_property
    def drawn_N(self) -> Ints:
        """1 … N."""
        return np.arange(1, self.classes_BN.shape[1] + 1)

    @cached_property
    def by_count(self) -> Race:
        """The two answers with the most votes."""
        if self.ahead is not None and self.vote == "majority":
            return self.ahead
        return race(self.classes_BN, self._nothing_BN)[0]

    @cached_property
    def by_sum(self) -> Race:
        """The two answers with the highest sums of scores."""
        if self.ahead is not None and self.vote == "weighted_voting":
            return self.ahead
        return race(self.classes_BN, self._nothing_BN, required(self.scores_BN))[0]

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
        return bayes(self.classes_BN, self._nothing_BN, logits_BN)[0]

    @property
    def _nothing_BN(self) -> Bools:
        """In place of which solutions are right: no rule may know that."""
        return np.zeros(self.classes_BN.shape, dtype=bool)
