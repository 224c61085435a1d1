"""Verdicts, and numbers without meaning."""

from __future__ import annotations

import pytest

from rlv.evaluation.bootstrap import Estimate
from rlv.evaluation.claims.rows import bar, number, row, spread, verdict

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("low", "high", "direction", "wanted"),
    [
        (21, 30, "above", "reproduced"),
        (20, 30, "above", "undecided"),
        (10, 19, "above", "not reproduced"),
        (10, 20, "above", "undecided"),
        (10, 30, "above", "undecided"),
        (10, 19, "below", "reproduced"),
        (10, 20, "below", "undecided"),
        (21, 30, "below", "not reproduced"),
        (20, 30, "below", "undecided"),
        (NAN, 30, "above", "undecided"),
        (10, NAN, "below", "undecided"),
        (20 - 1e-12, 30, "above", "undecided"),
        (20 + 1e-12, 30, "above", "undecided"),
        (10, 20 - 1e-12, "above", "undecided"),
        (10, 20 + 1e-12, "below", "undecided"),
        (21, INF, "above", "reproduced"),
        (10, INF, "above", "undecided"),
        (21, INF, "below", "not reproduced"),
        (20 - 1e-12, 20 + 1e-12, "above", "undecided"),
        (20, 20, "below", "undecided"),
    ],
)
def test_verdict(low, high, direction, wanted):
    assert verdict(low, high, 20, direction) == wanted
    ours = {"reproduced": "holds", "not reproduced": "does not hold"}
    assert verdict(low, high, 20, direction, "ours") == ours.get(wanted, wanted)


def test_no_other_direction():
    with pytest.raises(ValueError, match="'up'"):
        verdict(0, 1, 0, "up")
    with pytest.raises(ValueError, match="'theirs'"):
        verdict(0, 1, 0, "above", "theirs")


def test_a_number_without_meaning_is_null_and_decides_nothing():
    made = row("gain", "s", "p", Estimate(NAN, NAN, NAN), 0.0, "ours", "d")
    assert (made["ours"], made["low"], made["high"], made["verdict"]) == (None, None, None, "undecided")
    # A base method that is never right: the ends say nothing without a number.
    made = row("gain", "s", "p", Estimate(NAN, INF, INF), 0.0, "paper", "d")
    assert (made["ours"], made["low"], made["high"], made["verdict"]) == (None, None, None, "undecided")
    made = row("gain", "s", "p", Estimate(3.0, 2.0, INF), 1.0, "paper", "d")
    assert (made["ours"], made["low"], made["high"], made["verdict"]) == (3.0, 2.0, None, "reproduced")
    assert number(made) == "3 [2, unbounded]" and bar(made) == "1 (paper)"


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (Estimate(1, 0.5, 2), "+1.0 [+0.5, +2.0]"),
        (Estimate(1, 0.5, INF), "+1.0 [+0.5, unbounded]"),
        (Estimate(1, NAN, NAN), "+1.0 [undefined]"),
        (Estimate(NAN, NAN, NAN), "undefined"),
        (Estimate(NAN, INF, INF), "undefined"),
        (Estimate(INF, INF, INF), "undefined"),
    ],
)
def test_no_nan_and_no_inf_is_printed(found, wanted):
    assert spread(found, "+.1f") == wanted
