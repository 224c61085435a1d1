"""What every section of a study is, and the roles that its settings play."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints

# Names become parts of paths, commands and columns; a path has up to three of them in one folder's name.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$", max_length=48)]
# The largest seed that every generator of random numbers takes.
LARGEST_SEED = 2**63 - 1
T = TypeVar("T")


class Role(Enum):
    """Which results a setting decides. It stands at the setting's field: `steps: ForSampling[int]`.

    A setting without a role decides the content of what is computed with it, and is part of its key.
    """

    HOW = "how"
    SAMPLED = "sampled"
    VALUES = "values"
    KL = "kl"
    VERIFIED = "verified"
    YOUNG = "young"
    FORMERLY_FIXED = "formerly fixed"


# It decides only how something is computed: no part of keys, nor of what a checkpoint belongs to.
How = Annotated[T, Role.HOW]
# Only training that samples its solutions reads it; a verifier of recorded solutions does not.
ForSampling = Annotated[T, Role.SAMPLED]
# Only advantages that need values read it.
ForValues = Annotated[T, Role.VALUES]
# Only training with kl_coefficient > 0 reads it.
ForKl = Annotated[T, Role.KL]
# Only training with a verification coefficient > 0 reads it.
ForVerification = Annotated[T, Role.VERIFIED]
# It is younger than stored artifacts and checkpoints: at its default it is no part of what they are.
Young = Annotated[T, Role.YOUNG]
# It is younger than stored artifacts, which had its default; checkpoints have always contained it.
FormerlyFixed = Annotated[T, Role.FORMERLY_FIXED]


class Section(BaseModel):
    """A section of a study: unknown keys are errors, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @classmethod
    def having(cls, role: Role) -> frozenset[str]:
        """The names of the settings that play a role."""
        return frozenset(name for name, field in cls.model_fields.items() if role in field.metadata)
