"""The cells of the accuracy table as they are printed in Markdown, LaTeX and HTML (accuracy_table.*.jinja).

One section a data set. Accuracies are in %, balanced accuracy and AUROC are fractions; beside each number are
the ends of its 95 % interval. What prints like the best of its data set is marked like it. Left out:
which rows and numbers there are (accuracy_table.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Column:
    """A column of numbers: its name in the data, its heading, and how its numbers print.

    `plain`: a number that only describes the solutions: it has no interval, and none is the best.
    """

    name: str
    heading: str
    scale: float
    digits: int
    plain: bool = False

    def text(self, value: float) -> str:
        """The number as it is printed."""
        return f"{self.scale * value:.{self.digits}f}"


COLUMNS = (
    Column("pass_at_1", "pass@1", 100, 1),
    Column("majority", "majority@N", 100, 1),
    Column("weighted_voting", "weighted@N", 100, 1),
    Column("best_of_n", "best of N", 100, 1),
    Column("pass_at_n", "pass@N", 100, 1),
    Column("balanced_accuracy", "balanced accuracy", 1, 3),
    Column("auroc", "AUROC", 1, 3),
    Column("unfinished", "unfinished", 100, 1, plain=True),
)
NOTE = (
    "Accuracy in %; balanced accuracy and AUROC of the verifier as fractions, over solutions that have an "
    "answer; with 95 % intervals over problems; the best of each data set is bold. Unfinished: the share, "
    "in %, of a reasoner's solutions that ran into the largest number of tokens."
)


@dataclass(frozen=True)
class Cell:
    """A number with the ends of its interval, as printed, and whether it is the best of its data set.

    A number without an interval has no ends (None).
    """

    value: str
    low: str | None
    high: str | None
    best: bool


@dataclass(frozen=True)
class Section:
    """One data set: its name, N and budgets, and rows of (reasoner, verifier, cells), None an empty cell."""

    dataset: str
    about: str
    rows: tuple[tuple[str, str, tuple[Cell | None, ...]], ...]


TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "_": r"\_",
        "&": r"\&",
        "%": r"\%",
        "#": r"\#",
        "$": r"\$",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)


def values(data: pl.DataFrame) -> dict[str, Any]:
    """What the table's templates are filled with: a note, headings, sections, and how TeX quotes a name."""
    return {
        "note": NOTE,
        "headings": [column.heading for column in COLUMNS],
        "sections": [_section(part) for part in data.partition_by("dataset", maintain_order=True)],
        "tex": lambda name: name.translate(TEX),
    }


def _section(part: pl.DataFrame) -> Section:
    highest = {c: part[c.name].drop_nulls().to_numpy().max(initial=float("-inf")) for c in COLUMNS}
    best = {c: c.text(number) for c, number in highest.items()}
    rows = tuple(
        (row["reasoner"], row["verifier"], tuple(_cell(row, c, best[c]) for c in COLUMNS))
        for row in part.iter_rows(named=True)
    )
    # Nobody says what length solutions of others were allowed; their budget is 0.
    budgets = " or ".join(str(budget) for budget in sorted(part["budget"].unique()) if budget)
    tokens = f", at most {budgets} tokens" if budgets else ""
    return Section(part["dataset"][0], f"N = {part['n'][0]}{tokens}", rows)


def _cell(row: Mapping[str, Any], column: Column, best: str) -> Cell | None:
    value = row[column.name]
    if value is None:
        return None
    if column.plain:
        return Cell(column.text(value), None, None, False)
    # A metric of very few problems can be defined when no resample of them is.
    ends = [row[f"{column.name}_{end}"] for end in ("low", "high")]
    low, high = ("?" if end is None else column.text(end) for end in ends)
    return Cell(column.text(value), low, high, column.text(value) == best)
