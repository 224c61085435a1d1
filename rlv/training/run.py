"""What a training run is, and which of its settings its key and its checkpoints follow.

The settings are those of a study (rlv/study/types). The planner writes them side by side into an artifact's
parameters (`Run.deciding`), the stage reads them back (`Run.of`). Imports no torch, so the planner can use
it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from rlv.study.types import (
    AnswerFormat,
    Dataset,
    PromptStyle,
    Role,
    Section,
    StepRule,
    Training,
    Verification,
)
from rlv.study.types.section import ForSampling, ForValues, How, Young
from rlv.training.advantages import ADVANTAGES

# Before the names of the verification settings when they lie beside others.
_VERIFICATION = "verification_"


class Run(Section):
    """One training run: settings of a study, and how the questions of its data set are asked and read.

    A step takes one batch (P problems × G solutions) and learns from it. `threads` and `training.max_batch`
    are of one rank.
    """

    training: Training = Training()
    verification: Verification = Verification()
    # `advantage` and `step_rule` of runs that do not read them; their checkpoints' identities contain them.
    advantage: ForSampling[str] = "leave_one_out"
    prompt_style: PromptStyle = Dataset.model_fields["prompt_style"].default
    system_prompt: Young[str | None] = None
    answer_format: AnswerFormat = Dataset.model_fields["answer_format"].default
    step_rule: ForSampling[ForValues[StepRule]] = "sentence"
    threads: How[int] = 1

    @classmethod
    def of(cls, **settings: Any) -> Run:
        """The run with these settings, named as `settings` names them; the others have their defaults."""
        training = {name: settings.pop(name) for name in Training.model_fields if name in settings}
        verification = {
            name: settings.pop(f"{_VERIFICATION}{name}")
            for name in Verification.model_fields
            if f"{_VERIFICATION}{name}" in settings
        }
        return cls(training=Training(**training), verification=Verification(**verification), **settings)

    def settings(self) -> dict[str, Any]:
        """All settings side by side, in JSON's types."""
        own = self.model_dump(mode="json")
        training, verification = own.pop("training"), own.pop("verification")
        return training | {f"{_VERIFICATION}{name}": v for name, v in verification.items()} | own

    def but(self, **changes: Any) -> Run:
        """The run with some settings changed, named as in `settings`."""
        return Run.of(**self.settings() | changes)

    @property
    def verifies(self) -> bool:
        """Whether the verification objective is on."""
        return self.verification.coefficient > 0

    def how(self) -> dict[str, Any]:
        """The study's settings that decide only how the weights are computed."""
        return self.training.model_dump(mode="json", include=set(Training.having(Role.HOW)))

    def deciding(self, *, recorded: bool) -> dict[str, Any]:
        """The settings that decide the weights, as an artifact's parameters. `recorded`: none are sampled."""
        unread = _having(Role.HOW)
        if recorded:
            unread |= _having(Role.SAMPLED)
        if "values" not in ADVANTAGES[self.advantage].needs:
            unread |= _having(Role.VALUES)
        if self.training.kl_coefficient == 0:
            unread |= _having(Role.KL)
        if not self.verifies:
            unread |= _having(Role.VERIFIED)
        found = self._beyond_defaults(_having(Role.YOUNG) | _having(Role.FORMERLY_FIXED), unread)
        if "warmup_share" in found:
            del found["warmup_steps"]
        return found

    def identity(self) -> dict[str, Any]:
        """The settings that a checkpoint belongs to: all but those of `how`, whether they are read or not."""
        return self._beyond_defaults(_having(Role.YOUNG), _having(Role.HOW))

    def _beyond_defaults(self, young: frozenset[str], unread: frozenset[str]) -> dict[str, Any]:
        """The settings but the unread ones, and but the young ones that have their defaults."""
        return {
            name: value
            for name, value in self.settings().items()
            if name not in unread and not (name in young and value == _defaults()[name])
        }


@cache
def _defaults() -> dict[str, Any]:
    return Run().settings()


@cache
def _having(role: Role) -> frozenset[str]:
    """The settings of a role, named as in `Run.settings`."""
    verification = {f"{_VERIFICATION}{name}" for name in Verification.having(role)}
    return Training.having(role) | verification | Run.having(role)
