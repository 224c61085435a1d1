"""The scoreboard as lines of text and as a Markdown table."""

from __future__ import annotations

from rlv.commands.claims import claims_lines, claims_table
from rlv.evaluation.bootstrap import Estimate
from rlv.evaluation.claims.rows import OURS, PAPER, row

NAN, INF = float("nan"), float("inf")
ROWS = [
    row("math_gain", "gain on test", "over 20 %", Estimate(62.5, 52.9, 72.6), 20.0, PAPER, "more"),
    row("separate", "points on test", "not stated", Estimate(-3.0, -4.0, -2.0), 0.0, OURS, "more"),
    row("joint_scaling", "ratio on hard", "1.2-1.6x", Estimate(1.5, 1.1, INF), 1.2, PAPER, "more"),
    row("joint_scaling", "ratio on ood", "1.2-1.6x", Estimate(NAN, INF, INF), 1.2, PAPER, "more"),
]


def test_markdown_says_whose_a_bar_is():
    assert claims_table(ROWS)[2:] == [
        "| gain on test | 62.5 [52.9, 72.6] | 20 (paper) | reproduced |",
        "| points on test | -3 [-4, -2] | 0 (ours) | does not hold |",
        "| ratio on hard | 1.5 [1.1, unbounded] | 1.2 (paper) | undecided |",
        "| ratio on ood | undefined | 1.2 (paper) | undecided |",
    ]


def test_lines_say_whose_a_bar_is_and_what_the_paper_says():
    lines = claims_lines(ROWS)
    assert lines[0] == "REPRODUCED      math_gain: 62.5 [52.9, 72.6]; bar 20 (paper); paper: over 20 %"
    assert lines[4] == "DOES NOT HOLD   separate: -3 [-4, -2]; bar 0 (ours); paper: not stated"
    assert lines[5:7] == [" " * 16 + "points on test", " " * 16 + "more"]
