r"""Where a text may be taken apart: at signs outside all brackets. parsing.py knows their meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from rlv.answers.trees import Unreadable

DEPTH = 30  # of brackets in brackets; a text with deeper ones is no answer
_TOKEN = re.compile(
    r"\\begin\s*\{[a-zA-Z*]+\}|\\end\s*\{[a-zA-Z*]+\}"
    r"|\\(?:text|mbox|textbf|textit|textrm|mathrm)\s*\{[^{}]*\}"
    r"|\\[a-zA-Z]+|\\.|:=|[<>!]=|[-+*/^_]|\b(?:and|or|to)\b|[A-Za-z]+|.",
    re.DOTALL,
)
_OPENING = {"(", "[", "{", r"\{", r"\lfloor", r"\lceil", r"\langle"}
_CLOSING = {")", "]", "}", r"\}", r"\rfloor", r"\rceil", r"\rangle"}
_JOINING = re.compile(r"\\(?:text|mbox|textbf|textit|textrm|mathrm)\s*\{\s*,?\s*(and|or|to)\s*\}|(and|or|to)")


def _tokens(text: str) -> Iterator[tuple[str, int, int, int]]:
    """Every token with its depth in brackets and where it begins and ends."""
    depth = 0
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in _CLOSING or token.startswith(r"\end"):
            depth -= 1
            if depth < 0:
                raise Unreadable("brackets")
        yield token, depth, match.start(), match.end()
        if token in _OPENING or token.startswith(r"\begin"):
            depth += 1
            if depth > DEPTH:
                raise Unreadable("brackets in brackets")
    if depth:
        raise Unreadable("brackets")


def pieces(text: str, sign: Callable[[str], str | None]) -> list[tuple[str, str]]:
    """The parts between signs outside brackets, each with the sign before it ("" for the first)."""
    found, before, start = [], "", 0
    for token, depth, begin, end in _tokens(text):
        name = sign(token) if depth == 0 else None
        if name is not None:
            found.append((before, text[start:begin]))
            before, start = name, end
    return [*found, (before, text[start:])]


def joining(token: str) -> str | None:
    """The word and, or, to that joins two parts; None for any other token."""
    match = _JOINING.fullmatch(token)
    return match and (match[1] or match[2])


def separator(token: str) -> str | None:
    """What separates two elements of a list: a comma, and, or; None for any other token."""
    word = joining(token)
    if token == "," or word in ("and", "or"):
        return word or ","
    return "or" if token == r"\lor" else "and" if token in (r"\land", r"\wedge") else None


def unbraced(text: str) -> str:
    """The text without the braces that enclose all of it."""
    for _ in range(DEPTH):
        if not (text.startswith("{") and text.endswith("}")):
            break
        whole = bracketed(text)
        if whole is None:
            break
        text = whole[1].strip()
    return text


def bracketed(text: str) -> tuple[str, str, str] | None:
    """(opening, inside, closing) of a text that stands in brackets as a whole, else None."""
    opening = next((o for o in (r"\{", "(", "[", "{") if text.startswith(o)), None)
    closing = next((c for c in (r"\}", ")", "]", "}") if text.endswith(c)), None)
    if opening is None or closing is None:
        return None
    for token, depth, begin, end in _tokens(text):
        if depth == 0 and begin > 0 and token in _CLOSING:
            return (opening, text[len(opening) : begin], token) if end == len(text) else None
    return None
