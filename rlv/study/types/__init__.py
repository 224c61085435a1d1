"""The sections of a study file as types: every key with its type, its default, its meaning and its role.

config/README.md is generated from them (rlv/study/docs.py). Left out on purpose: reading files
(rlv/plan/reading.py), rules that need more than one section (rlv/plan/checks/), and artifacts (rlv/plan/).
"""

from rlv.study.types.allocation import Allocation
from rlv.study.types.attacks import Attacks
from rlv.study.types.data import (
    AnswerFormat,
    Architecture,
    Dataset,
    Model,
    Pretraining,
    PromptStyle,
    StepRule,
)
from rlv.study.types.evaluation import (
    CLAIM_ROLES,
    CONTROLS,
    Claims,
    Comparison,
    Evaluation,
    Figure,
    Lengths,
    Overhead,
    Prediction,
    Samples,
    Sampling,
    Tuning,
    Verifier,
)
from rlv.study.types.first_errors import FirstErrors
from rlv.study.types.graders import ModelGrader
from rlv.study.types.section import LARGEST_SEED, Name, Role, Section
from rlv.study.types.stopping import Stopping
from rlv.study.types.study import Assumption, Study, replica_name
from rlv.study.types.training import EngineName, Reasoner, Schedule, Temperature, Training, Verification

__all__ = [
    "CLAIM_ROLES",
    "CONTROLS",
    "LARGEST_SEED",
    "Allocation",
    "AnswerFormat",
    "Architecture",
    "Assumption",
    "Attacks",
    "Claims",
    "Comparison",
    "Dataset",
    "EngineName",
    "Evaluation",
    "Figure",
    "FirstErrors",
    "Lengths",
    "Model",
    "ModelGrader",
    "Name",
    "Overhead",
    "Prediction",
    "Pretraining",
    "PromptStyle",
    "Reasoner",
    "Role",
    "Samples",
    "Sampling",
    "Schedule",
    "Section",
    "StepRule",
    "Stopping",
    "Study",
    "Temperature",
    "Training",
    "Tuning",
    "Verification",
    "Verifier",
    "replica_name",
]
