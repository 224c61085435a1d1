"""Scored solutions of training problems: what parameters are fitted on, never what they are judged on.

The plan gives a job these inputs (`Chain.tuned`, rlv/plan/chain.py) if the study names training problems in
its section `tuning`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlv.job import Job

if TYPE_CHECKING:
    from rlv.evaluation.recorded import Recorded

ROLE = "tuned_solutions"


def has_tuned(job: Job) -> bool:
    """Whether a job has solutions of training problems."""
    return ROLE in job.artifact.inputs


def read_tuned(job: Job, verifier: str | None = None, *, scored: bool = True) -> Recorded:
    """The training problems' solutions, with the scores of a job's verifier, or of this one of several.

    Not `scored`: only the solutions, for a job that got no scores of them.
    """
    from rlv import tables
    from rlv.evaluation.recorded import recorded

    role = "tuned_scores" if verifier is None else f"tuned_scores:{verifier}"
    scores = job.parts(role, "scores") if scored else None
    (data,) = recorded(
        job.table(ROLE, "solutions", tables.WITHOUT_TEXT), scores, where=job.artifact.inputs[ROLE].path
    )
    return data
