"""The figure panels: shares of the gap, correlations of errors, their caption and picture."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.agreement import agreement, correlation, moments
from rlv.figures import panels as figure
from tests.evaluation.tables_for_tests import make_tables
from tests.figures.tables_for_tests import make_reasoners

READ = {"unified": 3.0, "free": 1.0, "brevity": 0.2, "label": 2.5, "rank": 2.0}
PARAMS = {"figure": "panels", "datasets": ["test", "hard"], "draws": 100, "seed": 0}


def members(datasets=("test", "hard"), reasoners=("grpo", "grpo_v")):
    pairs = [("unified", "free", 0.4), ("unified", "brevity", 0.1), ("free", "brevity", 0.3)]
    return tables.frame(
        "members",
        [
            {"dataset": d, "reasoner": r, "verifier": panel, "budget": 64, "member": one, "other": other}
            | {"correlation": number, "low": number - 0.05, "high": number + 0.05}
            for d in datasets
            for r in reasoners
            for panel in ("label", "rank")
            for one, other, number in pairs
        ],
    )


@pytest.fixture(scope="module")
def given():
    reasoners = {"grpo": (0.0, READ), "grpo_v": (0.05, READ)}
    return make_reasoners(reasoners, ns=(1, 4, 16), problems=20) | {"members": members()}


def test_shares_are_of_the_gap_and_pairs_come_once(given):
    drawn = figure.data(given, PARAMS)
    gaps = drawn.filter(part="gap", dataset="test", reasoner="grpo")
    assert gaps["name"].to_list() == ["label", "rank", "unified", "free", "brevity"]
    assert gaps["panel"].to_list() == [True, True, False, False, False] and set(gaps["n"]) == {16}
    at = {
        (v, s): a
        for v, s, a in given["curves"]
        .filter(dataset="test", reasoner="grpo", n=16)
        .select("verifier", "strategy", "accuracy")
        .rows()
    }
    low, high = at["", "majority"], at["", "pass_at_n"]
    expected = (at["label", "best_of_n"] - low) / (high - low)
    assert gaps["value"][0] == pytest.approx(expected)
    assert ((gaps["low"] <= gaps["value"]) & (gaps["value"] <= gaps["high"])).all()
    errors = drawn.filter(part="errors", dataset="hard", reasoner="grpo_v")
    assert errors["name"].to_list() == ["free, unified", "brevity, unified", "brevity, free"]


def test_without_a_gap_there_is_no_share(given):
    same = (
        pl.when(pl.col("strategy") == "pass_at_n").then(0.5).when(pl.col("strategy") == "majority").then(0.49)
    )
    flat = given | {
        "per_problem": given["per_problem"].with_columns(accuracy=same.otherwise(pl.col("accuracy")))
    }
    drawn = figure.data(flat, PARAMS)
    assert drawn.filter(part="gap")["value"].null_count() == 20
    assert "less than 2 points lie between" in figure.caption(drawn)
    figure.draw(drawn)


def test_a_study_without_panels_is_refused(given):
    with pytest.raises(DataError, match="figure panels: no panel was evaluated"):
        figure.data(given | {"members": tables.frame("members", [])}, PARAMS)


def test_its_caption_and_picture(given):
    drawn = figure.data(given, PARAMS)
    assert "``grpo_v`` on ``hard``" in figure.caption(
        drawn
    ) and "the best panel ``label`` closes" in figure.caption(drawn)
    assert len(figure.draw(drawn).axes) == 2


def test_errors_are_deviations_among_solutions_that_are_as_right():
    rng = np.random.default_rng(0)
    correct_PS = rng.random((30, 10)) < 0.5
    first, noise = rng.random((2, 30, 10))
    # What both know of the truth is no common error.
    knowing = moments(first + correct_PS, noise + correct_PS, correct_PS)
    assert abs(correlation(knowing.sum(axis=0))) < 0.15
    assert correlation(moments(first, 2 * first + correct_PS, correct_PS).sum(axis=0)) == pytest.approx(1)
    assert np.isnan(correlation(moments(first, np.full((30, 10), 0.5), correct_PS).sum(axis=0)))


def test_a_members_table_has_every_pair_with_its_interval():
    rng = np.random.default_rng(1)
    correct_PS = rng.random((12, 6)) < 0.5
    scores = {}
    for name in ("a", "b", "c"):
        solutions, scores[name] = make_tables(np.where(correct_PS, 0, 1), correct_PS, rng.random((12, 6)))
    names = {"dataset": "d", "reasoner": "r", "verifier": "team"}
    found = tables.check(agreement(solutions, scores, names=names, draws=100, seed=0), "members", "here")
    assert found.select("member", "other").rows() == [("a", "b"), ("a", "c"), ("b", "c")]
    assert ((found["low"] <= found["correlation"]) & (found["correlation"] <= found["high"])).all()
