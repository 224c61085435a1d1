"""The figure sequential_parallel: accuracy at every budget and three N, ratios by another bootstrap."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.evaluation.ratio import ratio
from rlv.figures import sequential_parallel as figure
from rlv.figures import style
from tests.figures.tables_for_tests import BUDGETS, lengths_params, make_lengths

PARAMS = lengths_params("sequential_parallel")
COMPARISONS = PARAMS["comparisons"]


@pytest.fixture(scope="module")
def tables():
    return make_lengths(COMPARISONS, budgets=BUDGETS, ns=(1, 2, 4, 8, 16), problems=40)


@pytest.fixture(scope="module")
def drawn(tables):
    return figure.data(tables, PARAMS)


def by_problem(tables, reasoner, strategy, n, budget, dataset="test"):
    rows = tables["per_problem"].filter(
        pl.col("dataset") == dataset,
        pl.col("reasoner") == reasoner,
        pl.col("strategy") == strategy,
        pl.col("n") == n,
        pl.col("budget") == budget,
    )
    return dict(rows.select("problem_id", "accuracy").rows())


def test_smallest_middle_and_largest_n_at_every_budget(tables, drawn):
    assert drawn.height == 2 * 2 * 3 * len(BUDGETS)
    assert sorted(set(drawn["n"])) == [1, 4, 16]
    for row in drawn.iter_rows(named=True):
        values = by_problem(
            tables, row["reasoner"], row["strategy"], row["n"], row["budget"], row["dataset"]
        ).values()
        assert row["accuracy"] == pytest.approx(sum(values) / 40)
    ours = drawn.filter(pl.col("role") == "rl_v")
    assert set(ours["reasoner"]) == {"grpo_v"} and set(ours["verifier"]) == {"unified"}
    base = drawn.filter(pl.col("role") == "base")
    assert set(base["strategy"]) == {"majority"} and set(base["verifier"]) == {""}


def test_ratio_is_paired_over_problems(tables, drawn):
    row = drawn.filter(
        pl.col("dataset") == "test", pl.col("role") == "rl_v", pl.col("n") == 16, pl.col("budget") == 45
    ).row(0, named=True)
    ours = by_problem(tables, "grpo_v", "weighted_voting", 16, 45)
    base = by_problem(tables, "grpo", "majority", 16, 45)
    names = sorted(ours)
    ours_P, base_P = (np.array([table[p] for p in names]) for table in (ours, base))
    assert row["ratio"] == pytest.approx(ours_P.mean() / base_P.mean())
    same = ratio(ours_P, base_P, draws=200, seed=5)
    assert (row["ratio_low"], row["ratio_high"]) == pytest.approx((same.low, same.high))
    # Resampled by picking problems, not by counting them: the interval agrees up to Monte Carlo.
    rng = np.random.default_rng(1)
    picks = rng.integers(0, len(names), size=(4000, len(names)))
    low, high = np.percentile(ours_P[picks].mean(axis=1) / base_P[picks].mean(axis=1), [2.5, 97.5])
    assert row["ratio_low"] == pytest.approx(low, abs=0.05)
    assert row["ratio_high"] == pytest.approx(high, abs=0.08)


def test_a_base_method_that_solves_nothing_has_no_ratio(tables):
    nothing = pl.when(pl.col("reasoner") == "grpo", pl.col("budget") == 10).then(0.0)
    wiped = {
        name: tables[name].with_columns(accuracy=nothing.otherwise(pl.col("accuracy")))
        for name in ("curves", "per_problem")
    }
    data = figure.data(wiped, PARAMS)
    at = (pl.col("role") == "rl_v") & (pl.col("budget") == 10)
    assert data.filter(at)["ratio"].null_count() == data.filter(at).height
    assert data.filter(~at, pl.col("role") == "rl_v")["ratio"].null_count() == 0
    figure.draw(data)
    assert "10 tokens undefined (the base method solves nothing)" in figure.caption(data)


def test_a_base_method_that_solves_one_problem_has_no_upper_end(tables):
    one = (pl.col("problem_id") == "p0007").cast(pl.Float64)
    at = (pl.col("reasoner") == "grpo") & (pl.col("budget") == 10)
    poor = pl.when(at).then(one).otherwise(pl.col("accuracy")).alias("accuracy")
    changed = tables | {"per_problem": tables["per_problem"].with_columns(poor)}
    data = figure.data(changed, PARAMS | {"datasets": ["test"]})
    row = data.filter(pl.col("role") == "rl_v", pl.col("n") == 16, pl.col("budget") == 10)
    ours = by_problem(tables, "grpo_v", "weighted_voting", 16, 10).values()
    assert row["ratio"][0] == pytest.approx(sum(ours))
    assert row["ratio_high"][0] == np.inf and np.isfinite(row["ratio_low"][0])
    text = figure.caption(data)
    assert ", unbounded], 17 tokens" in text and "an arrow has no upper end" in text and "inf]" not in text
    below = figure.draw(data).axes[1]
    (arrow,) = [line for line in below.get_lines() if line.get_label() == "_unbounded"]
    assert arrow.get_xdata().tolist()[0] == 10
    assert arrow.get_ydata()[0] == pytest.approx(below.get_ylim()[1])


def test_a_ratio_of_zero_stands_at_the_lower_edge(drawn):
    ours = (pl.col("role") == "rl_v") & (pl.col("budget") == 17)
    zero = {c: pl.when(ours).then(0.0).otherwise(pl.col(c)) for c in ("ratio", "ratio_low")}
    below = figure.draw(drawn.with_columns(**zero)).axes[2]
    assert below.get_yscale() == "log"
    low, high = below.get_ylim()
    assert 0.05 < low < 1 < high
    (line,) = [line for line in below.get_lines() if "RL$^V$" in line.get_label()]
    assert line.get_ydata()[1] == pytest.approx(low)


@pytest.mark.parametrize(
    ("against", "label"),
    [
        ("tokens", "Tokens per problem"),
        ("flops", "FLOPs per problem"),
        ("tokens_new", "Tokens per problem,\nkeys and values kept"),
        ("flops_new", "FLOPs per problem,\nkeys and values kept"),
    ],
)
def test_against_cost_points_lie_at_their_own_cost(tables, drawn, against, label):
    data = figure.data(tables, PARAMS | {"against": against})
    assert data["x"].to_list() == pytest.approx(data[against].to_list())
    other = [c for c in data.columns if c not in ("against", "x")]
    assert data.select(other).equals(drawn.select(other))  # ratios too: at the same N and budget
    picture = figure.draw(data)
    assert [axes.get_xlabel() for axes in picture.axes[::2]] == [label, "Length budget (tokens)"]
    ours, base = picture.axes[0].get_lines()[2::3]
    assert (ours.get_xdata() > base.get_xdata()).all()  # a verifier pays for what it reads
    assert "the same budget, whatever they cost" in figure.caption(data)


def test_other_problems_are_refused(tables):
    lost = pl.col("reasoner").eq("grpo") & pl.col("problem_id").eq("p0003")
    fewer = tables | {"per_problem": tables["per_problem"].filter(~lost)}
    with pytest.raises(DataError, match="'p0003' of 'test' is evaluated for only one"):
        figure.data(fewer, PARAMS)
    holes = tables | {"per_problem": tables["per_problem"].filter(~lost | (pl.col("budget") == 10))}
    with pytest.raises(DataError, match=r"'grpo' on 'test' does not have every problem"):
        figure.data(holes, PARAMS)


def test_panels_lines_and_colours(drawn):
    picture = figure.draw(drawn)
    assert len(picture.axes) == 4
    assert [axes.get_title() for axes in picture.axes[:2]] == ["test", "hard"]
    lines = picture.axes[0].get_lines()
    assert len(lines) == 6
    full = [style.LOOKS["rl_v", "weighted_voting"].color, style.LOOKS["base", "majority"].color]
    assert [lines[2].get_color(), lines[5].get_color()] == full  # the most solutions have the role's colour
    assert len({line.get_color() for line in lines}) == 6
    assert lines[0].get_xdata().tolist() == list(BUDGETS)
    assert [t.get_text() for t in picture.axes[-1].get_xticklabels()] == ["10", "17", "24", "45"]


def test_wide_budgets_get_a_logarithmic_axis(drawn):
    axes = figure.draw(drawn).axes[0]
    figure.budget_axis(axes, [10, 20])
    assert axes.get_xscale() == "linear"
    figure.budget_axis(axes, [256, 512, 4096])
    assert axes.get_xscale() == "log"


def test_caption_quotes_the_data(drawn):
    text = figure.caption(drawn)
    assert "{" not in text and text.count("\n* ") == 2
    line = next(line for line in text.splitlines() if line.startswith("* GRPO on ``hard``"))
    ours = drawn.filter(pl.col("dataset") == "hard", pl.col("role") == "rl_v", pl.col("n") == 16)
    for row in ours.filter(pl.col("ratio").is_not_null()).iter_rows(named=True):
        quoted = "{budget} tokens {ratio:.2f} [{ratio_low:.2f}, {ratio_high:.2f}]".format(**row)
        assert quoted.replace("inf]", "unbounded]") in line
    ahead = drawn.filter(pl.col("n") == 16, pl.col("ratio_low") > 1).height
    assert f"is ahead in {ahead}, behind in" in text


def test_one_budget_is_refused(tables):
    one = {name: t.filter(pl.col("budget") == 24) for name, t in tables.items() if "budget" in t.columns}
    with pytest.raises(DataError, match=r"'grpo_v' on 'test' has only budget 24.*`lengths.budgets`"):
        figure.data(one, PARAMS)


def test_no_common_n_is_refused(tables):
    ours = pl.col("reasoner") == "grpo_v"
    keep = (ours & pl.col("n").is_in([1, 2])) | (~ours & pl.col("n").is_in([4, 8]))
    apart = {name: tables[name].filter(keep) for name in ("curves", "per_problem")}
    with pytest.raises(DataError, match="none in common; evaluate both at the same N"):
        figure.data(apart, PARAMS)


def test_a_missing_side_is_named(tables):
    lost = {name: tables[name].filter(pl.col("reasoner") != "grpo") for name in ("curves", "per_problem")}
    with pytest.raises(DataError, match=r"'grpo' on 'test' by majority.*has reasoners grpo_v"):
        figure.data(lost, PARAMS)


def test_nothing_to_draw_is_refused(tables):
    with pytest.raises(DataError, match="`lengths`"):
        figure.data(tables, PARAMS | {"datasets": []})
