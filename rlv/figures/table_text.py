"""The accuracy table as text: Markdown, LaTeX and HTML, one section a data set, the best of each in bold.

Accuracies are in %, balanced accuracy and AUROC are fractions; brackets (in LaTeX: sub- and superscript) are
the ends of 95 % intervals. What prints like the best is bold too. Left out on purpose: which rows and numbers
there are (accuracy_table.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import polars as pl


@dataclass(frozen=True)
class Column:
    """A column of numbers: its name in the data, its heading, and how its numbers print."""

    name: str
    heading: str
    scale: float
    digits: int

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
)
NOTE = (
    "Accuracy in %; balanced accuracy and AUROC of the verifier as fractions, over solutions that have an "
    "answer; with 95 % intervals over problems; the best of each data set is bold."
)


@dataclass(frozen=True)
class Section:
    """One data set: its name, N and budgets, and rows of (reasoner, verifier, cells as printed)."""

    dataset: str
    about: str
    rows: tuple[tuple[str, str, tuple[str, ...]], ...]


def sections(data: pl.DataFrame, cell: Callable[[str, str, str, bool], str], nothing: str) -> list[Section]:
    """The table by data set; `cell` prints (value, low, high, whether it is the best), `nothing` a null."""
    found = []
    for part in data.partition_by("dataset", maintain_order=True):
        best = {column.name: _best(part, column) for column in COLUMNS}
        rows = tuple(
            (
                row["reasoner"],
                row["verifier"],
                tuple(_cell(row, column, best[column.name], cell, nothing) for column in COLUMNS),
            )
            for row in part.iter_rows(named=True)
        )
        budgets = sorted(part["budget"].unique())
        tokens = " or ".join(str(b) for b in budgets)
        found.append(Section(part["dataset"][0], f"N = {part['n'][0]}, at most {tokens} tokens", rows))
    return found


def _best(part: pl.DataFrame, column: Column) -> str | None:
    highest = part[column.name].max()
    return None if highest is None else column.text(float(highest))  # pyright: ignore[reportArgumentType]


def _cell(
    row: Mapping[str, Any],
    column: Column,
    best: str | None,
    cell: Callable[[str, str, str, bool], str],
    nothing: str,
) -> str:
    value = row[column.name]
    if value is None:
        return nothing
    # A metric of very few problems can be defined where no resample of them is.
    ends = [row[f"{column.name}_{end}"] for end in ("low", "high")]
    low, high = ("?" if end is None else column.text(end) for end in ends)
    return cell(column.text(value), low, high, column.text(value) == best)


def markdown(data: pl.DataFrame) -> str:
    """A pipe table under a heading for each data set."""

    def cell(value: str, low: str, high: str, best: bool) -> str:
        return f"{f'**{value}**' if best else value} [{low}, {high}]"

    def code(name: str) -> str:
        return f"`{name}`" if name else "–"

    lines = [NOTE]
    heading = ["reasoner", "verifier", *(column.heading for column in COLUMNS)]
    for section in sections(data, cell, "–"):
        lines += ["", f"### `{section.dataset}` ({section.about})", ""]
        lines.append(f"| {' | '.join(heading)} |")
        lines.append(f"|{'|'.join(['---', '---', *['---:'] * len(COLUMNS)])}|")
        for reasoner, verifier, cells in section.rows:
            lines.append(f"| {' | '.join([code(reasoner), code(verifier), *cells])} |")
    return "\n".join(lines) + "\n"


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


def latex(data: pl.DataFrame) -> str:
    r"""A `tabular` to \input (package booktabs); ends of intervals as sub- and superscript."""

    def cell(value: str, low: str, high: str, best: bool) -> str:
        shown = rf"\mathbf{{{value}}}" if best else value
        return rf"${shown}_{{{low}}}^{{{high}}}$"

    width = 2 + len(COLUMNS)
    lines = [
        r"% needs \usepackage{booktabs}",
        f"% {NOTE} Sub- and superscripts are the ends of the intervals.",
        rf"\begin{{tabular}}{{ll{'r' * len(COLUMNS)}}}",
        r"\toprule",
        " & ".join(["reasoner", "verifier", *(column.heading.replace("N", "$N$") for column in COLUMNS)])
        + r" \\",
    ]
    for section in sections(data, cell, "--"):
        about = section.about.replace("N = ", "$N$ = ")
        title = rf"\texttt{{{section.dataset.translate(TEX)}}} ({about})"
        lines += [r"\midrule", rf"\multicolumn{{{width}}}{{l}}{{{title}}} \\", r"\addlinespace"]
        for reasoner, verifier, cells in section.rows:
            names = [rf"\texttt{{{name.translate(TEX)}}}" if name else "--" for name in (reasoner, verifier)]
            lines.append(" & ".join([*names, *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


STYLE = """\
body { font: 14px/1.45 sans-serif; margin: 1.5em; color: #222; }
table { border-collapse: collapse; margin: 0.5em 0 2em; }
th, td { padding: 0.25em 0.7em; text-align: right; white-space: nowrap; border-bottom: 1px solid #ddd; }
th { border-bottom: 2px solid #666; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
small { color: #666; }"""


def html(data: pl.DataFrame) -> str:
    """A page of its own, one table a data set, without scripts or anything from outside."""

    def cell(value: str, low: str, high: str, best: bool) -> str:
        return f"{f'<b>{value}</b>' if best else value} <small>[{low}, {high}]</small>"

    def code(name: str) -> str:
        return f"<code>{escape(name)}</code>" if name else "–"

    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><title>Accuracy table</title>',
    ]
    lines += [f"<style>\n{STYLE}\n</style>", "</head>", "<body>", f"<p>{escape(NOTE)}</p>"]
    for section in sections(data, cell, "–"):
        lines += [f"<h2>{code(section.dataset)} ({escape(section.about)})</h2>", "<table>", "<thead><tr>"]
        lines += [f"<th>{name}</th>" for name in ("reasoner", "verifier", *(c.heading for c in COLUMNS))]
        lines += ["</tr></thead>", "<tbody>"]
        for reasoner, verifier, cells in section.rows:
            row = "".join(f"<td>{text}</td>" for text in (code(reasoner), code(verifier), *cells))
            lines.append(f"<tr>{row}</tr>")
        lines += ["</tbody>", "</table>"]
    return "\n".join([*lines, "</body>", "</html>"]) + "\n"
