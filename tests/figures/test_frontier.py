"""The figures of allocations: what they draw of which tables, and what their captions say."""

from __future__ import annotations

import polars as pl
import pytest
from matplotlib.collections import PathCollection

from rlv.errors import DataError
from rlv.figures import allocation, frontier, solve_or_verify, style, votes
from rlv.tables import frame
from tests.evaluation.allocation.test_allocate import allocations

PARAMS = {"figure": "mine", "datasets": ["hard", "test"]}


@pytest.fixture(scope="module")
def tables():
    return allocations({"grpo": ("judge", "free"), "grpo_v": ("unified",)}, ["test", "hard"])


def test_a_frontier_has_all_cells_and_choices_but_the_shuffled_ones(tables):
    data = frontier.data(tables, PARAMS)
    shuffled = tables["frontier"].filter(binning="shuffled").height
    assert data.height == tables["frontier"].height - shuffled
    assert data["dataset"].unique(maintain_order=True).to_list() == ["hard", "test"]
    figure = frontier.draw(data)
    assert len(figure.axes) == 2 * 4  # two prices; two data sets with two reasoners
    drawn = [line.get_xydata() for line in figure.axes[0].get_lines()]
    majority = data.filter(dataset="hard", reasoner="grpo", price="whole", strategy="majority").sort("n")
    expected = majority.select("cost", 100 * pl.col("accuracy")).to_numpy()
    assert any(line.shape == expected.shape and (line == expected).all() for line in drawn)


def test_a_price_that_is_not_known_has_no_panel(tables):
    whole = {"frontier": tables["frontier"].filter(price="whole")}
    assert len(frontier.draw(frontier.data(whole, PARAMS)).axes) == 4


def test_a_caption_quotes_what_a_budget_reaches(tables):
    data = frontier.data(tables, PARAMS)
    reached = data.filter(dataset="test", reasoner="grpo", price="whole", strategy="majority", n=8.0)[
        "accuracy"
    ][0]
    said = frontier.caption(data)
    assert f"``grpo`` on ``test``, whole price, N = 8: majority voting {100 * reached:.1f} %" in said
    # Two probes cost more than a solution, and less than eight at the cached price.
    assert "mean score" in said


def test_a_map_has_a_colour_for_each_winner_and_is_pale_where_undecided(tables):
    data = allocation.data(tables, PARAMS)
    assert data["binning"].unique().to_list() == ["oracle"]
    figure = allocation.draw(data)
    one = data.filter(dataset="hard", reasoner="grpo", price="whole")
    patches = figure.axes[0].patches
    assert len(patches) == one.height
    for row, patch in zip(one.iter_rows(named=True), patches, strict=True):
        full = allocation._decided(row)
        assert (min(patch.get_facecolor()[:3]) >= 1 - allocation.PALE) == (not full)
        assert bool(patch.get_hatch()) == (row["strategy"] == "best_of_n")


def test_colours_are_those_of_the_frontier(tables):
    data = allocation.data(tables, PARAMS)
    places = dict(data.filter(pl.col("place") >= 0).select("verifier", "place").unique().iter_rows())
    names = list(dict.fromkeys(verifier for verifier in tables["frontier"]["verifier"] if verifier))
    assert places and places.items() <= votes.places(names).items()
    assert {name: votes.drawn_at(place)[0] for name, place in places.items()}.items() <= {
        "judge": style.PURPLE,
        "free": style.TEAL,
        "unified": style.BLUE,
    }.items()


def test_prices_that_change_nothing_share_a_panel(tables):
    assert frontier.distinct_prices(tables["frontier"]) == ["whole", "cached"]
    whole = tables["frontier"].filter(price="whole")
    same = tables | {"frontier": pl.concat([whole, whole.with_columns(price=pl.lit("cached"))])}
    assert frontier.distinct_prices(same["frontier"]) == ["whole"]
    data = frontier.data(same, PARAMS)
    assert set(data["price"]) == {"whole"} and len(frontier.draw(data).axes) == 4
    assert "at two prices" not in frontier.caption(data)
    assert set(allocation.data(same, PARAMS)["price"]) == {"whole"}


def test_cells_of_the_hull_are_ringed(tables):
    data = frontier.data(tables, PARAMS)
    hull = data.filter("on_hull", dataset="hard", reasoner="grpo", price="whole")
    (rings,) = [c for c in frontier.draw(data).axes[0].collections if isinstance(c, PathCollection)]
    ringed = {tuple(at) for at in rings.get_offsets().tolist()}
    assert ringed == set(hull.select("cost", 100 * pl.col("accuracy")).rows())


def test_nothing_to_draw_is_an_error_that_says_what_lacks(tables):
    elsewhere = {"figure": "mine", "datasets": ["ood"]}
    with pytest.raises(DataError, match="figure mine: no allocation of ood"):
        frontier.data(tables, elsewhere)
    with pytest.raises(DataError, match=r"figure mine: no bins of difficulty.*allocation\.difficulties"):
        allocation.data(tables, elsewhere)


def surfaces(vs=(1, 2, 4)):
    """Accuracy that rises with both numbers, of one judge on two data sets."""
    rows = [
        {"dataset": dataset, "reasoner": "grpo", "verifier": "chain", "strategy": "weighted_voting", "n": n}
        | {"v": v, "accuracy": 0.1 * (n.bit_length() + v / 4), "low": 0.0, "high": 1.0}
        | {"tokens": n * (30.0 + 20 * v), "flops": 2 * n * (30.0 + 20 * v)}
        for dataset in ("test", "hard")
        for n in (1, 2, 4, 8)
        for v in vs
    ]
    return {"surface": frame("surface", rows)}


def test_solve_or_verify_shows_the_best_numbers_at_every_budget():
    data = solve_or_verify.data(surfaces(), PARAMS)
    assert data["dataset"].unique(maintain_order=True).to_list() == ["hard", "test"]
    figure = solve_or_verify.draw(data)
    assert len([axes for axes in figure.axes if axes.get_title()]) == 2
    path = solve_or_verify.best(data.filter(dataset="test"))
    assert path[0] == (1, 1) and path[-1] == (8, 4)
    said = solve_or_verify.caption(data)
    assert "``grpo`` on ``test``" in said and "N = 8, V = 4" in said


def test_a_single_verdict_is_no_surface():
    with pytest.raises(DataError, match="several"):
        solve_or_verify.data(surfaces(vs=(1,)), PARAMS)
