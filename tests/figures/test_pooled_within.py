"""The figure pooled_within: two numbers a verifier, and what says nothing about solutions of one problem."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.evaluation.verifier_metrics import verification
from rlv.figures import pooled_within as figure
from tests.evaluation.tables_for_tests import make_tables
from tests.figures.tables_for_tests import make_reasoners

REASONERS = {"mine": (0.0, {"rm": 3.0, "prm_min": 1.0}), "plain": (-0.1, {}), "other": (0.05, {"rm": 2.0})}
DATASETS = {"test": 0.45, "hard": 0.2}
READINGS = [("mine", "rm"), ("mine", "prm_min"), ("other", "rm")]


def params(*datasets):
    return {"figure": "pooled_within", "datasets": list(datasets)}


@pytest.fixture(scope="module")
def tables():
    return make_reasoners(REASONERS, DATASETS, ns=(1, 8), problems=20)


def test_both_metrics_are_those_of_answered_solutions(tables):
    drawn = figure.data(tables, params(*DATASETS))
    assert drawn.select("reasoner", "verifier").rows() == READINGS * 2
    assert drawn["dataset"].to_list() == ["test"] * 3 + ["hard"] * 3
    for metric, called in (("auroc", "pooled"), ("within_auroc", "within")):
        rows = tables["verification"].filter(metric=metric, over="answered")
        both = drawn.join(rows, on=["dataset", "reasoner", "verifier"], maintain_order="left")
        assert (
            both.select(called, f"{called}_low", f"{called}_high").rows()
            == both.select("value", "low", "high").rows()
        )


def test_a_verifier_that_knows_only_which_problems_are_easy_has_its_dots_apart():
    rng = np.random.default_rng(0)
    correct_PS = rng.random((30, 8)) < np.linspace(0.1, 0.9, 30)[:, None]
    easy_PS = np.repeat(np.linspace(0, 1, 30)[:, None], 8, axis=1)
    solutions, scores = make_tables(np.where(correct_PS, 0, 1), correct_PS, easy_PS)
    assert scores is not None
    of = {"dataset": "d", "reasoner": "r", "verifier": "easy"}
    table = verification(solutions, scores, **of, draws=100)
    drawn = figure.data({"verification": table}, params("d"))
    assert drawn["within"].to_list() == [0.5] and drawn["pooled"][0] > 0.7
    said = figure.caption(drawn)
    assert "Within problems 1 of 1 are lower than pooled, and the intervals of 1 hold chance." in said
    (axes,) = figure.draw(drawn).axes
    dots = {line.get_label(): line.get_xdata()[0] for line in axes.get_lines() if line.get_marker() in "so"}
    assert dots == {figure.LOOKS[name].label: drawn[name][0] for name in ("pooled", "within")}


def test_reasoners_are_headings_and_a_data_set_without_a_verifier_has_no_dots(tables):
    few = tables["verification"].filter((pl.col("dataset") == "test") | (pl.col("reasoner") == "other"))
    drawn = figure.data({"verification": few}, params(*DATASETS))
    picture = figure.draw(drawn)
    labels = picture.axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["mine", "rm", "prm min", "other", "rm"]
    assert [label.get_fontweight() for label in labels] == ["bold", "normal", "normal", "bold", "normal"]
    marks = [sum(line.get_marker() in ("s", "o") for line in axes.get_lines()) for axes in picture.axes]
    assert marks == [6, 2]


def test_what_is_undefined_is_not_drawn_and_nothing_at_all_is_refused(tables):
    gone = [pl.when(pl.col("metric") != "within_auroc").then(c).alias(c) for c in ("value", "low", "high")]
    drawn = figure.data({"verification": tables["verification"].with_columns(*gone)}, params("test"))
    figure.draw(drawn).draw_without_rendering()
    said = figure.caption(drawn)
    assert said.count("within problems undefined") == 3 and "nan" not in said and "None" not in said
    with pytest.raises(DataError, match="figure pooled_within: no scores of any verifier; name one under"):
        figure.data(tables, params("elsewhere"))
    old = {"verification": tables["verification"].filter(pl.col("metric") != "within_auroc")}
    with pytest.raises(DataError, match="no within_auroc over answered solutions, it has auroc, balanced_"):
        figure.data(old, params("test"))
