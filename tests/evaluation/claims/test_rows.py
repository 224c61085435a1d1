"""Verdicts, and numbers without meaning."""

from __future__ import annotations

import pytest

from rlv.evaluation.bootstrap import Estimate
from rlv.evaluation.claims.rows import row, spread, verdict

NAN = float("nan")


@pytest.mark.parametrize(
    ("low", "high", "direction", "wanted"),
    [
        (21, 30, "above", "reproduced"),
        (20, 30, "above", "reproduced"),
        (10, 19, "above", "not reproduced"),
        (10, 20, "above", "undecided"),
        (10, 30, "above", "undecided"),
        (10, 19, "below", "reproduced"),
        (10, 20, "below", "reproduced"),
        (21, 30, "below", "not reproduced"),
        (20, 30, "below", "undecided"),
        (NAN, 30, "above", "undecided"),
        (10, NAN, "below", "undecided"),
        (20 - 1e-12, 30, "above", "reproduced"),
        (20 - 1e-12, 20 + 1e-12, "above", "undecided"),
        (20, 20, "below", "undecided"),
    ],
)
def test_verdict(low, high, direction, wanted):
    assert verdict(low, high, 20, direction) == wanted


def test_no_other_direction():
    with pytest.raises(ValueError, match="'up'"):
        verdict(0, 1, 0, "up")


def test_a_number_without_meaning_is_null_and_decides_nothing():
    made = row("gain", "s", "p", Estimate(NAN, NAN, NAN), 0.0, "d")
    assert (made["ours"], made["low"], made["high"], made["verdict"]) == (None, None, None, "undecided")
    assert spread(Estimate(NAN, NAN, NAN), ".1f") == "undefined"
    assert spread(Estimate(1, 0.5, 2), "+.1f") == "+1.0 [+0.5, +2.0]"
