"""The figure boundary: pass@N of what was trained and of its starts, where these are evaluated."""

from __future__ import annotations

import polars as pl
import pytest

from rlv.figures import boundary as figure
from tests.figures.tables_for_tests import make_reasoners
from tests.figures.test_controls import COMPARISON

REASONERS = {
    "base": (-0.2, {}),
    "base_cold": (-0.1, {}),
    "grpo": (0.0, {}),
    "grpo_v": (0.02, {"unified": 4.0}),
}


def params(**comparison):
    return {
        **{"figure": "boundary", "against": "n", "comparisons": {"grpo": COMPARISON | comparison}},
        **{"datasets": ["test", "hard"], "draws": 100, "seed": 0},
    }


@pytest.fixture(scope="module")
def tables():
    made = make_reasoners(REASONERS, ns=(1, 2, 4, 8), problems=20)
    # The start itself is evaluated on one data set only.
    left_out = (pl.col("reasoner") == "base") & (pl.col("dataset") == "hard")
    return {name: table.filter(~left_out) for name, table in made.items()}


def test_lines_are_those_that_were_measured(tables):
    drawn = figure.data(tables, params())
    assert set(drawn["strategy"]) == {"pass_at_n"}
    roles = drawn.group_by("dataset", maintain_order=True).agg(pl.col("role").unique(maintain_order=True))
    assert dict(roles.iter_rows()) == {
        "test": ["base", "rl_v", "start", "cold"],
        "hard": ["base", "rl_v", "cold"],
    }
    assert set(figure.data(tables, params(start=None, cold=None))["role"]) == {"base", "rl_v"}


def test_the_lead_is_that_of_the_base_method(tables):
    drawn = figure.data(tables, params()).filter(dataset="test")
    at = {role: rows.sort("n")["accuracy"] for (role,), rows in drawn.group_by("role")}
    leads = drawn.filter(role="start").sort("n")
    assert leads["lead"].to_list() == pytest.approx((at["base"] - at["start"]).to_list())
    assert drawn.filter(role="base")["lead"].null_count() == 4
    assert (leads["lead_low"] <= leads["lead"]).all() and (leads["lead"] <= leads["lead_high"]).all()


def test_its_caption_and_picture(tables):
    drawn = figure.data(tables, params())
    said = figure.caption(drawn)
    assert "against its start at N = 8" in said and "against its cold start" in said and "dark red" in said
    assert len(figure.draw(drawn).axes) == 2
    alone = figure.data(tables, params(cold=None))
    assert "cold" not in figure.caption(alone)
