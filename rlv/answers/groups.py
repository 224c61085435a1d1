"""The classes of answers to a question whose reference nobody knows."""

from __future__ import annotations

from collections.abc import Sequence

from rlv.answers.equivalence import plain_integer
from rlv.answers.pool import Pool
from rlv.answers.worker import REFERENCE, Job


def classes_of(answers: Sequence[str | None], pool: Pool) -> list[int]:
    """The class of each answer, numbered as their first members come; -1 for None, which casts no vote.

    The connected components of "is the same answer" (equivalence.py). With a reference, as in `Grader`, what
    equals it is one class; the two differ only for answers of which one equals two that differ. Plain
    integers never touch a worker of `pool`.
    """
    given = list(dict.fromkeys(answer.strip() for answer in answers if answer is not None))
    values = [plain_integer(text) for text in given]
    if all(value is not None for value in values):
        places = {value: k for k, value in enumerate(dict.fromkeys(values))}
        number = {text: places[value] for text, value in zip(given, values, strict=True)}
    else:
        ((_, result),) = pool.run([ungraded(given, pool.limits.characters)])
        number = {
            text: int(placement.answer_class or 0)
            for text, placement in zip(given, result.placements, strict=True)
        }
    return [-1 if answer is None else number[answer.strip()] for answer in answers]


def ungraded(answers: Sequence[str], longest: int) -> Job:
    """The job that groups answers without judging them; those of more than `longest` characters are not read.

    No answer equals its reference, which is empty and not read.
    """
    unread = {k for k, text in enumerate(answers) if len(text) > longest}
    return Job("", tuple(answers), hopeless=frozenset({REFERENCE, *unread}))
