"""The number of a vote, chosen by its accuracy on training problems with the same verifier's scores."""

from __future__ import annotations

from rlv.job import Job
from rlv.job.choice import Choice


def choose_vote(job: Job) -> Choice:
    """One of the votes that the parameters name, by their accuracy at N there."""
    import numpy as np

    from rlv.choosing.candidates import choose
    from rlv.evaluation.curves import expected
    from rlv.evaluation.tuned import read_tuned

    p, data = job.params, read_tuned(job)
    # Over the same subsets of solutions for all candidates.
    accuracy_PK = np.stack([expected(data, vote, p["n"]) for vote in p["votes"]], axis=1)
    settings = [{"vote": vote} for vote in p["votes"]]
    size = data.classes_PS.shape[1]
    return choose(p["kind"], f"accuracy at N = {p['n']}", settings, accuracy_PK, solutions=size)
