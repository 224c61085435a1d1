"""The code of a card: sampling, and asking the verifier, in plain transformers.

It must give the number that the stage `score` gives; tests/cards runs it out of a card's text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlv.evaluation.templates import fill
from rlv.models.verification import Entry
from rlv.prompts import BOXED_REQUEST, SOLUTION_HEADER, STYLES, WORKED_PROBLEMS

if TYPE_CHECKING:
    from rlv.study.types import Sampling


def snippet(
    entry: Entry, name: str, sampling: Sampling, template: str | None, question: str | None = None
) -> str:
    """Python code that defines `solve(question)` and, if there is a verifier, `verify(question, solution)`.

    `name`: what `from_pretrained` is given. `template`: the tokenizer's chat template, if it has one.
    `question`: put at the end, as an example.
    """
    style = entry.prompt_style
    return fill(
        __file__,
        ".py",
        entry=entry,
        name=name,
        question=question,
        sampling=sampling,
        chat=STYLES[style].chat,
        boxed=style.endswith("_boxed") and style != "few_shot_boxed",
        few_shot=WORKED_PROBLEMS if style == "few_shot_boxed" else (),
        request=BOXED_REQUEST,
        header=SOLUTION_HEADER,
        dated=template is not None and "date_string" in template,
        head=entry.objective is not None and entry.instruction is None,
    )
