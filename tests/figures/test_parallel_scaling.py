"""The figure parallel_scaling: what is drawn is what was measured, and the caption says so."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.evaluation.bootstrap import paired
from rlv.figures import parallel_scaling as figure

NAME = "parallel_scaling"


@pytest.fixture(scope="module")
def drawn(evaluations, params):
    return figure.data(evaluations, params(NAME))


def test_rows_are_the_measured_ones(evaluations, drawn):
    key = ["dataset", "reasoner", "verifier", "strategy", "n", "budget"]
    values = ["accuracy", "low", "high"]
    measured = evaluations["curves"].unique(key).select(*key, *values)
    matched = drawn.join(measured, on=[*key, *values], how="inner")
    assert matched.height == drawn.height == 2 * 2 * 4 * 6
    assert not drawn.select("dataset", "method", "role", "strategy", "n").is_duplicated().any()


def test_lead_is_the_paired_difference(evaluations, drawn, params):
    settings = params(NAME)
    chosen = {"dataset": "hard", "n": 8}
    table = evaluations["per_problem"].filter(*[pl.col(k) == v for k, v in chosen.items()])
    table = table.unique(["problem_id", "reasoner", "verifier", "strategy"]).sort("problem_id")

    def side(reasoner, verifier, strategy):
        want = {"reasoner": reasoner, "verifier": verifier, "strategy": strategy}
        return table.filter(*[pl.col(k) == v for k, v in want.items()])["accuracy"].to_numpy()

    both_PK = np.stack([side("grpo_v", "unified", "weighted_voting"), side("grpo", "", "majority")], axis=1)
    wanted = paired(both_PK, lambda m: m[..., 0] - m[..., 1], draws=settings["draws"], seed=settings["seed"])
    row = drawn.filter(
        pl.col("method") == "grpo",
        pl.col("role") == "base",
        pl.col("strategy") == "majority",
        *[pl.col(k) == v for k, v in chosen.items()],
    ).row(0, named=True)
    assert [row["lead"], row["lead_low"], row["lead_high"]] == pytest.approx(
        [wanted.value, wanted.low, wanted.high]
    )
    assert drawn.filter(pl.col("role") == "rl_v")["lead"].null_count() == 2 * 2 * 2 * 6


def test_panels_lines_and_labels(drawn):
    picture = figure.draw(drawn)
    assert [axes.get_title() for axes in picture.axes] == ["test", "hard", "", ""]
    assert [t.get_text() for axes in picture.axes for t in axes.texts] == ["GRPO", "Leave-one-out PPO"]
    assert {axes.get_ylabel() for axes in picture.axes} == {"Accuracy (%)", ""}
    assert picture.axes[-1].get_xlabel() == "Solutions per problem, N"
    assert [t.get_text() for t in picture.axes[-1].get_xticklabels()] == ["1", "2", "4", "8", "16", "32"]
    (legend,) = picture.legends
    labels = [text.get_text() for text in legend.get_texts()]
    for axes in picture.axes:
        assert [line.get_label() for line in axes.get_lines()] == labels
        assert len(axes.collections) == 3  # pass@N has no band
    curve = drawn.filter(
        pl.col("dataset") == "test",
        pl.col("method") == "grpo",
        pl.col("role") == "base",
        pl.col("strategy") == "majority",
    )
    line = picture.axes[0].get_lines()[1]
    assert line.get_label() == "Base RL, majority voting"
    assert line.get_xdata().tolist() == curve["n"].to_list()
    assert line.get_ydata() == pytest.approx(100 * curve["accuracy"].to_numpy())


def test_colours_tell_all_curves_apart(drawn):
    looks = [(line.get_color(), line.get_linestyle()) for line in figure.draw(drawn).axes[0].get_lines()]
    assert len({color for color, _ in looks}) == len(looks) == 4


def test_caption_quotes_the_data(drawn):
    text = figure.caption(drawn)
    assert text.count("\n* ") == 4
    for rival in figure.RIVALS:
        assert all(f"against {rival} at N = {n}, ahead in" in text for n in (8, 32))
    for dataset in ("test", "hard"):
        row = drawn.filter(
            pl.col("dataset") == dataset,
            pl.col("method") == "leave_one_out",
            pl.col("role") == "base",
            pl.col("strategy") == "weighted_voting",
            pl.col("n") == 32,
        ).row(0, named=True)
        lead, low, high = (100 * row[column] for column in ("lead", "lead_low", "lead_high"))
        quoted = f"{lead:+.1f} [{low:+.1f}, {high:+.1f}] over the judge"
        line = next(
            one for one in text.splitlines() if one.startswith(f"* Leave-one-out PPO on ``{dataset}``")
        )
        assert quoted in line
    assert "{" not in text  # the report renders captions as templates


def test_caption_says_when_it_is_behind(evaluations, params):
    # The same tables with the two reasoners' names exchanged, and every verifier's: the base method wins.
    swapped = {"grpo": "grpo_v", "grpo_v": "grpo", "unified": "judge", "judge": "unified"}
    tables = {
        name: t.with_columns(pl.col("reasoner", "verifier").replace(swapped))
        for name, t in evaluations.items()
    }
    data = figure.data(tables, params(NAME, ("hard",), ("grpo",)))
    text = figure.caption(data)
    lead = data.filter(pl.col("role") == "base", pl.col("strategy") == "weighted_voting", pl.col("n") == 32)[
        "lead"
    ][0]
    assert lead < 0
    assert f"{100 * lead:+.1f} [" in text
    assert "against the judge at N = 32, ahead in 0 of 1 panel, behind in 1" in text


def test_one_data_set_and_one_method(evaluations, params):
    data = figure.data(evaluations, params(NAME, ("hard",), ("grpo",)))
    picture = figure.draw(data)
    assert len(picture.axes) == 1
    assert picture.get_figwidth() == pytest.approx(3.4)
    assert figure.caption(data).count("\n* ") == 1


def test_without_the_judge_the_message_says_what_is_missing(evaluations, params):
    tables = {name: table.filter(pl.col("verifier") != "judge") for name, table in evaluations.items()}
    with pytest.raises(DataError, match=r"'grpo' on 'test' by weighted_voting, verifier 'judge'.*majority"):
        figure.data(tables, params(NAME))


def test_against_tokens_the_curves_lie_at_their_own_cost(evaluations, params):
    data = figure.data(evaluations, params(NAME, ("test",), ("grpo",), against="tokens"))
    key = ["dataset", "reasoner", "verifier", "strategy", "n"]
    measured = evaluations["curves"].unique(key, keep="first")
    matched = data.join(measured, on=key, how="inner")
    assert matched.height == data.height
    assert matched["x"].to_list() == pytest.approx(matched["tokens"].to_list())
    picture = figure.draw(data)
    (axes,) = picture.axes
    assert axes.get_xlabel() == "Tokens per problem"
    ours, majority = (line.get_xdata() for line in axes.get_lines()[:2])
    assert (ours > majority).all()  # a verifier pays for what it reads
    text = figure.caption(data)
    assert "equal tokens" in text and "reaches with" in text and "tokens are" in text


def test_two_budgets_are_refused(evaluations, params):
    longer = {
        name: table.with_columns(pl.lit(128, pl.Int32).alias("budget")) for name, table in evaluations.items()
    }
    both = {name: pl.concat([evaluations[name], longer[name]]) for name in evaluations}
    with pytest.raises(DataError, match=r"budgets \[64, 128\]"):
        figure.data(both, params(NAME))


def test_other_problems_are_refused(evaluations, params):
    lost = pl.col("reasoner").eq("grpo") & pl.col("problem_id").eq("p0003")
    tables = evaluations | {"per_problem": evaluations["per_problem"].filter(~lost)}
    with pytest.raises(DataError, match="'p0003' of 'test' is evaluated for only one"):
        figure.data(tables, params(NAME))


def test_nothing_to_draw_is_refused(evaluations, params):
    with pytest.raises(DataError, match="no panel"):
        figure.data(evaluations, params(NAME, ()))
