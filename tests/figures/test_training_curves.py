"""The figure training_curves: steps as they were, and a rolling mean that can be checked by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.figures import style
from rlv.figures import training_curves as figure

NAME = "training_curves"


def chosen(data, role, quantity, method="grpo"):
    return data.filter(pl.col("method") == method, pl.col("role") == role, pl.col("quantity") == quantity)


def test_values_are_the_steps(training, params):
    steps = training()["steps"]
    data = figure.data({"steps": steps}, params(NAME))
    for role, reasoner in (("base", "grpo"), ("rl_v", "grpo_v")):
        for quantity in ("reward", "solution_tokens", "kl"):
            rows = chosen(data, role, quantity)
            measured = steps.filter(pl.col("reasoner") == reasoner)
            assert rows["value"].to_list() == measured[quantity].to_list()
            assert rows["step"].to_list() == measured["step"].to_list()


def test_only_verified_reasoners_have_verifier_panels(training, params):
    data = figure.data(training(), params(NAME))
    assert chosen(data, "base", "verifier_balanced_accuracy").is_empty()
    assert chosen(data, "base", "verification_loss").is_empty()
    assert chosen(data, "rl_v", "verification_loss").height == 120


def test_smoothing_is_a_centred_mean_that_skips_missing_steps(training, params):
    steps = training(methods=("grpo",))["steps"]
    gone = pl.col("step").is_in([10, 11]) & (pl.col("reasoner") == "grpo_v")
    accuracy = pl.when(gone).then(None).otherwise(pl.col("verifier_balanced_accuracy"))
    steps = steps.with_columns(accuracy.alias("verifier_balanced_accuracy"))
    data = figure.data({"steps": steps}, params(NAME, methods=("grpo",)))
    rows = chosen(data, "rl_v", "verifier_balanced_accuracy")
    assert rows.height == 118
    assert set(rows["window"]) == {11}
    for step in (1, 9, 12, 60, 120):
        near = rows.filter((pl.col("step") - step).abs() <= 5)["value"].to_numpy()
        assert rows.filter(pl.col("step") == step)["smoothed"][0] == pytest.approx(near.mean())


@pytest.mark.parametrize(("steps", "window"), [(1, 1), (12, 1), (36, 3), (120, 11), (600, 51)])
def test_window(steps, window):
    assert figure.smoothing_window(steps) == window


def test_panels_lines_and_labels(training, params):
    picture = figure.draw(figure.data(training(), params(NAME)))
    axes_RC = np.array(picture.axes).reshape(5, 2)
    assert [axes.get_title() for axes in axes_RC[0]] == ["GRPO", "Leave-one-out PPO"]
    labels = [axes.get_ylabel() for axes in axes_RC[:, 0]]
    assert [label.split("\n")[0] for label in labels] == [
        "Reward",
        "Mean solution",
        "Verifier balanced",
        "Verification loss",
        "KL to the start",
    ]
    assert all("(" in label for label in labels)  # a unit on every axis
    assert [axes.get_xlabel() for axes in axes_RC[-1]] == ["Training step"] * 2
    assert [len(axes.get_lines()) for axes in axes_RC[:, 0]] == [4, 4, 3, 2, 4]
    (legend,) = picture.legends
    assert [text.get_text() for text in legend.get_texts()] == ["Base RL", "RL$^V$"]


def test_without_kl_the_last_panel_is_surprisal(training, params):
    data = figure.data(training(kl=False), params(NAME))
    assert "kl" not in set(data["quantity"])
    assert figure.draw(data).axes[-2].get_ylabel().startswith("Surprisal")


def test_without_any_verifier_its_panels_are_left_out(training, params):
    none = pl.lit(None, pl.Float64)
    steps = training()["steps"].with_columns(verification_loss=none, verifier_balanced_accuracy=none)
    assert len(figure.draw(figure.data({"steps": steps}, params(NAME))).axes) == 3 * 2


def test_caption_quotes_the_data(training, params):
    data = figure.data(training(methods=("grpo",)), params(NAME, methods=("grpo",)))
    text = figure.caption(data)
    assert "of all solutions of a batch, those without an answer included" in text
    last = chosen(data, "rl_v", "verifier_balanced_accuracy")["value"].tail(11)
    assert f"verifier balanced accuracy {last.mean():.3f} [{last.min():.3f}, {last.max():.3f}]" in text
    assert "rolling mean over 11 steps" in text
    assert text.count("\n* ") == 2
    assert "{" not in text


def test_a_single_step(training, params):
    data = figure.data(training(methods=("grpo",), steps=1), params(NAME, methods=("grpo",)))
    picture = figure.draw(data)
    assert len(picture.axes) == 5
    assert {line.get_marker() for line in picture.axes[0].get_lines()} == {"o", "None"}
    assert "nan" not in figure.caption(data)


def test_an_unknown_reasoner_is_named(training, params):
    steps = training(methods=("grpo",))["steps"]
    with pytest.raises(DataError, match=r"no steps of 'leave_one_out'.*there are steps of grpo, grpo_v"):
        figure.data({"steps": steps}, params(NAME))


def test_seeds_are_thin_lines_around_their_mean(training, params):
    steps = training(methods=("vineppo",), seeds=3)
    data = figure.data(steps, params(NAME, methods=("vineppo",), seeds=3))
    names = ["vineppo_v", "vineppo_v_seed1", "vineppo_v_seed2"]
    rows = chosen(data, "rl_v", "reward", "vineppo")
    assert rows["reasoner"].unique(maintain_order=True).to_list() == names
    lines = [line for line in figure.draw(data).axes[0].get_lines() if line.get_color() == style.BLUE]
    thin, (thick,) = lines[:3], lines[3:]
    for line, name in zip(thin, names, strict=True):
        assert line.get_ydata().tolist() == rows.filter(pl.col("reasoner") == name)["smoothed"].to_list()
    mean = np.mean([line.get_ydata() for line in thin], axis=0)
    np.testing.assert_allclose(thick.get_ydata(), mean)
    assert thick.get_linewidth() > thin[0].get_linewidth()
    text = figure.caption(data)
    assert "the mean over 3 seeds" in text and "One run" not in text
    last = np.concatenate([rows.filter(pl.col("reasoner") == name)["value"].tail(11) for name in names])
    assert f"reward {last.mean():.3f} [{last.min():.3f}, {last.max():.3f}]" in text
