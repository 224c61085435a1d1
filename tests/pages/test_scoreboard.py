"""Claims by method and data set, and the places on their pictures."""

from __future__ import annotations

from rlv.pages.scoreboard import MARGIN, WIDTH, groups, verdicts

ROW = {"paper": "p", "bar_from": "ours", "verdict": "holds", "detail": "d", "predicted": None}


def row(name: str, about: tuple[str, str], ours, low, high, bar: float, **rest) -> dict:
    return {
        **ROW,
        "id": name,
        "statement": "s",
        "method": about[0],
        "dataset": about[1],
        "ours": ours,
        "low": low,
        "high": high,
        "bar": bar,
        **rest,
    }


def test_every_row_is_in_one_group_and_rows_of_a_claim_share_a_scale():
    rows = [
        row("a", ("loo", "test"), 5.0, 0.0, 10.0, 2.0),
        row("a", ("grpo", "test"), 1.0, None, None, 2.0),
        row("b", ("", ""), None, None, None, 1.0, verdict="undecided"),
        row("c", ("grpo", "hard"), 3.0, 2.0, None, 1.0),
    ]
    found = groups(rows, ["grpo", "loo"], ["test", "hard"])
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


def test_rows_of_a_scoreboard_that_is_too_old_to_say_come_last():
    old = {k: v for k, v in row("a", ("", ""), 1.0, 0.0, 2.0, 0.0).items() if k not in ("method", "dataset")}
    new = row("a", ("grpo", "test"), 1.0, 0.0, 2.0, 0.0)
    unknown = row("a", ("grpo", "elsewhere"), 1.0, 0.0, 2.0, 0.0)
    found = groups([old, new, unknown], ["grpo"], ["test"])
    assert [(g.method, g.dataset, len(g.rows)) for g in found] == [("grpo", "test", 1), ("", "", 2)]
