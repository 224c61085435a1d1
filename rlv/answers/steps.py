r"""Where the reasoning steps of a solution begin: a rule on its text, and the token of each place.

A rule is a pattern. A step ends at the end of a match with a named group; a match without one only keeps the
text that it covers from being read. White space belongs to the step that follows it, and no step is only
white space.

    try       the mini task: a step begins at each word Try or Answer
    sentence  mathematical text: a step ends after a sentence, after display math, and at blank lines. The end
              of a sentence does not count in $...$ or \(...\) (but at the very end of it, as in
              "$x = 3.$ Then"), in a number, after the number of a list's item, and in i.e., e.g., cf., vs.

Left out: steps of equal length, and steps that a model marks.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Math does not run across a blank line: an unpaired dollar is money, and must not swallow the rest.
_INLINE = r"(?> \$ (?: \\. | (?!\n\s*\n) [^$\\] )+ \$ | \\\( (?: (?!\\\)|\n\s*\n) . )+ \\\) )"
_NAMES = ("align", "alignat", "eqnarray", "equation", "flalign", "gather", "multline")
_ENVIRONMENTS = f"(?:{'|'.join(_NAMES)})"
_DISPLAY = (
    r"(?> \$\$ .+? \$\$ | \\\[ .+? \\\]"
    rf"  | \\begin\{{ (?P<name> {_ENVIRONMENTS} \*? ) \}} .+? \\end\{{ (?P=name) \}} )"
)

STEP_RULES: dict[str, re.Pattern[str]] = {
    "try": re.compile(r"(?P<end>) \b (?= (?: Try | Answer ) \b )", re.VERBOSE),
    "sentence": re.compile(
        rf"""
          \\\\ | \\\$                                   # a line's end and a real dollar: no math begins here
        | \[asy\] .*? \[/asy\]                          # a drawing
        | {_DISPLAY} [.,;:!?]* (?P<end>)
        | {_INLINE} (?: (?<= [.!?]\$ ) | (?<= [.!?]\\\) ) ) (?=\s) (?P<end_math>)
        | {_INLINE}
        | ^ [^\S\n]* \d+ \.                             # the number of a list's item
        | \.{{2,}} | \b (?: i\.e | e\.g | cf | vs ) \.
        | (?: [.!?]++ ["'”’)\]}}*]*+ (?=\s) | \n [^\S\n]* (?=\n) ) (?P<end_text>)
        | [.!?]+                                        # no sentence ends here: not looked at again
        """,
        re.VERBOSE | re.DOTALL | re.MULTILINE,
    ),
}
# Signs that open and close anywhere in the rest of a text.
_PAIRS = [("\\[", "\\]"), ("[asy]", "[/asy]")] + [
    (rf"\begin{{{name}{star}}}", rf"\end{{{name}{star}}}") for name in _NAMES for star in ("", "*")
]
_BLANK_LINE = re.compile(r"(\n\s*\n)")


def text_steps(text: str, rule: str) -> list[int]:
    """Character offsets at which the steps of a text begin: increasing, the first is 0; no step is blank.

    Takes time in proportion to the text, whatever it opens and never closes.
    """
    last = len(text.rstrip())
    places = [0]
    read, begin = 0, 0  # up to the last match; without the white space that the next step takes
    for match in STEP_RULES[rule].finditer(_without_unclosed(text)):
        words = text[read : match.end()].rstrip()
        if words:
            begin = read + len(words)
        read = match.end()
        if match.lastgroup is not None and read < last and begin > places[-1]:
            places.append(begin)
    return places


def _without_unclosed(text: str) -> str:
    """The text, as long as before, with a NUL in each opening that nothing closes.

    They are no math either way, but a search would follow each to the end of the text to find that out.
    """
    for opening, closing in _PAIRS:
        text = _blunted(text, opening, closing)
    if "\\(" not in text:
        return text
    # Inline math ends with its paragraph.
    return "".join(_blunted(part, "\\(", "\\)") for part in _BLANK_LINE.split(text))


def _blunted(text: str, opening: str, closing: str) -> str:
    last = text.rfind(closing) + 1
    # "[" of "[asy]" stays: it may belong to "\\[".
    blunt = opening.replace("a", "\0") if opening == "[asy]" else "\0" + opening[1:]
    return text[:last] + text[last:].replace(opening, blunt)


def step_starts(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int], rule: str) -> list[int]:
    """Token offsets at which the steps of a solution begin: increasing, the first is 0.

    `rule` is a key of STEP_RULES. If a step begins within a token, the next token counts as its first. No
    step is blank, and the end token belongs to the last one. Empty for a solution without tokens. Costs three
    decodings of the solution, and a few of _WINDOW tokens a step.
    """
    if not token_ids:
        return []
    prefixes = _Prefixes(tokenizer, token_ids)
    text, length = prefixes.text, prefixes.length
    starts = [0]
    for place in text_steps(text, rule)[1:]:
        start = prefixes.first(place, starts[-1])
        if text[length(starts[-1]) : length(start)].strip():
            starts.append(start)
    # The last step may have lost its text to a token that the step before it owns.
    if len(starts) > 1 and not text[length(starts[-1]) :].strip():
        starts.pop()
    return starts


_WINDOW = 64
# Tokens decoded again before a window. Any eight bytes of UTF-8 hold a whole character.
_OVERLAP = 8


@dataclass(frozen=True)
class _Checkpoint:
    """`length` characters are the text of the first `offset` tokens, `seen` that of those from `start` on."""

    offset: int
    length: int
    start: int
    seen: int


class _Prefixes:
    """How long the text of the first n tokens is, for every n, without decoding from the first token.

    As decoders of streams do it: the text that tokens add is what they add to that of the few tokens before
    them. Checkpoints hold the lengths every _WINDOW tokens. If it is not certain that a decoding from the
    middle continues the text (characters of which bytes are missing, only special tokens), a checkpoint is
    left out, and the window before it grows.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._ids = list(token_ids)
        self._lengths: dict[int, int] = {}
        self.text = self._decoded(0, len(self._ids))
        self._checkpoints = [_Checkpoint(0, 0, 0, 0)]
        offset = _WINDOW
        while offset < len(self._ids):
            before = self._checkpoints[-1]
            found = self._checkpoint(offset, before)
            if found is not None:
                self._checkpoints.append(found)
            offset += _WINDOW if found is not None else offset - before.offset
        self._offsets = [c.offset for c in self._checkpoints]
        self._known = [c.length for c in self._checkpoints]

    def length(self, n: int) -> int:
        """Characters of the first n tokens; one of which only some bytes are there does not count yet."""
        if n not in self._lengths:
            before = self._checkpoints[bisect_right(self._offsets, n) - 1]
            self._lengths[n] = before.length + len(self._whole(before.start, n)) - before.seen
        return self._lengths[n]

    def first(self, place: int, start: int) -> int:
        """The first n from `start` on whose tokens reach `place` characters; all tokens if none does."""
        after = bisect_left(self._known, place)
        low = max(start, self._offsets[after - 1] if after else 0)
        high = self._offsets[after] if after < len(self._offsets) else len(self._ids)
        return bisect_left(range(len(self._ids)), place, lo=low, hi=high, key=self.length)

    def _checkpoint(self, offset: int, before: _Checkpoint) -> _Checkpoint | None:
        """None where decoding from _OVERLAP tokens before `offset` might not continue the text."""
        added = self._whole(before.start, offset)[before.seen :]
        length = before.length + len(added)
        start = offset - _OVERLAP
        tail = self._whole(start, offset)
        # One whole character, and the same one, lines both decodings up for all that follows.
        if tail and self.text[length - 1 : length] == tail[-1] and self.text.startswith(added, before.length):
            return _Checkpoint(offset, length, start, len(tail))
        return None

    def _whole(self, start: int, stop: int) -> str:
        # A character of which only some bytes are there decodes to U+FFFD.
        return self._decoded(start, stop).rstrip("\ufffd")

    def _decoded(self, start: int, stop: int) -> str:
        # Without the clean-up, so that the text of a prefix is a prefix of the text.
        return str(
            self._tokenizer.decode(
                self._ids[start:stop], skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )
