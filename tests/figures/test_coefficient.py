"""The figure coefficient: pass@1 and balanced accuracy where they were measured, on an axis with a zero."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.evaluation.bootstrap import paired
from rlv.figures import coefficient as figure
from rlv.figures import style
from tests.figures.tables_for_tests import make_reasoners

COEFFICIENTS = (0.0, 0.03, 0.1, 0.3, 1.0)
NAMES = {c: (f"v{i}" if c else "grpo") for i, c in enumerate(COEFFICIENTS)}
ENTRIES = [
    {
        "reasoner": NAMES[c],
        "verifier": "unified" if c else "judge",
        "coefficient": c,
        "objective": "generative",
    }
    for c in (0.3, 0.0, 1.0, 0.03, 0.1)
]
PARAMS = {
    "figure": "coefficient",
    "datasets": ["test"],
    "reasoners": {"grpo": ENTRIES},
    "draws": 200,
    "seed": 0,
}


@pytest.fixture(scope="module")
def tables():
    reasoners = {
        NAMES[c]: (0.02 * i, {"unified" if c else "judge": 0.5 + i}) for i, c in enumerate(COEFFICIENTS)
    }
    return make_reasoners(reasoners, ns=(1, 4), problems=30)


@pytest.fixture(scope="module")
def drawn(tables):
    return figure.data(tables, PARAMS)


def test_rows_are_the_measured_ones_by_coefficient(tables, drawn):
    one = drawn.filter(pl.col("quantity") == "pass_at_1")
    assert one["coefficient"].to_list() == list(COEFFICIENTS)
    assert one["reasoner"].to_list() == [NAMES[c] for c in COEFFICIENTS]
    for row in drawn.iter_rows(named=True):
        if row["quantity"] == "pass_at_1":
            mine = tables["per_problem"].filter(
                pl.col("dataset") == "test",
                pl.col("reasoner") == row["reasoner"],
                pl.col("strategy") == "pass_at_n",  # of one solution: the same as its vote
                pl.col("n") == 1,
            )
            assert row["value"] == pytest.approx(mine.unique("problem_id")["accuracy"].mean())
        else:
            mine = tables["verification"].filter(
                pl.col("dataset") == "test",
                pl.col("reasoner") == row["reasoner"],
                pl.col("verifier") == row["verifier"],
                pl.col("metric") == "balanced_accuracy",
                pl.col("over") == "answered",
            )
            assert [row["value"], row["low"], row["high"]] == list(mine.select("value", "low", "high").row(0))


def test_zero_stands_left_of_the_smallest_and_the_rest_on_a_log_axis():
    x = figure.places([0.1, 0.0, 1.0, 10.0])
    assert x == {0.0: pytest.approx(-2.5), 0.1: pytest.approx(-1.0), 1.0: 0.0, 10.0: 1.0}
    assert figure.places([0.5, 2.0]) == {0.5: math.log10(0.5), 2.0: math.log10(2.0)}
    assert figure.places([0.0]) == {0.0: 0.0}
    zero, one = figure.places([0.0, 0.3]).values()
    assert zero < one


def test_panels_points_and_ticks(drawn):
    picture = figure.draw(drawn)
    above, below = picture.axes
    assert above.get_ylabel().startswith("Reasoner") and below.get_ylabel().startswith("Verifier")
    assert [t.get_text() for t in below.get_xticklabels()] == ["0", "0.03", "0.1", "0.3", "1"]
    assert above.get_title() == "GRPO"
    dots = [line for line in above.get_lines() if line.get_marker() in ("o", "s")]
    assert [line.get_marker() for line in dots] == ["s", "o", "o", "o", "o"]
    assert dots[0].get_color() == style.LOOKS["base", ""].color
    assert dots[1].get_color() == style.LOOKS["rl_v", ""].color
    judge, own, *_ = [line for line in below.get_lines() if line.get_marker() in ("^", "o")]
    assert judge.get_color() == style.LOOKS["base", "weighted_voting"].color
    assert own.get_color() == style.LOOKS["rl_v", ""].color
    (legend,) = picture.legends
    assert len(legend.get_texts()) == 3
    one = drawn.filter(pl.col("quantity") == "pass_at_1")
    assert [float(line.get_ydata()[0]) for line in dots] == pytest.approx((100 * one["value"]).to_list())


def test_labels_that_would_touch_are_left_out():
    x = figure.places([0.0, 0.1, 0.101, 1.0])
    assert figure._tick_labels(x, 3.0) == ["0", "0.1", "", "1"]


def test_caption_quotes_the_data(drawn):
    text = figure.caption(drawn)
    assert "over solutions that have an answer" in text
    assert "{" not in text and text.count("\n* ") == 1
    assert "λ = 0, 0.03, 0.1, 0.3, 1." in text
    one = drawn.filter(pl.col("quantity") == "pass_at_1")
    top = one.sort("value", descending=True).row(0, named=True)
    value, low, high = (100 * top[c] for c in ("value", "low", "high"))
    assert f"highest, {value:.1f} % [{low:.1f}, {high:.1f}] at λ = {top['coefficient']:g}" in text
    change, low, high = (100 * one[c][-1] for c in ("change", "change_low", "change_high"))
    assert change == pytest.approx(100 * (one["value"][-1] - one["value"][0]))
    word = "a rise" if low > 0 else "undecided"
    assert f"from λ = 0 to λ = 1 it changes by {change:+.1f} [{low:+.1f}, {high:+.1f}] points" in text
    assert f"paired over problems ({word}" in text


def test_changes_are_paired_with_the_smallest_coefficient(tables, drawn):
    one = drawn.filter(pl.col("quantity") == "pass_at_1")
    assert one["change"].null_count() == 1 and one["change"][0] is None
    assert drawn.filter(pl.col("quantity") != "pass_at_1")["change"].null_count() == len(COEFFICIENTS)
    chosen = tables["per_problem"].filter(pl.col("dataset") == "test", pl.col("strategy") == "pass_at_n")
    by_reasoner = [
        dict(
            chosen.filter(pl.col("reasoner") == name, pl.col("n") == 1)
            .select("problem_id", "accuracy")
            .rows()
        )
        for name in (NAMES[1.0], NAMES[0.0])
    ]
    values_P2 = np.array([[table[p] for table in by_reasoner] for p in sorted(by_reasoner[0])])
    wanted = paired(values_P2, lambda m: m[..., 0] - m[..., 1], draws=200, seed=0)
    row = one.row(-1, named=True)
    assert [row[c] for c in ("change", "change_low", "change_high")] == pytest.approx(
        [wanted.value, wanted.low, wanted.high]
    )


def test_equal_values_are_the_same_at_all_coefficients(drawn):
    flat = {c: pl.lit(v) for c, v in {"value": 0.4, "low": 0.3, "high": 0.5}.items()}
    flat |= {c: pl.lit(0.0) for c in ("change", "change_low", "change_high")}
    text = figure.caption(drawn.with_columns(**flat))
    assert "pass@1 is the same at all λ, 40.0 % [30.0, 50.0]" in text
    assert "it changes by +0.0 [+0.0, +0.0] points, paired over problems (undecided" in text
    assert "balanced accuracy is the same at all λ, 0.400 [0.300, 0.500]" in text


def test_without_coefficient_zero_there_is_no_base_method(tables):
    entries = [entry for entry in ENTRIES if entry["coefficient"] > 0]
    data = figure.data(tables, PARAMS | {"reasoners": {"grpo": entries}, "datasets": ["test", "hard"]})
    picture = figure.draw(data)
    assert len(picture.axes) == 4
    (legend,) = picture.legends
    assert len(legend.get_texts()) == 1
    assert "orange" not in figure.caption(data)


def test_one_coefficient_or_one_twice_is_refused(tables):
    for entries in (ENTRIES[:1], [ENTRIES[0], ENTRIES[0]]):
        with pytest.raises(DataError, match=r"'grpo' have verification coefficients \[0.3"):
            figure.data(tables, PARAMS | {"reasoners": {"grpo": entries}})


def test_without_one_solution_the_message_says_what_to_add(tables):
    without = tables | {"curves": tables["curves"].filter(pl.col("n") > 1)}
    with pytest.raises(DataError, match=r"'grpo' on 'test' is not evaluated at N = 1.*`evaluation.ns`"):
        figure.data(without, PARAMS)


def test_without_verifier_the_message_says_what_to_add(tables):
    without = tables | {"verification": tables["verification"].filter(pl.col("reasoner") != "v2")}
    with pytest.raises(DataError, match=r"'v2' on 'test', verifier 'unified'.*`verifiers`"):
        figure.data(without, PARAMS)


def test_an_undefined_metric_is_said(tables):
    none = pl.lit(None, pl.Float64)
    blank = tables | {"verification": tables["verification"].with_columns(value=none, low=none, high=none)}
    data = figure.data(blank, PARAMS)
    figure.draw(data)
    assert "balanced accuracy is undefined" in figure.caption(data)
