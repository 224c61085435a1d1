"""The figure votes: every vote of every reasoner, whatever is known of how its solutions came about."""

from __future__ import annotations

import polars as pl
import pytest

from rlv.errors import DataError
from rlv.evaluation.prices import COSTS
from rlv.figures import style
from rlv.figures import votes as figure
from tests.figures.tables_for_tests import make_reasoners

READ = {"rm": 3.0, "prm_min": 1.0}
REASONERS = {"mine": (0.0, READ), "plain": (-0.1, {}), "other": (0.05, {"prm_min": 2.0})}
DATASETS = {"test": 0.45, "hard": 0.2}
NS = (1, 2, 4, 8)


def params(*datasets, **more):
    return {"figure": "votes", "against": "n", "datasets": list(datasets), "draws": 100, "seed": 0, **more}


@pytest.fixture(scope="module")
def tables():
    return make_reasoners(REASONERS, DATASETS, ns=NS, problems=20)


@pytest.fixture(scope="module")
def drawn(tables):
    return figure.data(tables, params(*DATASETS))


def votes_of(data):
    return data.select("reasoner", "verifier", "strategy").unique(maintain_order=True).rows()


def test_lines_are_the_measured_curves_once_each(tables, drawn):
    expected = [
        (reasoner, *vote)
        for reasoner, (_, read) in REASONERS.items()
        for vote in (
            *(("", "majority"), ("", "pass_at_n")),
            *((v, s) for v in read for s in ("weighted_voting", "best_of_n")),
        )
    ]
    assert votes_of(drawn) == expected and drawn.height == 2 * len(expected) * len(NS)
    key = ["dataset", "reasoner", "verifier", "strategy", "n", "accuracy", "low", "high", "unfinished"]
    assert drawn.join(tables["curves"], on=key, how="semi").height == drawn.height
    assert drawn.columns == figure.COLUMNS and drawn["x"].to_list() == drawn["n"].to_list()


def test_leads_are_over_majority_of_the_same_solutions(tables, drawn):
    means = (
        tables["per_problem"]
        .group_by("dataset", "reasoner", "verifier", "strategy", "n")
        .agg(pl.col("accuracy").mean())
    )
    found = {row[:5]: row[5] for row in means.rows()}
    for row in drawn.iter_rows(named=True):
        cell = (row["dataset"], row["reasoner"], row["verifier"], row["strategy"], row["n"])
        if not row["verifier"]:
            assert row["lead"] is row["lead_low"] is row["lead_high"] is None
            continue
        lead = found[cell] - found[(*cell[:2], "", "majority", row["n"])]
        assert row["lead"] == pytest.approx(lead)
        assert row["lead_low"] - 1e-12 <= lead <= row["lead_high"] + 1e-12
        if row["n"] == 1:  # one solution is its own best and its own majority
            assert (row["lead"], row["lead_low"], row["lead_high"]) == pytest.approx((0, 0, 0), abs=1e-12)


def test_a_reasoner_need_not_be_on_every_data_set(tables):
    curves = tables["curves"].filter((pl.col("reasoner") != "other") | (pl.col("dataset") == "hard"))
    data = figure.data(tables | {"curves": curves}, params(*DATASETS))
    assert data.filter(dataset="test")["reasoner"].unique(maintain_order=True).to_list() == ["mine", "plain"]
    picture = figure.draw(data)
    assert [len(axes.get_lines()) for axes in picture.axes] == [6, 6, 2, 2, 0, 4]
    assert "``other`` on ``test``" not in figure.caption(data)


@pytest.mark.parametrize("against", COSTS)
def test_against_costs_that_are_known(tables, against):
    data = figure.data(tables, params("test", against=against))
    measured = tables["curves"].unique(["dataset", "reasoner", "verifier", "strategy", "n"])
    both = data.join(measured, on=["dataset", "reasoner", "verifier", "strategy", "n"])
    assert both.height == data.height and both["x"].to_list() == both[against].to_list()
    assert set(data["against"]) == {against} and "N of solutions" not in figure.caption(data).split(",")[0]
    assert ("keys and values are kept" in figure.caption(data)) == against.endswith("_new")
    picture = figure.draw(data)
    picture.draw_without_rendering()
    assert ("keys and values kept" in picture.axes[-1].get_xlabel()) == against.endswith("_new")


def test_costs_that_nobody_knows_are_refused_and_n_needs_none(tables):
    unknown = pl.when(pl.col("reasoner") != "other").then("tokens").alias("tokens")
    curves = tables["curves"].with_columns(unknown)
    with pytest.raises(DataError, match=r"nobody knows the tokens of 'other' on 'test'; draw it against n"):
        figure.data(tables | {"curves": curves}, params("test", against="tokens"))
    old = tables["curves"].with_columns(tokens_new=pl.when(pl.col("verifier") == "").then("tokens"))
    with pytest.raises(
        DataError,
        match=r"the tokens_new of 'mine' with .* make them again, or draw it against tokens",
    ):
        figure.data(tables | {"curves": old}, params("test", against="tokens_new"))
    bare = curves.with_columns(**{c: pl.lit(None, pl.Float64) for c in (*COSTS, "unfinished")})
    data = figure.data(tables | {"curves": bare}, params("test"))
    figure.draw(data).draw_without_rendering()
    text = figure.caption(data)
    assert "unfinished" not in text and "None" not in text and "nan" not in text


def test_nothing_to_draw_and_several_budgets_are_refused(tables):
    with pytest.raises(DataError, match="figure votes: no evaluation at all; name data sets"):
        figure.data(tables, params("elsewhere"))
    again = pl.concat([tables["curves"], tables["curves"].with_columns(budget=pl.lit(9, pl.Int32))])
    with pytest.raises(DataError, match=r"the curves table has budgets \[9, 64\]"):
        figure.data(tables | {"curves": again}, params("test"))


def test_panels_lines_and_bands(drawn):
    picture = figure.draw(drawn)
    assert len(picture.axes) == 3 * 2
    for axes, verifiers in zip(picture.axes, (2, 2, 0, 0, 1, 1), strict=True):
        lines = axes.get_lines()
        assert len(lines) == 2 + 2 * verifiers and len(axes.collections) == 1 + verifiers  # bands
        assert len({(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}) == len(
            lines
        )
    (legend,) = picture.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        *("Majority voting", "pass@N (upper limit)", "Weighted voting, rm", "Best of N, rm"),
        *("Weighted voting, prm min", "Best of N, prm min"),
    ]


def test_a_verifier_has_one_colour_in_all_panels_and_fifteen_are_told_apart(drawn):
    of_prm = figure.look("prm_min", "weighted_voting", ["rm", "prm_min"])
    for axes in figure.draw(drawn).axes[-2:]:  # it is the only one of `other`
        assert [line.get_color() for line in axes.get_lines()][2:] == [of_prm.color] * 2
    names = [f"v{i}" for i in range(15)]
    looks = [figure.look(name, strategy, names) for name in names for strategy in figure.SCORED]
    assert len({(one.color, one.marker, str(one.line)) for one in looks}) == len(looks)


def test_a_verifier_whose_name_says_its_role_looks_the_same_in_any_company():
    for names in (["judge", "unified"], ["rm", "unified", "judge", "separate_grpo", "separate_more"]):
        colors = {name: figure.drawn_at(place)[0] for name, place in figure.places(names).items()}
        assert colors["unified"] == style.BLUE and colors["judge"] == style.PURPLE
        assert len(set(colors.values())) == len(names)
    assert colors["separate_grpo"] == style.SKY
    assert figure.places(["unified", "rm"])["rm"] == figure.places(["rm"])["rm"]


def test_a_long_legend_is_not_at_the_cost_of_the_panels():
    heights = []
    for count in (1, 8):
        read = {f"verifier_{i}": 1.0 for i in range(count)}
        made = make_reasoners({"mine": (0.0, read)}, {"test": 0.4}, ns=(1, 2), problems=8)
        picture = figure.draw(figure.data(made, params("test")))
        picture.draw_without_rendering()
        heights.append(picture.axes[0].get_window_extent().height / picture.dpi)
        (legend,) = picture.legends
        assert not legend.get_window_extent().overlaps(picture.axes[0].get_tightbbox())
    assert heights[1] > 0.9 * heights[0] > 1.0  # inches


def test_caption_quotes_every_lead_and_the_ends(drawn):
    text = figure.caption(drawn)
    assert "{" not in text and text.count("\n* ") == 2 * 3
    for (dataset, reasoner), panel in drawn.group_by("dataset", "reasoner"):
        line = next(x for x in text.splitlines() if x.startswith(f"* ``{reasoner}`` on ``{dataset}``"))
        at = {
            (s, n): f"{100 * a:.1f}"
            for s, n, a in panel.filter(verifier="").select("strategy", "n", "accuracy").rows()
        }
        assert f"one solution {at['majority', 1]} %, majority voting at N = 8" in line
        for row in panel.filter(pl.col("n") == 8, pl.col("verifier") != "").iter_rows(named=True):
            how = "weighted voting" if row["strategy"] == "weighted_voting" else "best of N"
            lead, low, high = (100 * row[name] for name in ("lead", "lead_low", "lead_high"))
            quoted = line.split(f"{how} with ``{row['verifier']}``")[1]
            assert f"{lead:+.1f} [{low:+.1f}, {high:+.1f}] at N = 8" in quoted


def test_reasoners_of_different_n_are_drawn_as_far_as_they_go(tables):
    curves, each = (
        tables[name].filter((pl.col("reasoner") != "other") | (pl.col("n") < 4))
        for name in ("curves", "per_problem")
    )
    data = figure.data({"curves": curves, "per_problem": each}, params("test"))
    assert data.filter(reasoner="other")["n"].max() == 2
    text = figure.caption(data)
    line = next(x for x in text.splitlines() if x.startswith("* ``other``"))
    assert "majority voting at N = 2" in line and "no number at N = 8" in line
    figure.draw(data).draw_without_rendering()


def test_names_are_shown_as_words(drawn):
    picture = figure.draw(drawn.with_columns(reasoner=pl.lit("math_7b")))
    assert "math 7b" in [text.get_text() for axes in picture.axes for text in axes.texts]
    assert not {look.color for _, look in figure.ROLES} & set(figure.COLORS)
