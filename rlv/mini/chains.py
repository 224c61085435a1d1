"""Verification chains of the mini task: the words in which a judge works a solution out again.

For each try of the solution its values, worked out anew, and whether the try as written agrees with them;
then whether the answer follows; then the verdict. After y, its end token and CHAIN_INSTRUCTION (prompts.py):

    Check 8 13 5 6 11 ok Check 5 8 7 8 15 ok Answer ok Yes

The judge that samples such chains is rlv/scoring/chains.py. This module has the form and no opinion: whoever
writes chains for a corpus decides what agrees.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlv.prompts import LABELS

CHECK, OK, WRONG = "Check", "ok", "wrong"
ANSWER = "Answer"
# The words that only chains have; the tokenizer adds them after all others.
CHAIN_WORDS = (CHECK, OK, WRONG)


def chain_text(tries: Sequence[tuple[Sequence[int], bool]], answer_agrees: bool, right: bool) -> str:
    """A chain in words, the verdict last.

    `tries`: of each try the guess and its values as worked out anew, and whether the try as written agrees.
    `answer_agrees`: whether the answer follows from the tries. `right`: the verdict, Yes or No.
    """
    words: list[str] = []
    for values, agrees in tries:
        words += [CHECK, *map(str, values), OK if agrees else WRONG]
    return " ".join([*words, ANSWER, OK if answer_agrees else WRONG, LABELS[0] if right else LABELS[1]])
