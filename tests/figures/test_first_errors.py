"""The figure first_errors: what is drawn is what was compared, and rare kinds are left out."""

from __future__ import annotations

import polars as pl
import pytest

from rlv.errors import DataError
from rlv.evaluation.first_errors import first_errors
from rlv.figures import first_errors as figure
from tests.evaluation.test_first_errors import world

PARAMS = {"figure": "first_errors", "datasets": ["test", "hard"]}


@pytest.fixture(scope="module")
def table():
    labels, traces = world(30, 8)
    made = [
        first_errors(labels, {"prm": traces}, tuned, dataset=dataset, reasoner=reasoner, draws=100)[0]
        for dataset in ("test", "hard")
        for reasoner, tuned in (("ours", {"prm": 0.4}), ("theirs", {}))
    ]
    return pl.concat(made)


def test_rows_are_those_of_verifiers_and_chance(table):
    drawn = figure.data({"first_errors": table}, PARAMS)
    assert set(drawn["rule"]) == {"fixed", "tuned", "chance"} and set(drawn["kind"]) == {
        "all",
        "mark",
        "value",
    }
    assert set(figure.data({"first_errors": table}, PARAMS | {"datasets": ["hard"]})["dataset"]) == {"hard"}


def test_rare_kinds_are_left_out_and_nothing_is_refused(table):
    rare = table.with_columns(wrong=pl.when(pl.col("kind") == "mark").then(figure.FEW - 1).otherwise("wrong"))
    assert set(figure.data({"first_errors": rare}, PARAMS)["kind"]) == {"all", "value"}
    with pytest.raises(DataError, match=r"figure first_errors: no 20 solutions .* on test, hard"):
        figure.data({"first_errors": table.clear()}, PARAMS)


def test_counts_are_those_of_each_reasoner(table):
    drawn = figure.data({"first_errors": table}, PARAMS).filter(dataset="hard")
    fewer = drawn.with_columns(wrong=pl.when(pl.col("reasoner") == "ours").then("wrong").otherwise(21))
    ours = fewer.filter(reasoner="ours", kind="all")["wrong"][0]
    ticks = [tick.get_text() for tick in figure.draw(fewer).axes[0].get_xticklabels()]
    assert ticks[0] == f"all\n{ours:,}\n21"
    rare = fewer.filter((pl.col("reasoner") == "ours") | (pl.col("kind") != "mark"))
    assert f"\n<{figure.FEW}" in figure.draw(rare).axes[0].get_xticklabels()[1].get_text()


def test_its_caption_and_picture(table):
    drawn = figure.data({"first_errors": table}, PARAMS)
    said = figure.caption(drawn)
    assert "``prm`` of ``ours`` on ``hard``, threshold 0.40 (tuned): F1 0." in said and "chance on" in said
    assert "chosen on training problems" in said
    assert len(figure.draw(drawn).axes) == 2
    fixed = drawn.filter(pl.col("rule") != "tuned")
    assert "chosen on training problems" not in figure.caption(fixed)
    assert len(figure.draw(fixed.filter(dataset="test")).axes) == 1
