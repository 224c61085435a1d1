"""The figure controls: every control that a comparison names is a line, and no other."""

from __future__ import annotations

import polars as pl
import pytest

from rlv.errors import DataError
from rlv.figures import controls as figure
from rlv.figures import style
from tests.figures.tables_for_tests import make_reasoners

COMPARISON = {
    **{"start": "base", "base": "grpo", "rl_v": "grpo_v", "verifier": "unified", "judge": "judge"},
    **{"separate": None, "cold": "base_cold", "confidence": "free", "brevity": "brevity", "chain": "chain"},
    "replicas": {"base": ["grpo"], "rl_v": ["grpo_v"]},
}
READ = {"judge": 0.5, "chain": 1.5, "free": 1.0, "brevity": 0.3}
REASONERS = {
    "base_cold": (-0.1, {}),
    "grpo": (0.0, READ),
    "grpo_v": (0.02, {"unified": 4.0, "free": 1.2}),
}
CURVES = [
    ("grpo_v", "unified", "weighted_voting"),
    ("grpo", "", "majority"),
    ("grpo", "judge", "weighted_voting"),
    ("grpo", "chain", "weighted_voting"),
    ("grpo", "free", "weighted_voting"),
    ("grpo", "brevity", "weighted_voting"),
    ("grpo_v", "free", "weighted_voting"),
    ("base_cold", "", "majority"),
    ("grpo", "", "pass_at_n"),
]


def params(*datasets, **comparison):
    chosen = {"grpo": COMPARISON | comparison}
    return {
        **{"figure": "controls", "against": "n", "comparisons": chosen, "datasets": list(datasets)},
        **{"draws": 100, "seed": 0},
    }


@pytest.fixture(scope="module")
def tables():
    return make_reasoners(REASONERS, ns=(1, 2, 4, 8), problems=20)


@pytest.fixture(scope="module")
def drawn(tables):
    return figure.data(tables, params("test", "hard"))


def curves_of(data):
    return data.select("reasoner", "verifier", "strategy").unique(maintain_order=True).rows()


def test_lines_are_the_measured_curves(tables, drawn):
    assert curves_of(drawn) == CURVES and drawn.height == 2 * 9 * 4
    key = ["dataset", "reasoner", "verifier", "strategy", "n", "accuracy", "low", "high", "unfinished"]
    assert drawn.join(tables["curves"], on=key, how="semi").height == drawn.height
    assert drawn.filter(pl.col("strategy") == "pass_at_n")["lead"].is_null().all()


def test_controls_that_a_comparison_does_not_name_are_left_out(tables):
    few = figure.data(tables, params("test", cold=None, confidence=None, brevity=None, chain=None))
    assert curves_of(few) == [CURVES[i] for i in (0, 1, 2, 8)]
    # As artifacts of studies without them have it: the keys are not even there.
    settings = params("test")
    for key in ("cold", "confidence", "brevity", "chain"):
        del settings["comparisons"]["grpo"][key]
    assert figure.data(tables, settings).equals(few)
    unread = tables | {
        "curves": tables["curves"].filter(
            (pl.col("reasoner") != "grpo_v") | (pl.col("verifier") != "free") | (pl.col("dataset") == "test")
        )
    }
    assert ("grpo_v", "free", "weighted_voting") not in curves_of(figure.data(unread, params("test", "hard")))
    with pytest.raises(DataError, match="'grpo' on 'test' by weighted_voting, verifier 'other'"):
        figure.data(tables, params("test", brevity="other"))
    with pytest.raises(DataError, match="no panel"):
        figure.data(tables, {**params("test"), "comparisons": {}})


def test_lines_are_told_apart_and_only_two_have_bands(drawn):
    picture = figure.draw(drawn)
    for axes in picture.axes:
        lines = axes.get_lines()
        assert len({line.get_color() for line in lines}) == len(lines) == 9
        assert len({line.get_marker() for line in lines[:-1]} - {"None"}) >= 7
        bands = [tuple(band.get_facecolor()[0][:3]) for band in axes.collections]
        assert len(bands) == 2
        widths = [line.get_linewidth() for line in lines]
        assert widths[0] > 1.5 * max(widths[1:]) and min(widths) == widths[-1]
    (legend,) = picture.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        style.LOOKS[key].label
        for key in (
            *(("rl_v", "weighted_voting"), ("base", "majority"), ("base", "weighted_voting")),
            *(("base", "chain"), ("base", "confidence"), ("base", "brevity"), ("rl_v", "confidence")),
            *(("cold", "majority"), ("base", "pass_at_n")),
        )
    ]


def test_caption_quotes_the_leads_over_every_control(drawn):
    text = figure.caption(drawn)
    assert "{" not in text and text.count("\n* ") == 2
    unread = ("its own solutions by the separate verifier", "its own solutions by the head")
    for name, curve in figure.RIVALS.items():
        if name in unread:
            continue
        row = drawn.filter(
            *(pl.col("dataset") == "hard", pl.col("n") == 4, pl.col("role") == curve.role),
            *(pl.col("strategy") == curve.strategy, pl.col("scorer") == (curve.scorer or "")),
        ).row(0, named=True)
        lead, low, high = (100 * row[column] for column in ("lead", "lead_low", "lead_high"))
        line = next(one for one in text.splitlines() if one.startswith("* GRPO on ``hard``"))
        assert f"{lead:+.1f} [{low:+.1f}, {high:+.1f}] over {name}" in line
        assert f"against {name} at N = 4, " in text
    few = figure.caption(drawn.filter(pl.col("role") != "cold", pl.col("scorer") != "chain"))
    assert "dark red" in text and "dark red" not in few and "indigo" not in few


def test_a_cold_start_stands_beside_every_training_seed():
    reasoners = REASONERS | {f"{name}_seed1": REASONERS[name] for name in ("grpo", "grpo_v")}
    tables = make_reasoners(reasoners, {"test": 0.4}, ns=(1, 4), problems=20)
    seeds = {"base": ["grpo", "grpo_seed1"], "rl_v": ["grpo_v", "grpo_v_seed1"]}
    data = figure.data(tables, params("test", replicas=seeds))
    assert set(data["replicas"]) == {2} and curves_of(data) == CURVES
    cold = data.filter(pl.col("role") == "cold")
    measured = tables["curves"].filter(pl.col("reasoner") == "base_cold", pl.col("strategy") == "majority")
    assert cold["accuracy"].to_list() == pytest.approx(measured["accuracy"].to_list())


def test_captions_say_how_many_solutions_are_unfinished(tables):
    shares = pl.col("reasoner").replace_strict({"grpo": 0.031, "grpo_v": 0.25, "base_cold": 0.5})
    counted = tables | {"curves": tables["curves"].with_columns(unfinished=shares)}
    text = figure.caption(figure.data(counted, params("test")))
    said = "; unfinished solutions: 25.0 % of ``grpo_v``, 3.1 % of ``grpo``, 50.0 % of ``base_cold``."
    assert said in text
    old = tables | {"curves": tables["curves"].with_columns(unfinished=pl.lit(None, pl.Float64))}
    assert "unfinished" not in figure.caption(figure.data(old, params("test")))


def test_other_verifiers_of_its_own_solutions_are_lines_where_they_read_all():
    read = {"unified": 4.0, "free": 1.2, "apart": 2.0, "head": 0.1}
    made = make_reasoners({**REASONERS, "grpo_v": (0.02, read)}, ns=(1, 2, 4, 8), problems=20)
    found = figure.data(made, params("test", "hard", separate="apart", head="head"))
    new = {("grpo_v", "apart", "weighted_voting"), ("grpo_v", "head", "weighted_voting")}
    assert set(curves_of(found)) == {*CURVES, *new}
    assert "by a trained head (olive)" in figure.caption(found) and "light blue" in figure.caption(found)
    hard = {
        name: t.filter((pl.col("verifier") != "head") | (pl.col("dataset") != "hard"))
        for name, t in made.items()
    }
    assert ("grpo_v", "head", "weighted_voting") not in curves_of(
        figure.data(hard, params("test", "hard", head="head"))
    )
