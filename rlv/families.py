"""Methods that differ in one number, which stands in their name: "softmax:0.1" is a member of "softmax"."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from rlv.errors import StudyError

T = TypeVar("T")
# In place of a number: it is chosen on training problems.
FIT = "fit"


@dataclass(frozen=True)
class Family(Generic[T]):
    """Methods that differ in one number.

    `make`: from the number to the method's record. `low`, `high`: of the number, `low` excluded if `above`;
    `whole`: it must be an integer; `default`: what the name alone stands for, None: it needs a number;
    `grid`: the numbers that NAME:fit chooses among, the one nearest to no choice first; `unfitted`: what
    NAME:fit stands for until its number is chosen; None: it cannot be. `about`: in one sentence.
    """

    make: Callable[[float], T]
    low: float = 0.0
    high: float = math.inf
    above: bool = True
    whole: bool = False
    grid: tuple[float, ...] = ()
    unfitted: T | None = None
    default: float | None = None
    about: str = ""

    def candidates(self, name: str) -> list[str]:
        """The members that NAME:fit chooses among, by their names."""
        return [f"{name}:{number:g}" for number in self.grid]


def family_of(name: str) -> str:
    """The family in the name of one of its members."""
    return name.partition(":")[0]


def is_fitted(name: str) -> bool:
    """Whether the number in a method's name is chosen on training problems: "softmax:fit"."""
    return name.partition(":")[2] == FIT


def member(families: Mapping[str, Family[T]], name: str, kind: str) -> T | None:
    """The method of a name such as "softmax:0.1"; None if it is of no family.

    `kind`: what messages call it. Raises StudyError if it is of one, and has no parameter, or one that cannot
    be.
    """
    family, colon, text = name.partition(":")
    if family not in families:
        return None
    known = families[family]
    if not colon and known.default is not None:
        return known.make(known.default)
    if text == FIT and known.unfitted is not None:
        return known.unfitted
    try:
        parameter = float(text)
    except ValueError:
        parameter = math.nan
    inside = known.low < parameter if known.above else known.low <= parameter
    inside = inside and parameter <= known.high and math.isfinite(parameter)
    if not inside or (known.whole and parameter != int(parameter)):
        number = "a whole number" if known.whole else "a number"
        bounds = f"{number} above {known.low:g}" if known.above else f"{number} of {known.low:g} or more"
        bounds = number if math.isinf(known.low) else bounds
        most = "" if math.isinf(known.high) else f", {known.high:g} at most"
        raise StudyError(f"{kind} {name!r}: expected {family}:PARAMETER with {bounds}{most}, found {text!r}")
    return known.make(parameter)
