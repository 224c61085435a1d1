"""The figure reliability: bins of every verifier and reasoner, without a comparison."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.figures import calibration, votes
from rlv.figures import reliability as figure
from rlv.figures.bins import FEW
from tests.figures.tables_for_tests import make_reasoners

READ = {"rm": 3.0, "prm_min": 1.0}
REASONERS = {"mine": (0.0, READ), "plain": (-0.1, {}), "other": (0.05, {"prm_min": 2.0})}
DATASETS = {"test": 0.45, "hard": 0.2}
READINGS = [("mine", "rm"), ("mine", "prm_min"), ("other", "prm_min")]


def params(*datasets):
    return {"figure": "reliability", "datasets": list(datasets), "draws": 100, "seed": 0}


@pytest.fixture(scope="module")
def tables():
    return make_reasoners(REASONERS, DATASETS, ns=(1, 8), problems=20)


@pytest.fixture(scope="module")
def drawn(tables):
    return figure.data(tables, params(*DATASETS))


def test_bins_and_metrics_are_the_measured_ones(tables, drawn):
    key = ["dataset", "reasoner", "verifier", "budget", "bin_low", "bin_high"]
    values = ["solutions", "mean_score", "fraction_correct", "low", "high"]
    matched = drawn.join(tables["reliability"], on=[*key, *values], how="semi", nulls_equal=True)
    assert matched.height == drawn.height == 2 * len(READINGS) * 15
    assert drawn.select("reasoner", "verifier").unique(maintain_order=True).rows() == READINGS
    for metric, over in (("calibration_error", "all"), ("balanced_accuracy", "answered")):
        rows = tables["verification"].filter(metric=metric, over=over)
        both = drawn.join(rows, on=["dataset", "reasoner", "verifier"])
        assert both.height == drawn.height and (both[metric] == both["value"]).all()


def test_shares_are_of_each_verifier_and_give_its_calibration_error(drawn):
    distance = (pl.col("mean_score") - pl.col("fraction_correct")).abs()
    found = drawn.group_by("dataset", "reasoner", "verifier").agg(
        pl.sum("share"), by_hand=(pl.col("share") * distance).sum(), said=pl.first("calibration_error")
    )
    np.testing.assert_allclose(found["share"], 1.0)
    np.testing.assert_allclose(found["by_hand"], found["said"])
    assert (drawn["few"] == (drawn["solutions"] < FEW)).all()


def test_it_is_the_figure_calibration_without_roles(tables, drawn):
    """Of the same tables both have the same bins."""
    comparison = {"base": "other", "rl_v": "mine", "verifier": "rm", "judge": "prm_min", "separate": None}
    settings = {**params(*DATASETS), "comparisons": {"grpo": comparison}}
    theirs = calibration.data(tables, settings)
    columns = [c for c in drawn.columns if c in theirs.columns]
    ours = drawn.filter(
        pl.struct("reasoner", "verifier").is_in([{"reasoner": r, "verifier": v} for r, v in READINGS[::2]])
    )
    order = ["dataset", "reasoner", "bin_low"]
    assert ours.select(columns).sort(order).equals(theirs.select(columns).sort(order))


def test_panels_are_those_of_reasoners_with_scores_and_colours_those_of_votes(tables, drawn):
    picture = figure.draw(drawn)
    assert len(picture.axes) == 2 * 2 * 2  # a diagram and its counts, a data set and reasoner
    names = ["rm", "prm_min"]
    for axes, read in zip(picture.axes[::4], (names, ["prm_min"]), strict=True):
        colors = {line.get_color() for line in axes.get_lines()[1:] if line.get_label() != "_few"}
        assert colors == {votes.look(name, "weighted_voting", names).color for name in read}
    (legend,) = picture.legends
    assert [text.get_text() for text in legend.get_texts()] == ["rm", "prm min"]
    upper = picture.axes[0]
    assert list(upper.get_lines()[0].get_xdata()) == list(upper.get_lines()[0].get_ydata()) == [0, 1]
    mine = drawn.filter(~pl.col("few"), dataset="test", reasoner="mine", verifier="rm").sort("bin_low")
    line = next(one for one in upper.get_lines() if one.get_label() == "rm")
    assert line.get_xdata()[np.isfinite(line.get_xdata())].tolist() == mine["mean_score"].to_list()


def test_a_data_set_without_scores_has_no_panel_and_none_at_all_is_refused(tables):
    only = {name: tables[name].filter(dataset="test") for name in ("reliability", "verification")}
    data = figure.data(only, params(*DATASETS))
    assert set(data["dataset"]) == {"test"}
    with pytest.raises(DataError, match="figure reliability: no scores of any verifier; name one under"):
        figure.data(only, params("hard"))


def test_scores_that_are_all_the_same_and_metrics_that_are_undefined(tables):
    rows = pl.col("verifier") == "prm_min"
    first = pl.col("bin_low") == 0
    gone = [
        pl.when(~rows | first).then(c).alias(c) for c in ("mean_score", "fraction_correct", "low", "high")
    ]
    counts = pl.when(~rows).then("solutions").when(first).then(160).otherwise(0)
    odd = {
        "reliability": tables["reliability"].with_columns(*gone, solutions=counts),
        "verification": tables["verification"].with_columns(
            pl.when(~rows).then(c).alias(c) for c in ("value", "low", "high")
        ),
    }
    data = figure.data(odd, params("test"))
    figure.draw(data).draw_without_rendering()
    text = figure.caption(data)
    assert (
        "``prm_min`` of ``mine`` on ``test``: calibration error undefined, balanced accuracy undefined."
        in text
    )
    assert "nan" not in text and "None" not in text


def test_caption_quotes_the_metrics(drawn):
    text = figure.caption(drawn)
    assert text.count("\n* ") == 2 * len(READINGS) and "{" not in text
    few = drawn.filter(pl.col("few"), pl.col("solutions") > 0).height
    assert f"{few} bins with fewer than {FEW} solutions are faint" in text
    for row in drawn.unique(["dataset", "reasoner", "verifier"]).iter_rows(named=True):
        line = next(
            x
            for x in text.splitlines()
            if x.startswith("* ``{verifier}`` of ``{reasoner}`` on ``{dataset}``".format(**row))
        )
        for metric in ("calibration_error", "balanced_accuracy"):
            value, low, high = (row[f"{metric}{end}"] for end in ("", "_low", "_high"))
            assert f"{metric.replace('_', ' ')} {value:.3f} [{low:.3f}, {high:.3f}]" in line
