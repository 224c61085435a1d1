"""How the checkpoint of a run is asked: the entry `verification` of its config.json. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlv.models.verification import Entry, describe
from rlv.training.objectives import OBJECTIVES
from rlv.training.run import Run

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def entry_of(run: Run, tokenizer: PreTrainedTokenizerBase) -> Entry:
    """The entry of a finished run. Raises ModelError as `describe` does."""
    objective = run.verification.objective if run.verifies else None
    return describe(
        tokenizer,
        objective=objective,
        coefficient=run.verification.coefficient,
        instructed=objective is not None and OBJECTIVES[objective].instructed,
        prompt_style=run.prompt_style,
        system_prompt=run.system_prompt,
        answer_format=run.answer_format,
    )
