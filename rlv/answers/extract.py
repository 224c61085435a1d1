"""The final answer of a solution, as the string that the solution gives.

Left out on purpose: any guess. A solution that does not mark its answer in the agreed format has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rlv.errors import DataError

_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{|\\(?:boxed|fbox)(?=[\s\\\d-])")
# An escaped character is skipped as a whole: \{ and \} are no braces.
_BRACES = re.compile(
    r"(?P<box>\\(?:boxed|fbox|framebox)\s*\{)"
    # Without braces, as in "$\boxed 5$": up to the dollar sign, as MATH's authors read it. One in a line.
    r"|(?P<bare>\\(?:boxed|fbox)(?=[\s\\\d-])"
    r"(?P<content>(?:\\(?!boxed|fbox)[^\n]|[^$\n{}\\]|\{[^{}$\n]*\}){1,200})\$)"
    r"|\\.|(?P<open>\{)|(?P<close>\})",
    re.DOTALL,
)
# GSM8K's mark, and what models that learned from such solutions write; up to the end of the line or sentence.
_STATED = re.compile(r"(?:####|\banswer is)([^\n]*)", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!](?=\s|$)")
# What sets an answer off within a sentence: LaTeX's math signs and Markdown's bold.
_SET_OFF = (("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"))
_MARKER = re.compile(r"\bAnswer\b[^\S\n]*:?([^\n]*)")


def extract_answer(text: str, answer_format: str) -> str | None:
    """The answer that a solution's text gives, stripped; None where it gives none (or an empty one).

    "boxed": what stands inside the last complete \\boxed{...}, \\fbox{...} or \\framebox{...} (a box that a
    length limit cut off does not count); $\\boxed 5$ is read too, up to the dollar sign. "marker": what
    follows the last word "Answer" (and a colon, if there is one) up to the end of its line, without a full
    stop at the end. "stated": a box, as in "boxed"; else what follows the last "####" or "answer is", up to
    the end of the line or sentence. Raises DataError for any other format.
    """
    if answer_format not in ANSWER_FORMATS:
        raise DataError(f"unknown answer format {answer_format!r}; known: {', '.join(ANSWER_FORMATS)}")
    return ANSWER_FORMATS[answer_format](text)


def answer_end(text: str, answer_format: str) -> int | None:
    """Where an answer ends that the text before `text` has opened (prompts.ANSWER_PREFIXES); None: nowhere.

    "boxed": after the brace that closes the box. Others: nowhere, such an answer goes on until the solution
    ends. Raises DataError for any other format.
    """
    if answer_format not in ANSWER_FORMATS:
        raise DataError(f"unknown answer format {answer_format!r}; known: {', '.join(ANSWER_FORMATS)}")
    if answer_format != "boxed":
        return None
    depth = 1
    for token in _BRACES.finditer(text):
        depth += bool(token["box"] or token["open"]) - bool(token["close"])
        if depth == 0:
            return token.end()
    return None


def _boxed(text: str) -> str | None:
    first = _BOX.search(text)
    if first is None:
        return None
    # One pass with a stack, so that ten thousand unclosed boxes cost no more than one.
    opened: list[int | None] = []  # where the content of a box begins; None for other braces
    last = (-1, -1)
    for token in _BRACES.finditer(text, first.start()):
        if token["box"]:
            opened.append(token.end())
        elif token["bare"]:
            last = token.span("content")
        elif token["open"]:
            opened.append(None)
        elif token["close"] and opened:
            begin = opened.pop()
            if begin is not None and begin > last[0]:
                last = (begin, token.start())
    return text[last[0] : last[1]].strip() or None if last[0] >= 0 else None


def _marker(text: str) -> str | None:
    # Everything before the last "Answer" is of no interest, and may be long.
    start = text.rfind("Answer")
    while start >= 0:
        match = _MARKER.match(text, start)
        if match is not None:
            return match[1].strip().removesuffix(".").strip() or None
        start = text.rfind("Answer", 0, start)
    return None


def _stated(text: str) -> str | None:
    boxed = _boxed(text)
    if boxed is not None:
        return boxed
    said = [rest for match in _STATED.finditer(text) if (rest := match[1].strip().removeprefix(":").strip())]
    answer = _SENTENCE_END.split(said[-1], maxsplit=1)[0].strip() if said else ""
    for begin, end in _SET_OFF:
        if answer.startswith(begin) and answer.endswith(end) and len(answer) > len(begin) + len(end):
            answer = answer[len(begin) : -len(end)].strip()
    return answer or None


ANSWER_FORMATS: dict[str, Callable[[str], str | None]] = {
    "boxed": _boxed,
    "marker": _marker,
    "stated": _stated,
}
