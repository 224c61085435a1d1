r"""When two problems are the same text: what is normalised before texts are compared.

Letters lose their case, LaTeX what only moves ink (\left and \right, \dfrac for \frac, thin spaces, dollar
signs), and white space goes but for one space between two words. Digits, operators and relations stay: $3+5$
and $3-5$ are two problems.
Left out on purpose: paraphrases, renamed variables and translated problems, which no normalisation finds.
"""

from __future__ import annotations

import re
import unicodedata

_COSMETIC = re.compile(
    r"(?:\\(?:left|right|displaystyle|textstyle|limits)(?![a-z])"  # how large, not what
    r"|\\[,;:!>]|\\(?:quad|qquad)(?![a-z])|\\\s|~"  # spaces
    r"|\\[\[\]()]|(?<!\\)\$"  # where mathematics begins and ends
    r"|\s)+"
)
_SPACE = re.compile(r"(?<!\w) +| +(?!\w)")
_FRACTION = re.compile(r"\\[dt]frac(?![a-z])")
_WORD = re.compile(r"[^\W_]+")


def normalised(text: str) -> str:
    """A text without what does not make it another problem; equal texts are the same problem."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _SPACE.sub("", _COSMETIC.sub(" ", _FRACTION.sub(r"\\frac", folded)))


def words(text: str) -> list[str]:
    """Runs of letters and digits in a text without case: the words of n-grams."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
