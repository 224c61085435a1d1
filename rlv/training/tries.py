"""Tries of one training: whether the last ones came any further, so that a hopeless one ends.

A workflow that starts a training again after its time limit cannot distinguish it from one that fails the
same way each time. Here each try writes down its number and the step at which it began; several that began
where the checkpoints still stand have been in vain. Imports no torch, so the planner can use it. Left out on
purpose: why a try ended.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rlv.errors import StuckError

# Tries that may begin at the same step, and fail, before the next is refused.
MOST = 3
# The try's number, counted from 1, set by the workflow; absent: a start by hand, which is always allowed.
ATTEMPT = "RLV_ATTEMPT"
_FILE = "tries.json"


def step_reached(work: Path) -> int:
    """The step of the last checkpoint in a training's work folder, 0 if there is none."""
    try:
        named = (work / "checkpoints" / "latest").read_text()
    except OSError:
        return 0
    found = re.search(r"(\d+)\s*$", named)
    return int(found[1]) if found else 0


@dataclass(frozen=True)
class InVain:
    """Tries of one run of the workflow that came no further: the latest in a row, and those before them."""

    latest: int = 0
    before: int = 0


NONE_IN_VAIN = InVain()


def in_vain(work: Path, attempt: int) -> InVain:
    """Of the tries before this attempt, those that ended where they began.

    Tries of an earlier run of the workflow, whose numbers are not smaller, do not count.
    """
    began, here, latest = _began(work, attempt), step_reached(work), 0
    for _, step in reversed(began):
        if step != here:
            break
        latest += 1
    before = sum(step == after for (_, step), (_, after) in pairwise(began[: len(began) - latest]))
    return InVain(latest, before)


def begin(work: Path, attempt: int | None = None) -> None:
    """Write down that a try begins. The first attempt forgets those before it.

    `attempt`: by default that of the environment. Raises StuckError instead, from the second attempt on,
    if the last `MOST` tries came no further.
    """
    number = attempt if attempt is not None else int(os.environ.get(ATTEMPT) or 1)
    if number > 1 and in_vain(work, number).latest >= MOST:
        raise StuckError(
            f"{work}: {MOST} tries began after step {step_reached(work)} and came no further, so this one is "
            "not made; their logs say why. Once that is mended, start the workflow again: it counts anew"
        )
    work.mkdir(parents=True, exist_ok=True)
    partial = work / f".{_FILE}.partial"
    partial.write_text(json.dumps([*_began(work, number), (number, step_reached(work))]))
    partial.replace(work / _FILE)


def _began(work: Path, attempt: int) -> list[tuple[int, int]]:
    """(Attempt, step where it began) of the tries of this run before an attempt, oldest first."""
    try:
        written = [(int(number), int(step)) for number, step in json.loads((work / _FILE).read_text())]
    except (OSError, ValueError, TypeError):
        return []
    found: list[tuple[int, int]] = []
    for number, step in reversed(written):
        if number >= (found[0][0] if found else attempt):
            break
        found.insert(0, (number, step))
    return found
