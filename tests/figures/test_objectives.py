"""The figure objectives: curves and metrics of each objective, and paired leads of the generative one."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.evaluation.bootstrap import paired
from rlv.figures import objectives as figure
from rlv.figures import style
from tests.figures.tables_for_tests import make_reasoners

NS = (1, 2, 4, 8)
ENTRIES = [
    {"reasoner": "v_bce", "verifier": "bce", "coefficient": 0.3, "objective": "bce"},
    {"reasoner": "v_regression", "verifier": "regression", "coefficient": 0.3, "objective": "regression"},
    {"reasoner": "v", "verifier": "unified", "coefficient": 0.3, "objective": "generative"},
]
PARAMS = {
    "figure": "objectives",
    "datasets": ["test", "hard"],
    "reasoners": {"grpo": ENTRIES},
    "draws": 200,
    "seed": 0,
}


@pytest.fixture(scope="module")
def tables():
    reasoners = {
        "v": (0.0, {"unified": 4.0}),
        "v_bce": (-0.03, {"bce": 2.0}),
        "v_regression": (0.02, {"regression": 1.0}),
    }
    return make_reasoners(reasoners, ns=NS, problems=30)


@pytest.fixture(scope="module")
def drawn(tables):
    return figure.data(tables, PARAMS)


def test_rows_are_the_measured_ones(tables, drawn):
    assert drawn.height == 2 * 3 * (2 * len(NS) + 2)
    votes = drawn.filter(pl.col("n").is_not_null())
    for row in votes.iter_rows(named=True):
        scorer = row["verifier"] if row["quantity"] == "weighted_voting" else ""
        (same,) = (
            tables["curves"]
            .filter(
                pl.col("dataset") == row["dataset"],
                pl.col("reasoner") == row["reasoner"],
                pl.col("verifier") == scorer,
                pl.col("strategy") == row["quantity"],
                pl.col("n") == row["n"],
            )
            .head(1)
            .to_dicts()
        )
        for ours, theirs in (("value", "accuracy"), ("low", "low"), ("high", "high")):
            assert row[ours] == pytest.approx(same[theirs], abs=1e-12)
    metrics = drawn.filter(pl.col("n").is_null())
    measured = tables["verification"].filter(over="answered").rename({"metric": "quantity"})
    on = ["dataset", "reasoner", "verifier", "quantity", "budget", "value", "low", "high"]
    assert metrics.join(measured, on=on, how="semi").height == metrics.height == 2 * 3 * 2


def test_the_generative_objective_comes_first_and_has_no_lead(drawn):
    assert drawn["objective"].unique(maintain_order=True).to_list() == ["generative", "bce", "regression"]
    ours = drawn.filter(pl.col("objective") == "generative")
    assert ours["lead"].null_count() == ours.height


def test_lead_is_the_paired_difference(tables, drawn):
    row = drawn.filter(
        pl.col("dataset") == "hard",
        pl.col("objective") == "regression",
        pl.col("quantity") == "weighted_voting",
        pl.col("n") == 4,
    ).row(0, named=True)
    values = [
        dict(
            tables["per_problem"]
            .filter(
                pl.col("dataset") == "hard",
                pl.col("reasoner") == reasoner,
                pl.col("strategy") == "weighted_voting",
                pl.col("n") == 4,
            )
            .select("problem_id", "accuracy")
            .rows()
        )
        for reasoner in ("v", "v_regression")
    ]
    values_P2 = np.array([[values[0][p], values[1][p]] for p in sorted(values[0])])
    expected = paired(values_P2, lambda m: m[..., 0] - m[..., 1], draws=200, seed=0)
    numbers = (row["lead"], row["lead_low"], row["lead_high"])
    assert numbers == pytest.approx((expected.value, expected.low, expected.high))


def test_against_tokens_leads_are_at_equal_cost(tables, drawn):
    data = figure.data(tables, PARAMS | {"against": "tokens", "datasets": ["test"]})
    votes = data.drop_nulls("n")
    keys = ["dataset", "reasoner", "quantity", "n"]
    measured = tables["curves"].unique(["dataset", "reasoner", "strategy", "n"], keep="last")
    joined = votes.join(measured.rename({"strategy": "quantity"}), on=keys, how="inner")
    assert joined.height == votes.height == 3 * 2 * len(NS)
    assert joined["x"].to_list() == pytest.approx(joined["tokens"].to_list())
    weighted = votes.filter(pl.col("quantity") == "weighted_voting")
    ours = weighted.filter(pl.col("objective") == "generative").sort("x")
    x, y = np.log2(ours["x"].to_numpy()), ours["value"].to_numpy()
    checked = 0
    for row in weighted.filter(pl.col("objective") == "bce").drop_nulls("lead").iter_rows(named=True):
        assert row["lead"] == pytest.approx(np.interp(np.log2(row["x"]), x, y) - row["value"])
        checked += 1
    assert checked
    assert figure.draw(data).axes[0].get_xlabel() == "Tokens per problem"
    assert "at equal tokens (the other's at N = 4)" in figure.caption(data)


def test_panels_lines_and_points(drawn):
    picture = figure.draw(drawn)
    curves, quality = picture.axes[:2], picture.axes[2:]
    assert [axes.get_title() for axes in curves] == ["test", "hard"]
    assert len(quality) == 2
    for axes in curves:
        thick = [line for line in axes.get_lines() if line.get_linewidth() > 1]
        assert len(thick) == 3 and len(axes.get_lines()) == 6
        colors = {line.get_color() for line in thick}
        assert colors == {style.LOOKS["rl_v", o].color for o in ("generative", "bce", "regression")}
    for axes in quality:
        points = [line for line in axes.get_lines() if line.get_marker() not in ("None", None, "")]
        assert len(points) == 3 * 2
    (legend,) = picture.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels[:3] == ["Generative Yes/No", "Classification head (BCE)", "Regression head"]


def test_caption_quotes_the_data(drawn):
    text = figure.caption(drawn)
    assert "of those that have an answer" in text
    assert text.count("\n* ") == 2 and "{" not in text
    assert "differences include those between runs" in text
    line = next(line for line in text.splitlines() if line.startswith("* GRPO\\ :sup:`V` on ``hard``"))
    for objective, name in (("bce", "BCE head"), ("regression", "regression head")):
        chosen = (pl.col("dataset") == "hard") & (pl.col("objective") == objective)
        row = drawn.filter(chosen, pl.col("quantity") == "weighted_voting", pl.col("n") == 8).row(
            0, named=True
        )
        lead, low, high = (100 * row[c] for c in ("lead", "lead_low", "lead_high"))
        assert f"at N = 8 {lead:+.1f} [{low:+.1f}, {high:+.1f}]" in line
        quality = drawn.filter(chosen, pl.col("quantity") == "auroc").row(0, named=True)
        assert f"{name}: balanced accuracy" in line
        assert "AUROC {value:.3f} [{low:.3f}, {high:.3f}]".format(**quality) in line


def test_undefined_metrics_are_said_and_not_drawn(tables):
    none = pl.lit(None, pl.Float64)
    blank = tables | {"verification": tables["verification"].with_columns(value=none, low=none, high=none)}
    data = figure.data(blank, PARAMS)
    figure.draw(data)
    assert "balanced accuracy undefined, AUROC undefined" in figure.caption(data)


def test_one_objective_or_one_twice_is_refused(tables):
    for entries in (ENTRIES[:1], [ENTRIES[0], ENTRIES[0]]):
        with pytest.raises(DataError, match=r"'grpo' have verification objectives \['bce'"):
            figure.data(tables, PARAMS | {"reasoners": {"grpo": entries}})


def test_nothing_to_draw_is_refused(tables):
    with pytest.raises(DataError, match="`reasoners`"):
        figure.data(tables, PARAMS | {"reasoners": {}})


def test_a_missing_verifier_is_named(tables):
    without = tables | {"verification": tables["verification"].filter(pl.col("verifier") != "bce")}
    with pytest.raises(DataError, match=r"'v_bce' on 'test', verifier 'bce'.*balanced_accuracy"):
        figure.data(without, PARAMS)
