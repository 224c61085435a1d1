"""Predictions beside numbers: which row one is about, and what is a hit."""

from __future__ import annotations

import polars as pl
import pytest

from rlv.commands.claims import claims_lines, claims_table
from rlv.evaluation.claims.evidence import HARD, Evidence, Pair
from rlv.evaluation.claims.page import page
from rlv.evaluation.claims.predictions import judged, predicted_row
from rlv.evaluation.claims.registry import scoreboard
from tests.evaluation.claims.tables_for_claims import two_methods


@pytest.mark.parametrize(
    ("low", "high", "number", "wanted"),
    [
        (20, 35, 20.0, "20 to 35: hit"),
        (20, 35, 35.0001, "20 to 35: missed"),
        (None, -0.5, -1.0, "at most -0.5: hit"),
        (None, 3, 4.0, "at most 3: missed"),
        (0, None, 0.0, "at least 0: hit"),
        (0.5, None, -1e9, "at least 0.5: missed"),
        (1, 2, None, "1 to 2: undefined"),
    ],
)
def test_a_number_hits_what_it_lies_in(low, high, number, wanted):
    assert judged({"low": low, "high": high}, number) == wanted


def test_a_prediction_names_claim_data_set_and_place():
    assert predicted_row("early_gain test") == ("early_gain", "test", 1)
    assert predicted_row("early_gain test 2") == ("early_gain", "test", 2)
    for odd in ("early_gain", "early_gain test 1", "early_gain test two", "a  b", "a b ", "a b 2 3", ""):
        with pytest.raises(ValueError, match="CLAIM DATASET"):
            predicted_row(odd)


@pytest.fixture
def board(overhead):
    """Two methods on two data sets; that of the second method is 10 points less accurate."""
    first = pl.concat([two_methods("test"), two_methods("hard")])
    other = first.with_columns(
        reasoner=pl.col("reasoner").str.replace("grpo", "ppo"),
        accuracy=pl.when(pl.col("reasoner") == "grpo_v").then(pl.col("accuracy") - 0.1).otherwise("accuracy"),
    )
    pairs, table = (Pair("grpo", "grpo_v"), Pair("ppo", "ppo_v")), pl.concat([first, other])
    evidence = [Evidence("test", pairs, table, overhead=overhead), Evidence("hard", pairs, table, HARD)]
    predictions = {
        "early_gain test": {"low": 15, "high": None},
        "early_gain hard 2": {"low": 0, "high": 15},
        "overhead test 2": {"low": None, "high": 1.2},
        "easy_to_hard hard 2": {"low": 30, "high": 40},
    }
    return scoreboard(evidence, predictions=predictions)


def test_one_prediction_is_about_the_same_row_of_every_method(board):
    found = board.filter(pl.col("predicted").is_not_null()).select("id", "statement", "predicted").rows()
    said = [(name, "grpo" in statement, predicted) for name, statement, predicted in found]
    assert said == [
        ("early_gain", True, "at least 15: hit"),
        ("early_gain", False, "at least 15: missed"),
        ("early_gain", True, "0 to 15: missed"),
        ("early_gain", False, "0 to 15: hit"),
        ("easy_to_hard", True, "30 to 40: missed"),
        ("easy_to_hard", False, "30 to 40: missed"),
        ("overhead", False, "at most 1.2: hit"),
    ]
    gains = [statement for name, statement, _ in found if name == "early_gain"]
    assert ["N = 4, on test" in s for s in gains] == [True, True, False, False]
    assert ["N = 8, on hard" in s for s in gains] == [False, False, True, True]


def test_where_there_are_predictions_they_are_shown(board):
    text, rows = page(board), board.to_dicts()
    assert "<th>Predicted</th>" in text and ">at least 15: missed</td></tr>" in text and 'colspan="6"' in text
    assert any(line.endswith("; predicted 0 to 15: hit") for line in claims_lines(rows))
    markdown = claims_table(rows)
    assert markdown[0].endswith("| verdict | predicted |") and markdown[1] == "|---|---|---|---|---|"
    assert sum("| holds | at most 1.2: hit |" in line for line in markdown) == 1
    without = board.with_columns(predicted=pl.lit(None, pl.String))
    assert "redict" not in page(without) and "predicted" not in "".join(claims_lines(without.to_dicts()))
