"""What was chosen for a reasoner on training problems, as one stage leaves it and others read it.

choice.json  {"kind": "temperature", "by": "pass@1", "problems": 200, "solutions": 16,
              "candidates": [{"temperature": 0.2, "accuracy": 0.41, "low": 0.38, "high": 0.44}, ...],
              "chosen": {"temperature": 0.6}}
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rlv.errors import DataError
from rlv.outside.files import parse_json

CHOICE = "choice.json"


@dataclass(frozen=True)
class Choice:
    """One of several candidates, and by what it was chosen.

    `kind`: what is chosen. `by`: the number that decides, on P `problems` with S `solutions` each.
    `candidates`: the settings of each with its `accuracy` and the ends of its 95 % interval over problems,
    `low` and `high`, in the order of the study. `chosen`: the settings of one of them.
    """

    kind: str
    by: str
    problems: int
    solutions: int
    candidates: list[dict[str, Any]]
    chosen: dict[str, Any]

    @property
    def number(self) -> int:
        """Which candidate was chosen, from 0."""
        return next(i for i, c in enumerate(self.candidates) if self.chosen.items() <= c.items())


def write_choice(choice: Choice, folder: Path) -> None:
    """Leave `choice.json` in a folder."""
    text = json.dumps(asdict(choice), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / CHOICE).write_text(text + "\n", encoding="utf-8")


def read_choice(path: Path) -> Choice:
    """The choice that a file has. Raises DataError if it is none, or none of its candidates was chosen."""
    try:
        choice = Choice(**parse_json(path.read_bytes()))
        _ = choice.number
    except (ValueError, TypeError, AttributeError, StopIteration) as error:
        said = " ".join(str(error).split())[:200] or "none of its candidates is the chosen one"
        raise DataError(f"{path}: expected a choice as the stage `choose` leaves it ({said})") from error
    return choice
