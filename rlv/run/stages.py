"""All stages by name, in the order the data flows. Importing this loads neither torch nor transformers."""

from __future__ import annotations

from rlv import models, problems
from rlv.answers import stage as answers
from rlv.attacks import stage as attacks
from rlv.choosing import stage as choosing
from rlv.evaluation import locating, panelled
from rlv.evaluation import stage as evaluation
from rlv.evaluation.allocation import stage as allocation
from rlv.evaluation.claims import stage as claims
from rlv.evaluation.stopping import stage as stopping
from rlv.figures import stage as figures
from rlv.graders import stage as graders
from rlv.imported import stage as imported
from rlv.job import Stage
from rlv.mini import stage as mini
from rlv.problems import overlap
from rlv.sampling import stage as sampling
from rlv.scoring import stage as scoring
from rlv.scoring import trace_stage as tracing
from rlv.store import Artifact
from rlv.training import stage as training

STAGES: dict[str, Stage] = {
    "pretrain": mini.PRETRAIN,
    "model": models.MODEL,
    "problems": problems.PROBLEMS,
    "overlap": overlap.OVERLAP,
    "imported": imported.IMPORTED,
    "train": training.TRAIN,
    "overhead": training.OVERHEAD,
    "sample": sampling.SAMPLE,
    "force": sampling.FORCE,
    "grade": answers.GRADE,
    "cross_grade": graders.CROSS_GRADE,
    "choose": choosing.CHOOSE,
    "trace": tracing.TRACE,
    "score": scoring.SCORE,
    "panel": panelled.PANEL,
    "attack": attacks.ATTACK,
    "evaluate": evaluation.EVALUATE,
    "allocate": allocation.ALLOCATE,
    "stop": stopping.STOP,
    "locate": locating.LOCATE,
    "figures": figures.FIGURE,
    "claims": claims.CLAIMS,
}


def at_budgets(evaluation: Artifact) -> bool:
    """Whether an evaluation is of solutions that were cut at length budgets, not as they were sampled."""
    return any("budgets" in parent.params for parent in evaluation.inputs["solutions"].inputs.values())


def leaves(artifact: Artifact, table: str) -> bool:
    """Whether an artifact has a table, such as "curves" or "steps"; it need not be published."""
    return table in STAGES[artifact.stage].leaves(artifact)
