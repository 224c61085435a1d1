"""The final answer of a solution, as the string that the solution gives.

Nothing is guessed: a solution that does not mark its answer in the agreed format has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from rlv.errors import DataError

# Characters that are read of a text longer than any solution: on either side of its last box, or at its end.
LONGEST = 400_000

# "\\\\boxed" is a line break and a box, or a box escaped twice.
_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{|\\(?:boxed|fbox)(?=[\s\\\d-])")
# An escaped character is skipped as a whole: \{ and \} are no braces.
_BRACES = re.compile(
    r"(?P<box>\\(?:boxed|fbox|framebox)\s*\{)"
    # Without braces, as in "$\boxed 5$": up to the dollar sign, as MATH's authors read it. One in a line.
    r"|(?P<bare>\\(?:boxed|fbox)(?=[\s\\\d-])"
    r"(?P<content>(?:\\(?!boxed|fbox)[^\n]|[^$\n{}\\]|\{[^{}$\n]*\}){1,200})\$)"
    r"|\\(?!\\(?:boxed|fbox|framebox)).|(?P<open>\{)|(?P<close>\})",
    re.DOTALL,
)
# What joins the boxes of one list: a comma or a word, and nothing but typesetting around it.
_SETTING = r"(?:[\s$&~]|\\[,;:! ()\[\]]|\\\\|\\q?quad(?![a-zA-Z]))*"
_WORD = r"(?:and|or|\\(?:text|mbox|textrm|mathrm)\s*\{\s*,?\s*(?:and|or)\s*\})"
_JOINED = re.compile(
    rf"{_SETTING}(?:[,;]{_SETTING}{_WORD}?|{_WORD}){_SETTING}(?:(?P<name>[A-Za-z])\s*={_SETTING})?"
)
# The name before a box, as in "x = \\boxed{2} or x = \\boxed{3}": two values of one name are a list.
_NAMED = re.compile(rf"(?<![A-Za-z\d\\)}}^_])([A-Za-z])\s*={_SETTING}$")
# GSM8K's mark, and what models that learned from such solutions write; up to the end of the line or sentence.
_STATED = re.compile(r"(?:####|\banswer is)([^\n]*)", re.IGNORECASE)
# In a sentence's text, apart from mathematics, these letters after a number and a space are its unit.
_MEASURED = re.compile(r"([-+]?\d[\d,]*(?:\.\d+)?)\s+(?:in|mi|m|g|s|h|l|L|N|J|W|V)")
_SENTENCE_END = re.compile(r"[.!](?=\s|$)|,?\s(?:because|since|as|which|so)\s")
# What sets an answer off within a sentence: LaTeX's math signs and Markdown's bold.
_SET_OFF = (("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"))
_MARKER = re.compile(r"\bAnswer\b[^\S\n]*:?([^\n]*)")


def extract_answer(text: str, answer_format: str) -> str | None:
    """The answer that a solution's text gives, stripped; None if it gives none, or an empty one.

    "boxed": what stands inside the last \\boxed{...}, \\fbox{...} or \\framebox{...}; several boxes with
    nothing but commas, "and" or "or" between them are one list, and so are several values of one name, each
    in its box. If the last box is not closed, the answer that it began is unknown, and earlier boxes do not
    count. $\\boxed 5$ is read too, up to the dollar sign.
    "marker": what follows the last word "Answer" (and a colon, if there is one) up to the end of its line,
    without a full stop at the end. "stated": a box, as in "boxed"; else what follows the last "####" or
    "answer is", up to the end of the line, sentence, or reason given for it. Of a text of more than LONGEST
    characters a part is read. Raises DataError for any other format.
    """
    if answer_format not in ANSWER_FORMATS:
        raise DataError(f"unknown answer format {answer_format!r}; known: {', '.join(ANSWER_FORMATS)}")
    return ANSWER_FORMATS[answer_format](text)


def answer_end(text: str, answer_format: str) -> int | None:
    """The end, in `text`, of an answer that the text before it has opened (prompts.ANSWER_PREFIXES).

    "boxed": after the brace that closes the box. Other formats: None, such an answer goes on until the
    solution ends. Raises DataError for any other format.
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


def last_box(text: str) -> str | None:
    """The content of the last complete box, as the references of data sets use it; None if there is none."""
    found, _ = _boxes(_window(text))
    return found[-1].content or None if found else None


@dataclass(frozen=True)
class _Box:
    begin: int
    end: int
    content: str  # of boxes in each other that of the innermost


def _boxes(text: str) -> tuple[list[_Box], bool]:
    """The complete boxes in their order, and whether another one begins after them."""
    first = _BOX.search(text)
    if first is None:
        return [], False
    # One pass with a stack, so that ten thousand unclosed boxes cost no more than one.
    opened: list[tuple[int, int] | None] = []  # where box and content begin; None: other braces
    found: list[_Box] = []
    for token in _BRACES.finditer(text, first.start()):
        if token["box"]:
            opened.append(token.span())
        elif token["bare"]:
            found.append(_Box(*token.span(), token["content"].strip()))
        elif token["open"]:
            opened.append(None)
        elif token["close"] and opened:
            box = opened.pop()
            if box is None:
                continue
            if found and found[-1].begin > box[0]:
                found[-1] = _Box(box[0], token.end(), found[-1].content)
            else:
                found.append(_Box(box[0], token.end(), text[box[1] : token.start()].strip()))
    unclosed = max((box[0] for box in opened if box is not None), default=-1)
    return found, bool(found) and unclosed > found[-1].begin


def _window(text: str) -> str:
    last = max(text.rfind(command) for command in ("\\boxed", "\\fbox", "\\framebox"))
    return text[max(0, last - LONGEST) : last + LONGEST] if last >= 0 else ""


def _boxed(text: str) -> str | None:
    text = _window(text)
    found, unclosed = _boxes(text)
    if not found or unclosed or not found[-1].content:
        return None
    answer, begin = found[-1].content, found[-1].begin
    seen = {answer}
    for box in reversed(found[:-1]):
        joined = _JOINED.fullmatch(text, box.end, begin)
        if joined is None or not box.content:
            break
        if joined["name"]:
            named = _NAMED.search(text, max(0, box.begin - 40), box.begin)
            if named is None or named[1] != joined["name"]:
                break
        begin = box.begin
        if box.content not in seen:
            seen.add(box.content)
            answer = box.content + (r" \text{ or } " if "or" in joined[0] else ", ") + answer
    return answer


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
    said = [
        rest
        for match in _STATED.finditer(text[-LONGEST:])
        if (rest := match[1].strip().removeprefix(":").strip())
    ]
    answer = _SENTENCE_END.split(said[-1], maxsplit=1)[0].strip() if said else ""
    measured = _MEASURED.fullmatch(answer)
    if measured:
        return measured[1]
    for begin, end in _SET_OFF:
        if answer.startswith(begin) and answer.endswith(end) and len(answer) > len(begin) + len(end):
            answer = answer[len(begin) : -len(end)].strip()
    return answer or None


ANSWER_FORMATS: dict[str, Callable[[str], str | None]] = {
    "boxed": _boxed,
    "marker": _marker,
    "stated": _stated,
}
