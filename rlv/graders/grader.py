"""What a grader is: cases in, verdicts out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rlv.answers import Grader as Rules
from rlv.answers import extract_answer
from rlv.graders.words import compass, xverify
from rlv.registry import Registry

VERDICTS = RIGHT, WRONG, INVALID = "right", "wrong", "invalid"


@dataclass(frozen=True)
class Case:
    """A question, its reference answer, and the text of a solution; all from outside."""

    question: str
    reference: str
    text: str


@dataclass(frozen=True)
class Grader:
    """A way to decide whether a solution is right, given the reference.

    `ask`: from question, reference and text to the words that a model reads before it says a label; None: no
    model, the rules decide. `labels`: label -> verdict; what tells them apart must be one token each.
    `about`: in one sentence, with the source.
    """

    ask: Callable[[str, str, str], str] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    about: str = ""

    @property
    def reads(self) -> bool:
        """Whether a model decides."""
        return self.ask is not None


def by_rules(cases: Sequence[Case], answer_format: str, rules: Rules) -> list[str]:
    """The verdicts of the rules (rlv/answers): invalid without an answer."""
    answers = [extract_answer(case.text, answer_format) for case in cases]
    rewards = rules.rewards(answers, [case.reference for case in cases])
    return [
        INVALID if answer is None else RIGHT if reward else WRONG
        for answer, reward in zip(answers, rewards, strict=True)
    ]


GRADERS: Registry[Grader] = Registry(
    "rlv.graders",
    Grader,
    {
        "rule": Grader(about="The rules of rlv/answers, which decide what is right in every study."),
        "compass": Grader(
            compass,
            {"A": RIGHT, "B": WRONG, "C": INVALID},
            "A model says A, B or C: right, wrong, or no answer (CompassVerifier, Liu et al. 2025).",
        ),
        "xverify": Grader(
            xverify,
            {"[Correct]": RIGHT, "[Incorrect]": WRONG},
            "A model says [Correct] or [Incorrect] (xVerify, Chen et al. 2025).",
        ),
    },
)
