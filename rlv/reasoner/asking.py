"""How a checkpoint is asked: as its config.json or the caller says, or by a guess from its tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rlv.answers.extract import ANSWER_FORMATS
from rlv.errors import ModelError
from rlv.models.verification import Entry, read_entry, require_fits
from rlv.outside.templates import bounded
from rlv.prompts import STYLES, solver_ids, verification_ids
from rlv.scoring import SCORES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

JUDGE = "judge"


@dataclass(frozen=True)
class Asking:
    """How questions are put, where answers stand, and how solutions are scored.

    `score`: a name of SCORES; "judge" if the model was not trained to verify. `entry`: what the checkpoint
    says of it; None if it says nothing, and style and format are the caller's or a guess.
    """

    prompt_style: str
    system_prompt: str | None
    answer_format: str
    score: str
    entry: Entry | None


def asking_of(
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    *,
    prompt_style: str | None,
    system_prompt: str | None,
    answer_format: str | None,
) -> Asking:
    """How the checkpoint in a folder is asked; what is not None comes before what it says itself.

    Without either: the chat template with a request for a box, if the tokenizer has one, else the question
    with that request. Chat templates are rendered once by a process with limits. Raises ModelError for a
    damaged entry, one of another tokenizer or a newer format, an unknown style, format or objective, and a
    template that is missing, fails or does not end.
    """
    entry = read_entry(folder)
    with bounded(tokenizer):
        if entry is not None:
            style, system = prompt_style or entry.prompt_style, system_prompt or entry.system_prompt
            found = answer_format or entry.answer_format
            require_fits(entry, tokenizer, folder)
        else:
            style, system = prompt_style or _guess(tokenizer, system_prompt), system_prompt
            found = answer_format or "boxed"
        solver_ids(tokenizer, "x", style, system)
        if tokenizer.chat_template is not None:
            _require_ending(tokenizer, style)
    if found not in ANSWER_FORMATS:
        raise ModelError(f"{folder}: answer format {found!r}; known: {', '.join(ANSWER_FORMATS)}")
    return Asking(style, system, found, _score(entry, folder), entry)


def _score(entry: Entry | None, folder: Path) -> str:
    if entry is None or entry.objective is None:
        return JUDGE
    known = entry.objective in SCORES and SCORES[entry.objective].trained == entry.objective
    if not known:
        raise ModelError(
            f"{folder / 'config.json'}: verification.objective is {entry.objective!r}, and no score of that "
            "name is installed; install the package that brings it (`rlv methods` lists what is there)"
        )
    return entry.objective


def _guess(tokenizer: PreTrainedTokenizerBase, system_prompt: str | None) -> str:
    if tokenizer.chat_template is None:
        return "plain_boxed"
    try:
        solver_ids(tokenizer, "x", "chat_boxed", system_prompt)
    except ModelError:  # the system prompt asks for a box already; other reasons come up again
        return "chat"
    return "chat_boxed"


def _require_ending(tokenizer: PreTrainedTokenizerBase, style: str) -> None:
    """Raises ModelError for a template that goes beyond its limits in anything that is rendered later.

    Whatever else is wrong with it is raised when it is needed.
    """
    for rendered in (
        lambda: solver_ids(tokenizer, "x", "chat"),
        # As `turn_end_id` does, which an engine calls whatever the style.
        lambda: verification_ids(tokenizer, style if STYLES[style].chat else "chat"),
    ):
        try:
            rendered()
        except ModelError as error:
            if "takes more than" in str(error):
                raise
