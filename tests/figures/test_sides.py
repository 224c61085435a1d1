"""On which side of the bar an interval lies: touching it decides nothing."""

import math

import polars as pl
import pytest

from rlv.figures.sides import counted, side


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        *((0.1, 0.2, "ahead"), (-0.2, -0.1, "behind"), (-0.1, 0.1, "undecided"), (0.0, 0.0, "undecided")),
        *((0.0, 0.2, "undecided"), (-0.2, 0.0, "undecided"), (1e-17, 0.2, "undecided")),
        *((0.1, math.inf, "ahead"), (None, 0.2, "undecided"), (0.1, None, "undecided")),
    ],
)
def test_side(low, high, expected):
    assert side(low, high) == expected
    if low is not None and high is not None:
        assert side(low + 1, high + 1, bar=1.0) == expected


def test_unknown_numbers_are_not_counted():
    rows = pl.DataFrame(
        {
            "ratio": [1.5, 0.5, 1.0, None],
            "ratio_low": [1.2, 0.2, 0.9, 1.1],
            "ratio_high": [math.inf, 0.9, 1.1, 1.2],
        }
    )
    found = counted(rows, "ratio", bar=1.0)
    assert found == (1, 1, 1) and found.all == 3
