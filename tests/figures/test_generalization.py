"""The figure generalization: the leads of parallel_scaling on data sets that RL did not train on."""

from __future__ import annotations

import polars as pl

from rlv.figures import generalization as figure
from rlv.figures import parallel_scaling
from rlv.figures.panel_captions import tally

NAME, NEW = "generalization", ("hard", "ood")


def test_it_draws_what_parallel_scaling_draws(separate_evaluations, params):
    data = figure.data(separate_evaluations, params(NAME, NEW))
    assert data.equals(parallel_scaling.data(separate_evaluations, params(NAME, NEW)))
    picture = figure.draw(data)
    assert [axes.get_title() for axes in picture.axes] == ["hard", "ood", "", ""]
    assert all(len(axes.get_lines()) == 4 for axes in picture.axes)


def test_caption_counts_panels_by_data_set(separate_evaluations, params):
    data = figure.data(separate_evaluations, params(NAME, NEW))
    text = figure.caption(data)
    assert text.count("\n* ") == 4
    for dataset in NEW:
        for n in (8, 32):  # the middle N and the largest
            rows = data.filter(
                pl.col("dataset") == dataset,
                pl.col("n") == n,
                pl.col("role") == "base",
                pl.col("strategy") == "majority",
            )
            assert rows.height == 2
            assert f"against majority voting at N = {n}, {tally(rows)}" in text
    assert "not trained on: ``hard``, ``ood``." in text and "harder" not in text
    assert "{" not in text


def test_at_equal_cost(separate_evaluations, params):
    data = figure.data(separate_evaluations, params(NAME, NEW, against="flops"))
    assert set(data["against"]) == {"flops"}
    assert "at equal FLOPs (the other's at N = 32)" in figure.caption(data)
    assert figure.draw(data).axes[-1].get_xlabel() == "FLOPs per problem"
