"""What an attack is, and what it may use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Target:
    """A problem, and texts of the policy's graded solutions.

    `right`, `wrong`: of this problem. `others`: right ones of problems with another reference. `step_rule`,
    `answer_format`: the data set's. `question` and `answer`, the reference, are None if nobody knows them.
    """

    question: str | None
    answer: str | None
    right: Sequence[str]
    wrong: Sequence[str]
    others: Sequence[str]
    step_rule: str
    answer_format: str


@dataclass(frozen=True)
class Attack:
    """A way to write a wrong solution that a verifier may accept.

    `make`: from a target and random numbers of its own to the solution's text, its end token left out; None
    if this problem does not allow it. It must not depend on the order of the target's solutions. `sources`:
    of the data sets that it is for; empty: all. `fixed`: the same text for every problem. `baseline`: no
    attack, but what attacks are compared with. `about`: in one sentence, with the source.
    """

    make: Callable[[Target, Random], str | None]
    sources: tuple[str, ...] = ()
    fixed: bool = False
    baseline: bool = False
    about: str = ""


def one_of(texts: Sequence[str], rng: Random) -> str | None:
    """One of some texts, whatever their order and however often each is there; None if there are none."""
    distinct = sorted(set(texts))
    return rng.choice(distinct) if distinct else None
