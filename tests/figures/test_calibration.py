"""The figure calibration: bins as measured, sparse ones apart, and the metrics beside them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.figures import calibration as figure
from rlv.figures import style

NAME, NEW = "calibration", ("hard", "ood")


def test_bins_are_the_measured_ones(separate_evaluations, params):
    data = figure.data(separate_evaluations, params(NAME, NEW))
    key = ["dataset", "reasoner", "verifier", "budget", "bin_low", "bin_high"]
    values = ["solutions", "mean_score", "fraction_correct", "low", "high"]
    measured = separate_evaluations["reliability"]
    matched = data.join(measured, on=[*key, *values], how="semi", nulls_equal=True)
    assert matched.height == data.height == 2 * 2 * 3 * 15
    shares = data.group_by("dataset", "method", "scorer").agg(pl.sum("share"))["share"]
    np.testing.assert_allclose(shares, 1.0)
    assert (data["few"] == (data["solutions"] < figure.FEW)).all()


def test_metrics_are_those_of_the_verification_table(separate_evaluations, params):
    data = figure.data(separate_evaluations, params(NAME, NEW))
    # The error is that of the bins, which have all solutions; the accuracy that of other figures and claims.
    for metric, over in (("calibration_error", "all"), ("balanced_accuracy", "answered")):
        rows = separate_evaluations["verification"].filter(metric=metric, over=over)
        both = data.join(rows, on=["dataset", "reasoner", "verifier"], how="inner")
        assert both.height == data.height
        assert (both[metric] == both["value"]).all()
        assert (both[f"{metric}_low"] == both["low_right"]).all()


def test_calibration_error_follows_from_the_bins(separate_evaluations, params):
    """What is drawn and what is quoted are one thing: ECE = sum of shares times distances to the diagonal."""
    data = figure.data(separate_evaluations, params(NAME, NEW))
    distance = (pl.col("mean_score") - pl.col("fraction_correct")).abs()
    found = data.group_by("dataset", "method", "scorer").agg(
        (pl.col("share") * distance).sum().alias("by_hand"), pl.first("calibration_error")
    )
    np.testing.assert_allclose(found["by_hand"], found["calibration_error"])


def test_sparse_bins_are_off_the_lines(separate_evaluations, params):
    data = figure.data(separate_evaluations, params(NAME, ("hard",), ("grpo",)))
    sparse = (pl.col("scorer") == "own") & pl.col("bin_low").is_between(0.3, 0.45)
    data = data.with_columns(
        few=pl.col("few") | sparse, solutions=pl.when(sparse).then(7).otherwise(pl.col("solutions"))
    )
    upper = figure.draw(data).axes[0]
    full = {line.get_label(): line for line in upper.get_lines()}
    own = data.filter(pl.col("scorer") == "own")
    kept = own.filter(~pl.col("few"))
    line = full[figure.LABELS["own"]]
    assert line.get_xdata()[np.isfinite(line.get_xdata())].tolist() == kept["mean_score"].to_list()
    assert np.isnan(line.get_ydata()[own["few"].to_numpy()]).all()  # no line across what was not measured
    faint = [line for line in upper.get_lines() if line.get_label() == "_few"]
    assert all(line.get_linestyle() == "None" and line.get_alpha() < 1 for line in faint)
    assert sum(len(line.get_xdata()) for line in faint) >= own.filter(sparse).height
    assert f"fewer than {figure.FEW} solutions are faint" in figure.caption(data)


def test_panels_colours_and_diagonal(separate_evaluations, params):
    picture = figure.draw(figure.data(separate_evaluations, params(NAME, NEW)))
    assert len(picture.axes) == 2 * 2 * 2  # a diagram and its counts, a data set and method
    colors = [
        line.get_color()
        for line in picture.axes[0].get_lines()
        if line.get_label() in set(figure.LABELS.values())
    ]
    assert colors == [style.BROWN, style.PURPLE, style.BLUE]  # the last is on top
    diagonal = picture.axes[0].get_lines()[0]
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 1]
    assert [text.get_text() for text in picture.axes[-1].get_xticklabels()] == ["0", "", "0.5", "", "1"]


def test_without_a_separate_verifier(evaluations, params):
    chosen = params(NAME)
    for comparison in chosen["comparisons"].values():
        comparison["separate"] = None
    data = figure.data(evaluations, chosen)
    assert set(data["scorer"]) == {"own", "judge"}
    (legend,) = figure.draw(data).legends
    assert len(legend.get_texts()) == 2


def test_a_judge_that_always_says_the_same(evaluations, params):
    """All solutions in one bin, of one class: nothing to divide by, and still a picture."""
    chosen = params(NAME, ("test",), ("grpo",))
    chosen["comparisons"]["grpo"]["separate"] = None
    judge = pl.col("verifier") == "judge"
    first = pl.col("bin_low") == 0
    empty = {
        c: pl.when(judge & ~first).then(None).otherwise(pl.col(c)).alias(c)
        for c in ("mean_score", "fraction_correct", "low", "high")
    }
    solutions = pl.when(judge & ~first).then(0).when(judge).then(1280).otherwise(pl.col("solutions"))
    nothing = [pl.when(judge).then(None).otherwise(pl.col(c)).alias(c) for c in ("value", "low", "high")]
    tables = evaluations | {
        "reliability": evaluations["reliability"].with_columns(*empty.values(), solutions=solutions),
        "verification": evaluations["verification"].with_columns(nothing),
    }
    data = figure.data(tables, chosen)
    figure.draw(data).draw_without_rendering()
    text = figure.caption(data)
    assert "the judge, calibration error undefined, balanced accuracy undefined" in text
    assert "in 0 of 0 panels" in text
    assert "nan" not in text and "None" not in text


def test_caption_quotes_the_metrics(separate_evaluations, params):
    data = figure.data(separate_evaluations, params(NAME, ("ood",), ("grpo",)))
    row = data.filter(pl.col("scorer") == "separate").row(0, named=True)
    text = figure.caption(data)
    assert "calibration error of all solutions" in text and "of those that have an answer" in text
    for metric, name in (
        ("calibration_error", "calibration error"),
        ("balanced_accuracy", "balanced accuracy"),
    ):
        ends = ", ".join(f"{row[f'{metric}_{end}']:.3f}" for end in ("low", "high"))
        assert f"{name} {row[metric]:.3f} [{ends}]" in text
    assert text.count("\n* ") == 1 and "{" not in text


def test_a_verifier_without_a_table_is_named(evaluations, params):
    with pytest.raises(DataError, match="'grpo' on 'test', verifier 'separate_grpo'"):
        figure.data(evaluations, params(NAME))


def test_of_several_training_seeds_the_first_is_drawn_and_said(separate_evaluations, params):
    one = figure.data(separate_evaluations, params(NAME, NEW))
    seeded = figure.data(separate_evaluations, params(NAME, NEW, seeds=3))
    assert seeded.drop("seeds").equals(one.drop("seeds"), null_equal=True)
    assert "One training run a reasoner, the first of 3 training seeds." in figure.caption(seeded)
    assert "One training run a reasoner. " in figure.caption(one)
