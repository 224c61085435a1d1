"""The parameters of a training run that decide its weights."""

from __future__ import annotations

from typing import Any

from rlv.answers import RULES
from rlv.plan.methods import brought
from rlv.problems import SOURCES
from rlv.study.types import Dataset, Reasoner
from rlv.training.advantages import ADVANTAGES
from rlv.training.objectives import OBJECTIVES
from rlv.training.run import Run


def training_params(entry: Reasoner, dataset: Dataset, run: Run) -> dict[str, Any]:
    """What decides the weights of a reasoner."""
    params = run.deciding(recorded=entry.recorded_by is not None)
    # The trainer follows the rollouts' temperature. It once did not: what it made then must not be taken for
    # this, and at 1 it is this.
    if params.get("temperature", 1.0) != 1.0:
        params["logprobs"] = "tempered"
    if entry.recorded_by is None:
        params |= brought(ADVANTAGES, run.advantage, "advantage_package")
        # Generated answers are plain integers: no rule has changed anything for them.
        if not SOURCES[dataset.source].generated:
            params["grading"] = RULES
    if run.verifies:
        params |= brought(OBJECTIVES, run.verification.objective, "objective_package")
    return params
