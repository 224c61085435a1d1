"""On which side of a bar an interval lies: the one rule that claims and captions decide by.

An interval that touches the bar is undecided, and so is one that is nothing but the bar: that two methods do
the same on every problem is no evidence of which is better.
"""

from __future__ import annotations

import math

# Differences of equal numbers, in another order.
ROUNDING = 1e-9


def side(low: float | None, high: float | None, bar: float = 0.0) -> str:
    """ "ahead" if the whole interval is above the bar, "behind" if below, otherwise "undecided".

    Ends may be infinite; if one is undefined (None or NaN), nothing is decided.
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return "undecided"
    if low > bar + ROUNDING:
        return "ahead"
    return "behind" if high < bar - ROUNDING else "undecided"
