"""Which method and data set a claim is about, and the places on its picture."""

from __future__ import annotations

import pytest

from rlv.pages.scoreboard import MARGIN, WIDTH, groups, subject, verdicts

COMPARED = {"grpo": {"base": "grpo", "rl_v": "grpo_v"}, "loo": {"base": "leave", "rl_v": "leave_v"}}
ROW = {"paper": "p", "bar_from": "ours", "verdict": "holds", "detail": "d", "predicted": None}


def row(name: str, statement: str, ours, low, high, bar: float, **rest) -> dict:
    return {
        **ROW,
        "id": name,
        "statement": statement,
        "ours": ours,
        "low": low,
        "high": high,
        "bar": bar,
        **rest,
    }


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("Points of grpo_v over grpo on test over 3 training seeds", ("grpo", "test")),
        ("Points of leave over base, from which it was trained, at N = 1 on hard", ("loo", "hard")),
        ("Gain of leave_v with grpo, N = 8, on test", ("loo", "test")),
        ("Seconds of a training step with the objective over one without", ("", "")),
        ("Points of grpo_very on testing and on test-set", ("", "")),
        ("Leads on hard, says grpo, but on test.", ("grpo", "test")),
    ],
)
def test_a_statement_is_about_the_first_reasoner_and_the_last_data_set(statement, found):
    assert subject(statement, COMPARED, ["test", "hard"]) == found


def test_every_row_is_in_one_group_and_rows_of_a_claim_share_a_scale():
    rows = [
        row("a", "leave on test", 5.0, 0.0, 10.0, 2.0),
        row("a", "grpo on test", 1.0, None, None, 2.0),
        row("b", "neither", None, None, None, 1.0, verdict="undecided"),
        row("c", "grpo on hard", 3.0, 2.0, None, 1.0),
    ]
    found = groups(rows, COMPARED, ["test", "hard"])
    assert [(g.method, g.dataset, [r.name for r in g.rows]) for g in found] == [
        ("grpo", "test", ["a"]),
        ("grpo", "hard", ["c"]),
        ("loo", "test", ["a"]),
        ("", "", ["b"]),
    ]
    picture = found[2].rows[0].picture
    assert (picture.low, picture.value, picture.high) == (MARGIN, WIDTH / 2, WIDTH - MARGIN)
    once = found[0].rows[0].picture
    assert once.low is None and once.high is None and once.bar == picture.bar
    assert once.value is not None and once.value == round(MARGIN + (WIDTH - 2 * MARGIN) / 10, 1)
    assert found[1].rows[0].picture.open_end and found[1].rows[0].number == "3 [2, unbounded]"
    assert found[3].rows[0].picture.value is None and found[3].rows[0].number == "undefined"
    assert verdicts(rows) == {"holds": 3, "undecided": 1}
