"""On which side of a bar an interval lies: the one rule that claims and captions decide by.

An interval that touches the bar is undecided, and so is one that is nothing but the bar: two methods that do
the same on every problem say nothing about which is better. Left out on purpose: words for it.
"""

from __future__ import annotations

import math

# Differences of equal numbers, in another order.
ROUNDING = 1e-9


def side(low: float | None, high: float | None, bar: float = 0.0) -> str:
    """ "ahead" where the whole interval is above the bar, "behind" where below, otherwise "undecided".

    Ends may be infinite; where one is undefined (None or NaN), nothing is decided.
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return "undecided"
    if low > bar + ROUNDING:
        return "ahead"
    return "behind" if high < bar - ROUNDING else "undecided"
