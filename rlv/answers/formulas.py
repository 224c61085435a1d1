"""One formula of an answer -> its values (values.py); also thousands with commas, mixed numbers, degrees."""

from __future__ import annotations

import re

from rlv.answers import values
from rlv.answers.brackets import unbraced
from rlv.answers.names import SUBSCRIPT
from rlv.answers.values import Grid, Number, Unreadable

THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_SIDE_BY_SIDE = re.compile(r"[\d.]\s+[\d.]|\d\.\d*\.\d")
_MIXED_SLASH = re.compile(r"(?<![\d.,^_}/\\])(\d+)\s+(\d+)\s*/\s*(\d+)(?![\d.,/])")
_MIXED = re.compile(r"(?<![\d.,^_}/\\])(\d+)\s*\\frac\s*\{(\d+)\}\s*\{(\d+)\}")
_TIMES_FRACTION = re.compile(r"(?<=\d)\s*(?=\\frac)")


def formula(text: str) -> Number | Grid:
    """The values of a formula, mixed numbers and degrees included. Raises Unreadable."""
    text = unbraced(text.strip())
    text = re.sub(r"^\+\s*", "", text)
    if THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    text = _MIXED_SLASH.sub(_mixed, _MIXED.sub(_mixed, text))
    if _SIDE_BY_SIDE.search(SUBSCRIPT.sub("", text)):
        raise Unreadable("numbers side by side")
    text = _TIMES_FRACTION.sub(r" \\cdot ", text)
    if r"\circ" in text:
        trigonometric = re.search(r"\\(?:sin|cos|tan|cot|sec|csc)", text)
        # Elsewhere a number of degrees is a number, as some of MATH's references leave out the sign.
        text = re.sub(r"\^\s*\{?\s*\\circ\s*\}?", r"\\cdot \\frac{\\pi}{180}" if trigonometric else "", text)
    return values.formula(text)


def _mixed(match: re.Match[str]) -> str:
    whole, top, bottom = map(int, match.groups())
    # An improper fraction beside a number is no mixed number, and cannot be read.
    return rf"\frac{{{whole * bottom + top}}}{{{bottom}}}" if top < bottom else match[0]
