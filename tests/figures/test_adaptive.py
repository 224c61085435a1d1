"""The figure adaptive: stopping rules as curves over their numbers, with fixed numbers beside them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.evaluation.recorded import recorded
from rlv.evaluation.stopping.replay import cells
from rlv.evaluation.stopping.rules import usual
from rlv.evaluation.stopping.stage import adaptive
from rlv.figures import adaptive as figure
from tests.evaluation.tables_for_tests import make_tables

READERS = ("", "unified", "free")


def replayed():
    """{"adaptive"} of one reasoner on two data sets, without a verifier and with two."""
    parts = []
    for d, dataset in enumerate(("test", "hard")):
        rng = np.random.default_rng(d)
        correct = rng.random((12, 16)) < rng.random((12, 1))
        classes = np.where(correct, 0, rng.integers(1, 4, (12, 16)))
        for verifier in READERS:
            scores = np.clip(correct + rng.normal(0, 0.4, correct.shape), 0, 1) if verifier else None
            (data,) = recorded(*make_tables(classes, correct, scores), where="test")
            params = {"dataset": dataset, "reasoner": "grpo_v", "verifier": verifier, "n_max": 8}
            params |= {"orders": 8, "batch": 1, "draws": 100, "seed": 0}
            chosen = cells(usual(8), 8, reads=bool(verifier), where="test")
            parts.append(adaptive(data, chosen, None, params)[0])
    return {"adaptive": pl.concat(parts)}


@pytest.fixture(scope="module")
def tables():
    return replayed()


def params(*datasets, against="n"):
    return {"figure": "adaptive", "datasets": list(datasets), "against": against}


@pytest.fixture(scope="module")
def drawn(tables):
    return figure.data(tables, params("test", "hard"))


def test_every_panel_has_its_verifiers_rules_and_those_without(tables, drawn):
    panels = drawn.select("dataset", "reader").unique(maintain_order=True).rows()
    assert panels == [(d, r) for d in ("test", "hard") for r in ("unified", "free")]
    for _, panel in drawn.group_by("dataset", "reader"):
        assert set(panel.select("family", "vote").rows()) == set(figure.LOOKS)
        assert set(panel["verifier"]) == {"", panel["reader"][0]}
        for _, curve in panel.group_by("family", "vote", maintain_order=True):
            assert curve["number"].is_sorted()
    key = ["dataset", "verifier", "rule", "vote", "accuracy", "low", "high", "samples"]
    assert drawn.join(tables["adaptive"], on=key, how="semi").height == drawn.height
    assert drawn.columns == figure.COLUMNS and drawn["x"].to_list() == drawn["samples"].to_list()


@pytest.mark.parametrize("datasets", [("test",), ("test", "hard")])
def test_it_is_drawn_and_says_what_came_out(tables, datasets):
    data = figure.data(tables, params(*datasets))
    picture = figure.draw(data)
    picture.draw_without_rendering()
    assert len(picture.axes) == 2 * len(datasets)
    assert all(len(axes.get_lines()) == len(figure.LOOKS) for axes in picture.axes)
    text = figure.caption(data)
    assert "chosen on the evaluated problems" in text and "not calibrated" in text
    assert "nan" not in text and "None" not in text
    assert f"({figure.LOOKS['beta', 'majority'].label}" not in text and "ASC (beta)" in text


def test_without_a_verifier_there_is_one_row_of_panels(tables):
    plain = tables["adaptive"].filter(verifier="")
    data = figure.data({"adaptive": plain}, params("test"))
    assert set(data["reader"]) == {""} and len(figure.draw(data).axes) == 1


def test_against_costs_that_are_known(tables):
    data = figure.data(tables, params("test", against="tokens"))
    assert data["x"].is_between(10, 8 * 22).all() and "tokens a problem" in figure.caption(data)
    figure.draw(data).draw_without_rendering()
    kept = figure.data(tables, params("test", against="flops_new"))
    assert "FLOPs a problem" in figure.caption(kept) and "values of sampling are kept" in figure.caption(kept)
    unknown = tables["adaptive"].with_columns(tokens=pl.lit(None, pl.Float64))
    with pytest.raises(DataError, match="nobody knows the tokens of 'grpo_v' on 'test'"):
        figure.data({"adaptive": unknown}, params("test", against="tokens"))


def test_nothing_to_draw_is_refused(tables):
    with pytest.raises(DataError, match="no stopping rule to draw; name data sets under `stopping`"):
        figure.data(tables, params("elsewhere"))
