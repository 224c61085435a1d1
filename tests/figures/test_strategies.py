"""The figure strategies: the RL^V reasoner's own solutions, voted on in four ways."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.figures import strategies as figure

NAME = "strategies"


def test_only_the_verified_reasoners_are_drawn(evaluations, params):
    data = figure.data(evaluations, params(NAME))
    assert set(data["reasoner"]) == {"grpo_v", "leave_one_out_v"}
    assert set(data["strategy"]) == {"weighted_voting", "best_of_n", "majority", "pass_at_n"}
    assert set(data.filter(pl.col("strategy").is_in(["majority", "pass_at_n"]))["verifier"]) == {""}
    # Votes without scores come with every verifier; matrix products may differ between them in the last bits.
    keys = ["dataset", "reasoner", "verifier", "strategy", "n"]
    verified = pl.col("reasoner").is_in(["grpo_v", "leave_one_out_v"])
    kept = evaluations["curves"].filter(verified).unique(keys).sort(keys)
    drawn = data.sort(keys)
    assert drawn.select(keys).equals(kept.select(keys))
    for value in ("accuracy", "low", "high"):
        np.testing.assert_allclose(drawn[value], kept[value], rtol=1e-12)


def test_rows_are_named_after_the_verified_method(evaluations, params):
    picture = figure.draw(figure.data(evaluations, params(NAME)))
    names = [text.get_text() for axes in picture.axes for text in axes.texts]
    assert names == ["GRPO$^V$", "Leave-one-out PPO$^V$"]
    assert all(len(axes.get_lines()) == 4 for axes in picture.axes)


def test_pass_at_n_is_above_everything(evaluations, params):
    lines = figure.draw(figure.data(evaluations, params(NAME))).axes[0].get_lines()
    limit = next(line for line in lines if "pass@N" in line.get_label())
    assert all((limit.get_ydata() >= line.get_ydata() - 1e-9).all() for line in lines)


def test_caption_quotes_the_data(evaluations, params):
    data = figure.data(evaluations, params(NAME, ("test",), ("grpo",)))
    text = figure.caption(data)
    for strategy, name in (("best_of_n", "best of N"), ("majority", "majority voting")):
        row = data.filter(pl.col("strategy") == strategy, pl.col("n") == 32).row(0, named=True)
        lead, low, high = (100 * row[column] for column in ("lead", "lead_low", "lead_high"))
        assert f"{lead:+.1f} [{low:+.1f}, {high:+.1f}] over {name}" in text
        assert all(f"against {name} at N = {n}, " in text for n in (8, 32))
    assert "* GRPO\\ :sup:`V` on ``test``" in text
    assert "vermilion" in text


def test_a_single_n(evaluated_like, params):
    tables = evaluated_like({"test": 0.9}, ns=(1,), problems=10, methods=("grpo",))
    data = figure.data(tables, params(NAME, ("test",), ("grpo",)))
    low, high = figure.draw(data).axes[0].get_xlim()
    assert low < 1 < high
    assert "at N = 1 +0.0 [+0.0, +0.0] over best of N" in figure.caption(data)


def test_without_scores_the_message_says_what_is_missing(evaluations, params):
    tables = {name: table.filter(pl.col("verifier") == "") for name, table in evaluations.items()}
    with pytest.raises(DataError, match="'grpo_v' on 'test' by weighted_voting, verifier 'unified'"):
        figure.data(tables, params(NAME))
