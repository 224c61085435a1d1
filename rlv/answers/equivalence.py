"""When two answers are the same answer, and the classes that follow.

Two answers are the same if

- they differ in their typesetting only, whether they can be read or not;
- both are marked (a base, a half of the day), and digits and mark are the same;
- neither is unreadable, and their shapes are the same (shapes.py).

The relation is symmetric, but not transitive: `x = 5`, 5, `y = 5`. So the classes of a problem are a function
of its set of answers, in any order: the answers that equal the reference are right and form one class; the
others are grouped by the connected components of the relation. Whether an answer is right does not depend on
the other answers, and a class is right or wrong as a whole. Every answer votes; one that cannot be read votes
as its string. An answer that was not read because of a limit is the same as one that was read and differs
from it in typesetting only.

Nothing here has a limit. Reading may never end, so only worker.py reads strings that are not plain integers.
Comparing takes microseconds, because reading has evaluated all that is slow.
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
    """An answer's class within its problem (None: none was asked for), and whether the answer is right.

    `read` is false for a string that could not be read; such an answer equals only its own spellings.
    """

    answer_class: int | None
    correct: bool
    read: bool = True


def plain_integer(text: str) -> int | None:
    """The value of a string that is nothing but an integer (sign and ASCII digits), else None."""
    return int(text) if _INTEGER.fullmatch(text) else None


def forget() -> None:
    """Bring sympy into the state in which every problem is graded.

    sympy tries its rules in a random order and caches what it derived, which occasionally changes how an
    answer is read. After this call the result does not depend on what the process has read before.
    """
    from sympy.core import cache as sympy_cache
    from sympy.core import random as sympy_random

    sympy_cache.clear_cache()
    sympy_random.seed(0)


def unread(text: str) -> Answer:
    """The answer by its spelling only. Fast."""
    if len(text) > _SPELLED:
        return Answer(text, text)
    respelled = _respelled(text)
    integer, mark = plain_integer(respelled), spelling.marked(text)
    key = str(integer) if integer is not None else spelling.key(respelled)
    return Answer(text, key or text.strip(), mark, integer if mark is None else None)


def read(text: str) -> Answer:
    """One answer string (LaTeX, as it would stand inside \\boxed). Slow, may never end."""
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
    """Whether the two are the same answer, by the rules of this module. Symmetric; fast."""
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
    """Whether the answer is known by more than its string."""
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
        """Add one answer: compare it with the reference, and with others that are as right as it is.

        Of identical answers one that was read stands for all, whichever comes first.
        """
        place = self._places.setdefault(_identity(answer), len(self._distinct))
        self._added.append(place)
        if place == len(self._distinct):
            self._compare(answer)
        elif is_read(answer) and not is_read(self._distinct[place][0]):
            # Read, it may equal more answers, and be right: the trees are grown again.
            distinct = [one for one, _ in self._distinct]
            distinct[place] = answer
            self._distinct, self._parents = [], []
            for one in distinct:
                self._compare(one)

    def placements(self) -> list[Placement]:
        """Every placement, in the order of `add`; classes are numbered as their first members come."""
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
