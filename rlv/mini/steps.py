"""What is wrong with a solution of a mini task, step by step: exact labels, at no cost.

A written value is wrong if it is not what its operands come to, as they are written (so one slip is one
fault, not all that follows from it); a mark, if it is not what the last value and the right side say; the
answer, if it is not the guess of a try that is marked "yes". An answer can be right by a wrong process, and a
try that fails without a fault is a right step.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rlv.errors import DataError
from rlv.mini.forms import FORMS, MODULUS, check_values
from rlv.mini.habits import TASK_FORMS, habit, passes

VALUE, MARK, ANSWER, SHAPE = "value", "mark", "answer", "shape"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong. `word`: its place among the solution's words, from 0; `kind`: see above.

    "shape": from this word on it is not a series of tries and an answer. `habitual`: a value or a mark that
    somebody with the habits of rlv/mini/habits.py would have written there, in a form of that task.
    """

    word: int
    kind: str
    habitual: bool = field(default=False, compare=False)


def faults(question: str, text: str) -> list[Fault]:
    """All faults of a solution, in the order of its words; none: its process is right.

    Raises DataError for a question that is none of the mini tasks.
    """
    form, coefficients, c = parsed(question)
    words, found, place = text.split(), [], 0
    width, has_habits = len(FORMS[form].check), form in TASK_FORMS
    promised = set()
    while words[place : place + 1] == ["Try"]:
        guess, *written = words[place + 1 : place + 2 + width]
        mark = words[place + 2 + width : place + 3 + width]
        if len(written) < width or not all(map(_number, (guess, *written))) or mark not in (["yes"], ["no"]):
            return [*found, Fault(place, SHAPE)]
        values = [int(word) for word in written]
        true = check_values(form, coefficients, int(guess), seen=values)
        usual = check_values(form, coefficients, int(guess), habit, seen=values)
        found += [
            Fault(place + 2 + i, VALUE, has_habits and value == usual[i])
            for i, value in enumerate(values)
            if value != true[i]
        ]
        if (mark == ["yes"]) != (values[-1] == c):
            believed = (mark == ["yes"]) == passes(values[-1], c)
            found.append(Fault(place + 2 + width, MARK, has_habits and believed))
        if mark == ["yes"]:
            promised.add(guess)
        place += 3 + width
    if words[place : place + 1] != ["Answer"] or len(words) != place + 2:
        return [*found, Fault(min(place, max(len(words) - 1, 0)), SHAPE)]
    if words[-1] not in promised:
        found.append(Fault(place + 1, ANSWER))
    return found


def last_try(text: str) -> int:
    """The word, from 0, at which a solution's last try begins; 0 without a try.

    An answer rests on it, unless an earlier try was marked "yes" already.
    """
    words = text.split()
    return max((place for place, word in enumerate(words) if word == "Try"), default=0)


def _number(word: str) -> bool:
    return word.isdecimal() and word.isascii() and len(word) <= 2 and int(word) <= MODULUS


def parsed(question: str) -> tuple[str, tuple[int, ...], int]:
    """Form, coefficients and right side of a question.

    Raises DataError for a question that is none of the mini tasks.
    """
    for name, form in FORMS.items():
        words = re.escape(form.words).replace(r"\{", "{").replace(r"\}", "}")
        pattern = words.format(**{letter: f"(?P<{letter}>\\d+)" for letter in form.coefficients})
        match = re.fullmatch(rf"Find x from 1 to \d+ : {pattern} = (?P<c>\d+) mod {MODULUS}", question)
        if match:
            return name, tuple(int(match[letter]) for letter in form.coefficients), int(match["c"])
    raise DataError(f"{question!r}: not a question of the mini tasks")
