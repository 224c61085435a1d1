r"""Systems of equations, row by row: `\begin{cases} x = 1 \\ y = 2 \end{cases}` is `x = 1 \\ y = 2`.

Every row of a system has a relation. A matrix, and a function that is defined by cases, stays as it is.
"""

from __future__ import annotations

import re

_ENVIRONMENT = re.compile(
    r"(?:\\left\s*)?(?:\\\{)?\s*\\begin\s*\{([dr]?cases|array|matrix|aligned|alignedat|align\*?|gathered|split)\}"
    r"(?:\[[a-z]\])?(?:\s*\{[lcr| \d]*\})?(.*)\\end\s*\{\1\}\s*(?:\\right\s*\.)?[\s.,;]*",
    re.DOTALL,
)
_SIGN = r"(?:=|<|>|\\(?:leq?|geq?|leqslant|geqslant|neq?|lt|gt|in|equiv|approx)(?![A-Za-z]))"
_ALIGNED = re.compile(rf"^\s*&|&\s*(?={_SIGN})|(?<=&)\s+&")
_ALIGNED_AFTER = re.compile(rf"({_SIGN})\s*&")


def is_row(text: str) -> bool:
    """Whether a text may be a row of a system: a relation, and no further step of the row before."""
    return re.search(_SIGN, text) is not None and re.match(rf"\s*{_SIGN}", text) is None


def opened(text: str) -> str:
    r"""The rows of a text that is nothing but one system, with `\\` between them; any other text as it is."""
    environment = _ENVIRONMENT.fullmatch(text)
    if environment is None:
        return text
    rows = [row for row in environment[2].split(r"\\") if row.strip()]
    rows = [_ALIGNED_AFTER.sub(r"\1", _ALIGNED.sub("", row)).strip(" ,;.") for row in rows]
    whole = all(is_row(row) and "&" not in row and r"\begin" not in row for row in rows)
    return r" \\ ".join(rows) if rows and whole else text
