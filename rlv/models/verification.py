"""What a checkpoint says of its own verifier: the entry `verification` of config.json.

A prompt that a person writes for a verifier is easily not the one that it was trained on: without the token
that begins the prompt, or the one that ends the solution, the score is another number, and nothing warns. So
the folder itself has the words, their tokens, and how its problems were put. transformers keeps entries of
config.json that it does not know, and gives them as `model.config.verification`.

An entry without an objective is that of a model that was trained, but not to verify. Checkpoints of other
projects, and older ones of this, have no entry.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rlv.errors import ModelError
from rlv.outside.files import parse_json, read_text
from rlv.prompts import INSTRUCTION, LABELS, label_ids, solution_end_id, verification_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

KEY = "verification"
# Raised when an entry of before would be misread.
FORMAT = 1


class Label(BaseModel):
    """An answer of the verifier: a word, and the one token that it is."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    text: str
    id: int = Field(ge=0)


class Entry(BaseModel):
    """How a checkpoint is asked.

    `objective`: of verification; None if it was not trained to verify. `coefficient`: λ. `instruction`: the
    words between a solution and the label, `instruction_ids` all tokens there, the marks of a chat template
    included, `labels` Yes and No; all three None if a head answers, or nothing does. `solution_end_id`: the
    token that ends a solution. `prompt_style`, `system_prompt`, `answer_format`: as in studies.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    format: int = Field(default=FORMAT, ge=1)
    objective: str | None
    coefficient: float = Field(ge=0, allow_inf_nan=False)
    instruction: str | None
    instruction_ids: tuple[int, ...] | None
    labels: tuple[Label, Label] | None
    solution_end_id: int | None
    prompt_style: str
    system_prompt: str | None
    answer_format: str

    @model_validator(mode="after")
    def _consistent(self) -> Entry:
        words = (self.instruction, self.instruction_ids, self.labels)
        if len({word is None for word in words}) > 1:
            raise ValueError("instruction, instruction_ids and labels are there together or not at all")
        if self.objective is None and (self.coefficient > 0 or self.instruction is not None):
            raise ValueError("a coefficient or an instruction without an objective")
        return self

    def as_json(self) -> dict[str, Any]:
        """The entry in JSON's types."""
        return self.model_dump(mode="json")


def describe(
    tokenizer: PreTrainedTokenizerBase,
    *,
    objective: str | None,
    coefficient: float,
    instructed: bool,
    prompt_style: str,
    system_prompt: str | None,
    answer_format: str,
) -> Entry:
    """The entry of a model with this tokenizer; `instructed`: whether the objective answers in words.

    Raises ModelError as `verification_ids` and `label_ids` do, if it does.
    """
    try:
        end = solution_end_id(tokenizer, prompt_style)
    except ModelError:  # only the generation configuration names one
        end = None
    labels = instruction_ids = None
    if instructed:
        yes, no = (Label(text=t, id=i) for t, i in zip(LABELS, label_ids(tokenizer), strict=True))
        labels, instruction_ids = (yes, no), tuple(verification_ids(tokenizer, prompt_style))
    return Entry(
        objective=objective,
        coefficient=coefficient,
        instruction=INSTRUCTION if instructed else None,
        instruction_ids=instruction_ids,
        labels=labels,
        solution_end_id=end,
        prompt_style=prompt_style,
        system_prompt=system_prompt,
        answer_format=answer_format,
    )


def read_entry(folder: Path) -> Entry | None:
    """The entry of a model's folder; None if it has none.

    Raises ModelError if it is damaged, or of a format that this version does not know.
    """
    path = folder / "config.json"
    try:
        config = parse_json(read_text(path))
        found = config.get(KEY)
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: missing or not a JSON mapping ({error})") from error
    if found is None:
        return None
    number = found.get("format") if isinstance(found, dict) else None
    if isinstance(number, int) and not isinstance(number, bool) and number > FORMAT:
        raise ModelError(
            f"{path}: {KEY}.format is {number}, this version of rlv reads up to {FORMAT}; install a newer one"
        )
    try:
        # As JSON, whose lists may be tuples.
        return Entry.model_validate_json(json.dumps(found))
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, (KEY, *first["loc"])))
        raise ModelError(
            f"{path}: {at} is damaged: {first['msg']} (found {str(first['input'])[:100]!r}); fetch or export "
            f"the checkpoint again, or remove {KEY} from the file, and the model is asked as a judge"
        ) from error


def require_fits(entry: Entry, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Raises ModelError if the entry's instruction and labels are not those that this version asks with."""
    if entry.instruction is None:
        return
    expected = {
        "instruction": INSTRUCTION,
        "instruction_ids": tuple(verification_ids(tokenizer, entry.prompt_style)),
        "labels": tuple(zip(LABELS, label_ids(tokenizer), strict=True)),
    }
    found = {
        "instruction": entry.instruction,
        "instruction_ids": entry.instruction_ids,
        "labels": tuple((label.text, label.id) for label in entry.labels or ()),
    }
    for name, value in expected.items():
        if found[name] != value:
            raise ModelError(
                f"{folder / 'config.json'}: {KEY}.{name} is {found[name]!r}, expected {value!r} with the "
                "tokenizer of this folder: one of the two files is not of this checkpoint, or it was trained "
                "by a version of rlv that asks otherwise; fetch or export it again, or use that version"
            )
