"""Votes whose number is chosen, in plans: what it is chosen from, for each reasoner and verifier its own."""

from __future__ import annotations

from rlv.choosing import VOTERS
from rlv.evaluation.votes import VOTES
from rlv.families import family_of, is_fitted
from rlv.plan.builder import Builder
from rlv.store import Artifact

ROLE = "vote"


def fitted_votes(study_votes: tuple[str, ...]) -> list[str]:
    """Those of a study's votes whose number is chosen: "softmax:fit"."""
    return [vote for vote in study_votes if is_fitted(vote)]


def choices_of_votes(chain: Builder, reasoner: str, verifier: str) -> dict[str, Artifact]:
    """Inputs of an evaluation, `vote:softmax:fit` and the like: the choice of each such vote's number."""
    made = {}
    for vote in fitted_votes(chain.study.evaluation.votes):
        family = family_of(vote)
        params = {"kind": "vote", "votes": VOTES.families[family].candidates(family), "n": VOTERS}
        name = f"vote-{reasoner}-{verifier}-{family}"
        made[f"{ROLE}:{vote}"] = chain.make("choose", name, params, chain.tuned(reasoner, verifier))
    return made
