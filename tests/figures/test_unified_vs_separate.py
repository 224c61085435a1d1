"""The figure unified_vs_separate: who scores is told apart; methods without a separate verifier stay out."""

from __future__ import annotations

import polars as pl
import pytest

from rlv.errors import DataError
from rlv.figures import style
from rlv.figures import unified_vs_separate as figure

NAME, NEW = "unified_vs_separate", ("hard", "ood")


def test_four_curves_by_solutions_and_scorer(separate_evaluations, params):
    data = figure.data(separate_evaluations, params(NAME, NEW))
    curves = data.filter(pl.col("method") == "grpo").select("reasoner", "verifier", "strategy")
    assert curves.unique(maintain_order=True).rows() == [
        ("grpo_v", "unified", "weighted_voting"),
        ("grpo_v", "separate_grpo", "weighted_voting"),
        ("grpo", "separate_grpo", "weighted_voting"),
        ("grpo", "", "majority"),
    ]
    measured = separate_evaluations["curves"]
    key = ["dataset", "reasoner", "verifier", "strategy", "n", "accuracy", "low", "high"]
    assert data.join(measured, on=key, how="semi").height == data.height == 2 * 2 * 4 * 6
    lines = figure.draw(data).axes[0].get_lines()
    assert [line.get_color() for line in lines] == [style.BLUE, style.SKY, style.BROWN, style.ORANGE]
    assert len({line.get_label() for line in lines}) == len({line.get_marker() for line in lines}) == 4


def test_a_method_without_a_separate_verifier_is_left_out(separate_evaluations, params):
    chosen = params(NAME, NEW)
    chosen["comparisons"]["grpo"]["separate"] = None
    data = figure.data(separate_evaluations, chosen)
    assert set(data["method"]) == {"leave_one_out"}


def test_without_any_the_message_says_what_to_add(separate_evaluations, params):
    chosen = params(NAME, NEW)
    for comparison in chosen["comparisons"].values():
        comparison["separate"] = None
    with pytest.raises(DataError, match=r"grpo, leave_one_out names a separate.*`separate: <verifier>`"):
        figure.data(separate_evaluations, chosen)


def test_caption_quotes_the_leads(separate_evaluations, params):
    data = figure.data(separate_evaluations, params(NAME, NEW, ("grpo",)))
    text = figure.caption(data)
    assert text.count("\n* ") == 2
    for role, name in (
        ("rl_v", "its own solutions scored by the separate verifier"),
        ("base", "the base method with the separate verifier"),
    ):
        row = data.filter(
            pl.col("dataset") == "ood",
            pl.col("role") == role,
            pl.col("scorer") == "separate",
            pl.col("n") == 32,
        ).row(0, named=True)
        lead, low, high = (100 * row[column] for column in ("lead", "lead_low", "lead_high"))
        assert f"{lead:+.1f} [{low:+.1f}, {high:+.1f}] over {name}" in text
    assert "{" not in text


def test_of_several_training_seeds_the_first_is_drawn(separate_evaluations, params):
    seeded = figure.data(separate_evaluations, params(NAME, NEW, seeds=3))  # no seed but the first has tables
    one = figure.data(separate_evaluations, params(NAME, NEW))
    assert seeded.drop("seeds").equals(one.drop("seeds"))
    assert "one training run a reasoner, the first of 3 training seeds." in figure.caption(seeded)
    assert "one training run a reasoner. " in figure.caption(one)
