"""Files of solutions, as tests write them, and what is read back as plain values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rlv.imported import Imported

# Three solutions of two problems, a row a solution and a row a problem.
LONG = [
    {"problem_id": "a", "question": "1+1?", "answer": "2", "text": "two", "predicted": "2", "score": 0.5},
    {
        "problem_id": "a",
        "question": "1+1?",
        "answer": "2",
        "text": 'say "3",\nor 4',
        "predicted": "3",
        "score": 0.25,
    },
    {"problem_id": "b", "question": "2+2?", "answer": "4", "text": "four", "predicted": "4", "score": 1.0},
]
WIDE = [
    {
        **{"problem_id": "a", "question": "1+1?", "answer": "2", "text": ["two", 'say "3",\nor 4']},
        **{"predicted": ["2", "3"], "score": [0.5, 0.25]},
    },
    {
        "problem_id": "b",
        "question": "2+2?",
        "answer": "4",
        "text": ["four"],
        "predicted": ["4"],
        "score": [1.0],
    },
]


def lines(path: Path, rows: Iterable[Any]) -> Path:
    """Rows as JSON Lines; a text is a line as it is."""
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def solutions(found: Imported, *columns: str) -> list[tuple]:
    """These columns of the solutions, behind problem_id and sample_id."""
    return found.solutions.select("problem_id", "sample_id", *columns).rows()


def scores(found: Imported) -> dict[str, list[tuple]]:
    """The rows of every verifier's scores."""
    return {name: table.drop("steps").rows() for name, table in found.scores.items()}


def same(one: Imported, other: Imported) -> bool:
    """Whether two imports hold the same, whatever it was read from."""
    return (
        one.problems.equals(other.problems)
        and one.solutions.equals(other.solutions)
        and one.scores.keys() == other.scores.keys()
        and all(one.scores[name].equals(other.scores[name]) for name in one.scores)
    )
