"""When two answers are the same answer, and the classes that follow.

Two answers are the same if

- they differ in their typesetting only, whether anybody can read them or not;
- both are marked (a base, a half of the day), and digits and mark are the same;
- neither is unreadable, and their shapes are the same (shapes.py).

The relation is symmetric, and not transitive: `x = 5`, 5, `y = 5`. So a problem's classes are made of its set
of answers, in whatever order they come: what equals the reference is right, and one class; the others are
grouped by the connected components of the relation. An answer is right or wrong whatever else was answered,
and a class is right or wrong as a whole. Every answer votes: what nobody can read, as its string. What was
not read because of a limit is what an answer is that was read and differs from it in typesetting only.

Left out on purpose: limits. Reading may take for ever; only worker.py calls it on strings that are not plain
integers. Comparing takes microseconds: all that is slow has been evaluated in reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rlv.answers import spelling

if TYPE_CHECKING:
    from collections.abc import Callable

    from rlv.answers.shapes import Shape

# Longer ones are no plausible answers, and beyond a double's range.
_INTEGER = re.compile(r"[+-]?[0-9]{1,300}")
_SPELLED = 20_000  # longer strings are compared as they are


@dataclass(frozen=True)
class Answer:
    """One answer string, read."""

    text: str
    key: str = ""  # the same in two answers that differ in their typesetting only; "": nothing is left
    mark: tuple[str, str] | None = None  # a marked number's digits and mark (a base, the half of a day)
    integer: int | None = None  # its value, if it is a plain integer
    shape: Shape | None = None  # None: unreadable, or a plain integer


@dataclass(frozen=True)
class Placement:
    """Where an answer went: its class within the problem (None: none was asked for) and whether it is right.

    `read` is false for a string that nobody could read; it is the same answer as its own spellings only.
    """

    answer_class: int | None
    correct: bool
    read: bool = True


def plain_integer(text: str) -> int | None:
    """The value of a string that is nothing but an integer (sign and ASCII digits), else None."""
    return int(text) if _INTEGER.fullmatch(text) else None


def forget() -> None:
    """Bring sympy into the state in which every problem is graded.

    sympy tries its rules in a random order, and keeps what it derived; now and then an answer's fate hangs on
    that. With this before each problem, it does not hang on what the process has seen before.
    """
    from sympy.core import cache as sympy_cache
    from sympy.core import random as sympy_random

    sympy_cache.clear_cache()
    sympy_random.seed(0)


def unread(text: str) -> Answer:
    """The answer by its spelling alone. Fast."""
    if len(text) > _SPELLED:
        return Answer(text, text)
    respelled = _respelled(text)
    integer, mark = plain_integer(respelled), spelling.marked(text)
    key = str(integer) if integer is not None else spelling.key(respelled)
    return Answer(text, key or text.strip(), mark, integer if mark is None else None)


def read(text: str) -> Answer:
    """One answer string (LaTeX, as it would stand inside \\boxed). Slow, may hang: see the module."""
    from rlv.answers import parsing
    from rlv.answers.shapes import Marked
    from rlv.answers.values import Unreadable

    answer = unread(text)
    if answer.integer is not None:
        return answer
    if answer.mark is not None:
        return Answer(text, answer.key, answer.mark, shape=Marked(*answer.mark))
    try:
        return Answer(text, answer.key, shape=parsing.shape(spelling.readable(_respelled(text))))
    except (Unreadable, RecursionError):
        return answer


def equal(one: Answer, other: Answer) -> bool:
    """Whether the two are the same answer (the module says when). Symmetric; fast."""
    if one.text == other.text:
        return True
    if one.mark is not None and other.mark is not None:
        return one.mark == other.mark
    if one.key and one.key == other.key:
        return True
    if one.integer is not None and other.integer is not None:
        return one.integer == other.integer
    for marked, plain in ((one, other), (other, one)):
        if marked.mark is not None and marked.mark[0] == plain.key:
            return True
    first, second = _shape(one), _shape(other)
    if first is None or second is None:
        return False
    from rlv.answers.shapes import same

    return same(first, second)


def is_read(answer: Answer) -> bool:
    """Whether it is more than a string."""
    return answer.integer is not None or answer.shape is not None


class Classes:
    """The classes of one problem's answers: what equals the reference, and the components of the others."""

    def __init__(self, reference: Answer, same: Callable[[Answer, Answer], bool] = equal) -> None:
        self._reference = reference
        self._same = same
        self._distinct: list[tuple[Answer, bool]] = []  # and whether it is right
        self._parents: list[int] = []  # a forest over the distinct answers: each tree is a class
        self._places: dict[int | tuple[str, tuple[str, str] | None], int] = {}  # of identical answers
        self._added: list[int] = []

    def known(self, answer: Answer) -> bool:
        """Whether an identical answer has been added and was read, so that this one need not be read."""
        place = self._places.get(_identity(answer))
        return place is not None and is_read(self._distinct[place][0])

    def add(self, answer: Answer) -> None:
        """Take one answer in: compare it with the reference, and with others that are as right as it is.

        Of identical answers one that was read stands for all, whichever comes first.
        """
        place = self._places.setdefault(_identity(answer), len(self._distinct))
        self._added.append(place)
        if place == len(self._distinct):
            self._compare(answer)
        elif is_read(answer) and not is_read(self._distinct[place][0]):
            # What it equals may be more, and right: the trees are grown again.
            distinct = [one for one, _ in self._distinct]
            distinct[place] = answer
            self._distinct, self._parents = [], []
            for one in distinct:
                self._compare(one)

    def placements(self) -> list[Placement]:
        """Of every answer, in the order of `add`; classes are numbered as their first members come."""
        numbers: dict[int, int] = {}
        found = []
        for place in self._added:
            answer, correct = self._distinct[place]
            number = numbers.setdefault(self._root(place), len(numbers))
            found.append(Placement(number, correct, is_read(answer)))
        return found

    def _compare(self, answer: Answer) -> None:
        place = len(self._distinct)
        correct = self._same(self._reference, answer)
        self._parents.append(place)
        for k, (other, right) in enumerate(self._distinct):
            if (
                right == correct
                and self._root(k) != self._root(place)
                and (correct or self._joined(other, answer))
            ):
                self._parents[self._root(place)] = self._root(k)
        self._distinct.append((answer, correct))

    def _joined(self, one: Answer, other: Answer) -> bool:
        both_integers = one.integer is not None and other.integer is not None  # and not identical
        return not both_integers and self._same(one, other)

    def _root(self, k: int) -> int:
        while self._parents[k] != k:
            self._parents[k] = self._parents[self._parents[k]]
            k = self._parents[k]
        return k


def _identity(answer: Answer) -> int | tuple[str, tuple[str, str] | None]:
    """What identical answers share."""
    return answer.integer if answer.integer is not None else (answer.key, answer.mark)


def _respelled(text: str) -> str:
    """Of a choice that is given with its text, the letter."""
    respelled = spelling.respelled(text)
    return spelling.choice(text) or spelling.choice(respelled) or respelled


def _shape(answer: Answer) -> Shape | None:
    if answer.integer is None:
        return answer.shape
    from fractions import Fraction

    from rlv.answers.values import Number

    return Number((Fraction(answer.integer),))
