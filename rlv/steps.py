r"""Where the reasoning steps of a solution begin: a rule on its text, and the token of each place.

A rule is a pattern. A step ends where a match with a named group ends; a match without one only keeps what it
covers from being read. White space belongs to the step that follows it, and there is no step of white space
alone.

    try       the mini task: a step begins at each word Try or Answer
    sentence  mathematical text: a step ends after a sentence, after display math, and at blank lines. What
              looks like the end of a sentence is none in $...$ or \(...\) (but at the very end of it, as in
              "$x = 3.$ Then"), in a number, after the number of a list's item, and in i.e., e.g., cf., vs.

Left out on purpose: steps of equal length, and steps that a model marks.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Math does not run across a blank line: an unpaired dollar is money, and must not swallow the rest.
_INLINE = r"(?> \$ (?: \\. | (?!\n\s*\n) [^$\\] )+ \$ | \\\( (?: (?!\\\)|\n\s*\n) . )+ \\\) )"
_ENVIRONMENTS = "(?:align|alignat|eqnarray|equation|flalign|gather|multline)"
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
        | (?: [.!?]+ ["'”’)\]}}*]* (?=\s) | \n [^\S\n]* (?=\n) ) (?P<end_text>)
        """,
        re.VERBOSE | re.DOTALL | re.MULTILINE,
    ),
}


def text_steps(text: str, rule: str) -> list[int]:
    """Character offsets at which the steps of a text begin: increasing, the first is 0; no step is blank."""
    places = {0}
    for match in STEP_RULES[rule].finditer(text):
        if match.lastgroup is not None and text[match.end() :].strip():
            places.add(len(text[: match.end()].rstrip()))
    return sorted(places)


def step_starts(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int], rule: str) -> list[int]:
    """Token offsets at which the steps of a solution begin: increasing, the first is 0.

    `rule` is a key of STEP_RULES. Where a step begins within a token, the next token counts as its first. No
    step is blank, and the end token belongs to the last one. Empty for a solution without tokens. Costs
    log(tokens) decodings a step.
    """
    if not token_ids:
        return []

    def decoded(n: int) -> str:
        # Without the clean-up, so that the text of a prefix is a prefix of the text.
        return str(
            tokenizer.decode(
                list(token_ids[:n]), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    @cache
    def length(n: int) -> int:
        # A character of which only some bytes are there decodes to U+FFFD and does not count yet.
        return len(decoded(n).rstrip("\ufffd"))

    text = decoded(len(token_ids))
    starts = [0]
    for place in text_steps(text, rule)[1:]:
        start = bisect_left(range(len(token_ids)), place, lo=starts[-1], key=length)
        if text[length(starts[-1]) : length(start)].strip():
            starts.append(start)
    # The last step may have lost its text to a token that the step before it owns.
    if len(starts) > 1 and not text[length(starts[-1]) :].strip():
        starts.pop()
    return starts
