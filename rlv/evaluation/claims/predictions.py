"""Predictions that a study wrote down before its run, beside the numbers that came out.

One prediction is about one number of every method: `early_gain test` is the first row that the claim
`early_gain` has on the data set `test` for each method (N = 4), `early_gain test 2` the second (N = 8). The
order of a claim's rows is its own, and the same for every method.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ROW = re.compile(r"(?P<claim>[a-z0-9_]+) (?P<dataset>[a-z0-9_]+)( (?P<place>[2-9]))?")


def predicted_row(name: str) -> tuple[str, str, int]:
    """(claim, data set, which of its rows, from 1) that a prediction's name means. Raises ValueError."""
    found = _ROW.fullmatch(name)
    if found is None:
        raise ValueError(f'expected "CLAIM DATASET" or "CLAIM DATASET 2", found {name!r}')
    return found["claim"], found["dataset"], int(found["place"] or 1)


def judged(prediction: Mapping[str, Any], number: float | None) -> str:
    """`20 to 35: hit`, or `missed`: whether a claim's number lies in what was predicted, ends included.

    `prediction`: low and high, None an open end. The number decides, not its interval: a wide one would hit
    everything. An undefined number (None) is `undefined`.
    """
    low, high = prediction["low"], prediction["high"]
    if low is None:
        said = f"at most {high:g}"
    else:
        said = f"at least {low:g}" if high is None else f"{low:g} to {high:g}"
    if number is None:
        return f"{said}: undefined"
    inside = (low is None or low <= number) and (high is None or number <= high)
    return f"{said}: {'hit' if inside else 'missed'}"
