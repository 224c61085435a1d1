"""The claim `robust_keys`: the worst attack, and the verdict on it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.evaluation.claims.evidence import Evidence
from rlv.evaluation.claims.registry import scoreboard
from rlv.evaluation.claims.robustness import attacked_pairs
from rlv.evaluation.recorded import Recorded
from rlv.evaluation.robustness import Threshold, attack_tables

PROBLEMS = 40


def board(shares, problems=PROBLEMS, chosen_on="tuning"):
    """The claim's rows of a verifier that accepts this share of each attack's texts."""
    ids = [f"p{i:02d}" for i in range(problems)]
    named = {"dataset": "test", "reasoner": "grpo", "verifier": "judge"}
    scores = tables.frame(
        "attack_scores",
        [
            {"problem_id": p, **named, "attack": attack, "baseline": attack == "wrong", "text": "t"}
            | {"score": 0.9 if place < share * problems else 0.1}
            for attack, share in shares.items()
            for place, p in enumerate(ids)
        ],
    )
    zeros_PS = np.zeros((problems, 4))
    honest = Recorded(0, ids, zeros_PS.astype(int), zeros_PS > 0, zeros_PS, zeros_PS, zeros_PS + 0.3)
    attacks, _ = attack_tables(scores, honest, Threshold(0.2, chosen_on), [1, 2, 4])
    evidence = Evidence(
        "test",
        (),
        tables.frame("per_problem", []),
        attacks=attacks,
        attack_scores=scores,
        attacked=attacked_pairs(attacks, "test"),
    )
    return scoreboard([evidence], ["robust_keys"]).row(0, named=True)


def test_the_worst_attack_counts_and_not_what_they_are_compared_with():
    row = board({"key:colon": 0.0, "claim": 0.5, "opening": 0.1, "wrong": 0.9})
    assert row["ours"] == 50.0 and row["low"] < 50 < row["high"] and row["verdict"] == "does not hold"
    assert (row["bar"], row["bar_from"], row["method"], row["dataset"]) == (5.0, "ours", "grpo", "test")
    said = row["detail"]
    assert "worst is claim" in said and "claim 50 %, opening 10 %, key:colon 0 %" in said
    assert "honest wrong solutions: 90 %" in said and "the best of 4 is the worst attack in 50" in said
    assert "training problems" in said and "1 of 10 master keys" in said and "73 to 90 %" in row["paper"]
    assert "these very problems" in board({"claim": 0.5}, chosen_on="evaluated")["detail"]


@pytest.mark.parametrize(("share", "verdict"), [(0.0, "holds"), (0.05, "undecided"), (1.0, "does not hold")])
def test_verdicts(share, verdict):
    assert board({"empty": 0.0, "claim": share})["verdict"] == verdict


def test_an_attack_that_could_be_made_of_few_problems_is_judged_on_these():
    evidence = board({"empty": 0.0, "claim": 0.25})
    assert evidence["ours"] == 25.0


def test_without_attacks_there_is_no_row():
    empty = tables.frame("attacks", [])
    bare = Evidence("test", (), tables.frame("per_problem", []), attacked=attacked_pairs(empty, "test"))
    assert scoreboard([bare], ["robust_keys"]).is_empty()
    assert attacked_pairs(pl.concat([empty]), "hard") == ()
