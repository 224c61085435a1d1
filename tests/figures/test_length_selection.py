"""The figure length_selection: the sweep beside fixed budgets, all at the mean length that they generate."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.figures import length_selection as figure
from tests.figures.tables_for_tests import BUDGETS, lengths_params, make_lengths

PARAMS = lengths_params("length_selection")
COMPARISONS = PARAMS["comparisons"]


@pytest.fixture(scope="module")
def tables():
    return make_lengths(COMPARISONS, budgets=BUDGETS, ns=(1, 2, 4, 8), problems=40)


@pytest.fixture(scope="module")
def drawn(tables):
    return figure.data(tables, PARAMS)


def series(data, name, n=8, dataset="test"):
    return data.filter(pl.col("series") == name, pl.col("n") == n, pl.col("dataset") == dataset)


def test_the_middle_and_the_largest_n(drawn):
    assert sorted(set(drawn["n"])) == [4, 8]
    assert drawn.height == 2 * 2 * (9 + 2 * len(BUDGETS))


def test_the_sweep_is_the_selection_table(tables, drawn):
    rows = series(drawn, "selection")
    columns = [
        "threshold",
        "length",
        "length_low",
        "length_high",
        "accuracy",
        "low",
        "high",
        "tokens",
        "confident",
    ]
    same = tables["selection"].filter(pl.col("dataset") == "test", pl.col("n") == 8)
    assert rows.select(columns).equals(same.select(columns))
    assert rows["budget"].null_count() == rows.height


def test_fixed_budgets_stand_at_the_tokens_that_they_generate(tables, drawn):
    for name, reasoner, strategy in (
        ("fixed", "grpo_v", "weighted_voting"),
        ("base_fixed", "grpo", "majority"),
    ):
        rows = series(drawn, name)
        assert rows["budget"].to_list() == list(BUDGETS)
        for row in rows.iter_rows(named=True):
            mine = tables["per_problem"].filter(
                pl.col("dataset") == "test",
                pl.col("reasoner") == reasoner,
                pl.col("budget") == row["budget"],
            )
            generated = mine.filter(pl.col("strategy") == "majority", pl.col("n") == 1)
            assert row["length"] == pytest.approx(generated["tokens"].mean())
            voted = mine.filter(pl.col("strategy") == strategy, pl.col("n") == 8)
            assert row["accuracy"] == pytest.approx(voted["accuracy"].mean())
            assert row["tokens"] == pytest.approx(voted["tokens"].mean())
    # A verifier reads: at the same length RL^V pays more tokens than its solutions have.
    fixed = series(drawn, "fixed")
    assert (fixed["tokens"] > 8 * fixed["length"]).all()


def between(x, points):
    """The chord of the two neighbouring points, by trying all pairs."""
    best = None
    for (x0, y0), (x1, y1) in combinations(sorted(points), 2):
        nothing_inside = not any(x0 < other < x1 for other, _ in points)
        if nothing_inside and x0 <= x <= x1:
            best = y0 if x1 == x0 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    if best is None:
        best = min(points, key=lambda point: abs(point[0] - x))[1]
    return best


def test_lead_is_taken_at_the_same_mean_length(drawn):
    points = series(drawn, "fixed").select("length", "accuracy").rows()
    for row in series(drawn, "selection").iter_rows(named=True):
        assert row["lead"] == pytest.approx(row["accuracy"] - between(row["length"], points))
        assert row["lead_low"] <= row["lead_high"]


def test_the_interval_of_the_lead_is_paired_over_problems(tables):
    ours = (pl.col("dataset") == "test") & (pl.col("reasoner") == "grpo_v") & (pl.col("n") == 8)
    fixed = tables["per_problem"].filter(ours)
    swept = tables["selection_per_problem"].filter(ours, pl.col("threshold") == 0.5).sort("problem_id")

    def columns(strategy, value):
        rows = fixed.filter(pl.col("strategy") == strategy).unique(["problem_id", "budget"])
        return [rows.filter(pl.col("budget") == b).sort("problem_id")[value].to_numpy() for b in BUDGETS]

    votes, lengths = columns("weighted_voting", "accuracy"), [t / 8 for t in columns("majority", "tokens")]
    rng = np.random.default_rng(1)
    leads = []
    for _ in range(4000):
        picked = rng.integers(0, 40, size=40)
        points = [(t[picked].mean(), a[picked].mean()) for t, a in zip(lengths, votes, strict=True)]
        at = between(swept["length"].to_numpy()[picked].mean(), points)
        leads.append(swept["accuracy"].to_numpy()[picked].mean() - at)
    many = figure.data(tables, PARAMS | {"draws": 4000, "datasets": ["test"]})
    row = series(many, "selection").filter(pl.col("threshold") == 0.5).row(0, named=True)
    low, high = np.percentile(leads, [2.5, 97.5])
    assert row["lead_low"] == pytest.approx(low, abs=0.015)
    assert row["lead_high"] == pytest.approx(high, abs=0.015)


def test_panels_lines_and_thresholds(drawn):
    picture = figure.draw(drawn)
    assert len(picture.axes) == 2 * 2
    assert [axes.get_title() for axes in picture.axes] == ["N = 4", "N = 8", "", ""]
    for axes in picture.axes:
        colors = {line.get_color() for line in axes.get_lines()}
        assert colors == {look.color for look in figure.LOOKS.values()}
        written = [text.get_text() for text in axes.texts if "\n" not in text.get_text()]
        assert written[0] == "0" and 2 <= len(written) < 9
        assert set(written) <= {f"{t:g}" for t in drawn["threshold"].drop_nulls()}


def test_thresholds_do_not_overlap(drawn):
    picture = figure.draw(drawn)
    picture.draw_without_rendering()
    for axes in picture.axes:
        boxes = [t.get_window_extent() for t in axes.texts if "\n" not in t.get_text()]
        assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
        assert all(box.y1 <= axes.get_window_extent().y1 + 1 for box in boxes)


def test_caption_quotes_the_data(drawn):
    text = figure.caption(drawn)
    assert "{" not in text and text.count("\n* ") == 2
    line = next(line for line in text.splitlines() if line.startswith("* GRPO on ``hard``"))
    for n in (4, 8):
        best = series(drawn, "fixed", n, "hard").sort("accuracy").row(-1, named=True)
        value, low, high = (100 * best[c] for c in ("accuracy", "low", "high"))
        price = (
            f"{best['budget']} tokens, gives {value:.1f} % [{low:.1f}, {high:.1f}] for {best['tokens']:.0f}"
        )
        assert f"at N = {n} the best fixed budget, {price} tokens" in line
        swept = series(drawn, "selection", n, "hard")
        middle = swept.sort("threshold").row(4, named=True)  # of nine
        lead, low, high = (100 * middle[c] for c in ("lead", "lead_low", "lead_high"))
        with_it = f"threshold {middle['threshold']:g} and mean length {middle['length']:.1f}, the middle"
        assert f"it has {lead:+.1f} [{low:+.1f}, {high:+.1f}] points with {with_it} of those swept" in line
        ahead = swept.filter(pl.col("lead_low") > 1e-9).height
        assert f"of all 9 thresholds it is ahead at {ahead}, behind" in line


@pytest.mark.parametrize("low", [0.0, 0.01])
def test_the_best_threshold_is_told_only_where_it_is_ahead(drawn, low):
    best = (pl.col("series") == "selection") & (pl.col("threshold") == 0.8)
    leads = {"lead": (0.3, 0.0), "lead_low": (low, -0.1), "lead_high": (0.4, 0.1)}
    changed = {
        name: pl.when(best).then(pl.lit(top)).when(pl.col("lead").is_not_null()).then(pl.lit(other))
        for name, (top, other) in leads.items()
    }
    text = figure.caption(drawn.with_columns(**changed))
    said = f"the largest lead, chosen by its result, is +30.0 [{100 * low:+.1f}, +40.0] points"
    assert (said in text) == (low > 0)
    assert "most ahead" not in text


def test_no_accuracy_below_zero(drawn):
    wide = drawn.with_columns(accuracy=pl.col("accuracy") * 0.1, low=pl.lit(0.0))
    assert all(axes.get_ylim()[0] >= 0 for axes in figure.draw(wide).axes)


def test_a_selection_that_never_gets_there_says_so(drawn):
    poor = pl.when(pl.col("series") == "selection").then(0.01).otherwise(pl.col("accuracy"))
    assert "which no threshold reaches (closest: threshold" in figure.caption(
        drawn.with_columns(accuracy=poor)
    )


def test_one_n_fills_one_column(tables):
    one = {name: table.filter(pl.col("n") == 8) for name, table in tables.items()}
    data = figure.data(one, PARAMS | {"datasets": ["test"]})
    assert len(figure.draw(data).axes) == 1


def test_without_selection_the_message_says_what_is_missing(tables):
    lost = tables | {"selection": tables["selection"].filter(pl.col("dataset") != "hard")}
    with pytest.raises(DataError, match=r"'grpo_v' on 'hard', verifier 'unified': the selection table"):
        figure.data(lost, PARAMS)


def test_no_common_n_is_refused(tables):
    lost = tables | {"selection": tables["selection"].with_columns(n=pl.lit(3, pl.Int32))}
    with pytest.raises(DataError, match=r"selection at N = \[3\].*none in common"):
        figure.data(lost, PARAMS)


def test_nothing_to_draw_is_refused(tables):
    with pytest.raises(DataError, match="`lengths`"):
        figure.data(tables, PARAMS | {"comparisons": {}})
