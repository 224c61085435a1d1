"""All tables of an allocation, of small simulated solutions."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.allocation import TABLES
from rlv.evaluation.allocation.allocate import Settings, allocate
from rlv.evaluation.curves import evaluate
from tests.evaluation.tables_for_tests import make_tables

SETTINGS = Settings(
    ns=(1, 2, 4, 8),
    strategies=("majority", "best_of_n", "weighted_voting"),
    difficulties=("oracle", "predicted", "level"),
    bins=3,
    folds=2,
    probe=2,
    subsets=32,
    draws=100,
    seed=0,
)


def simulated(problems=30, size=16, seed=0, skill=2.0):
    """Solutions of problems from hard to easy, with scores that are higher for right ones."""
    rng = np.random.default_rng(seed)
    correct_PS = rng.random((problems, size)) < np.linspace(0.05, 0.95, problems)[:, None]
    classes_PS = np.where(correct_PS, 0, rng.integers(1, 5, (problems, size)))
    noise_PS = rng.normal(size=(problems, size))
    return make_tables(classes_PS, correct_PS, 1 / (1 + np.exp(-skill * (2 * correct_PS - 1) - noise_PS)))


def cached(scores, share=0.0):
    """The scores with what is new to read, a share of all."""
    return scores.with_columns(
        n_tokens_new=(pl.col("n_tokens_read") * share).cast(pl.Int32), flops_new=pl.col("flops") * share
    )


def made(solutions, scores, levels=None, settings=SETTINGS):
    return allocate(solutions, scores, levels or {}, settings, dataset="test", reasoner="rl")


def allocations(readers, datasets, price=0.1) -> dict[str, pl.DataFrame]:
    """Allocations of reasoners by their verifiers, on several data sets: all tables of all."""
    parts = []
    for seed, dataset in enumerate(datasets):
        for reasoner, verifiers in readers.items():
            solutions, _ = simulated(problems=20, seed=seed)
            read = {v: cached(simulated(20, seed=seed, skill=len(v) / 3)[1], price) for v in verifiers}
            parts.append(allocate(solutions, read, {}, SETTINGS, dataset=dataset, reasoner=reasoner))
    return {table: pl.concat([part[table] for part in parts]) for table in TABLES}


@pytest.fixture(scope="module")
def left():
    solutions, scores = simulated()
    levels = {f"p{p}": 1 + p // 10 for p in range(30)}
    return made(solutions, {"judge": cached(scores)}, levels)


def test_the_tables_are_those_of_the_contract(left):
    assert set(left) == set(TABLES)
    for name, table in left.items():
        assert tables.check(table, name, name).height == table.height > 0


def test_cells_have_the_mean_accuracy_of_both_halves_and_what_they_cost(left):
    solutions, scores = simulated()
    cells = left["frontier"].filter(binning="", price="whole")
    assert cells.height == 4 * 3
    one = cells.filter(strategy="majority", n=1.0).row(0, named=True)
    assert one["accuracy"] == pytest.approx(solutions["correct"].mean())
    assert (one["tokens"], one["flops"], one["cost"], one["unit"]) == (10, 20, 20, "flops")
    four = cells.filter(strategy="best_of_n", n=4.0).row(0, named=True)
    assert four["tokens"] == pytest.approx(4 * (10 + 12))
    halves = []
    for first in (True, False):
        half = [t.filter((pl.col("sample_id") < 8) == first) for t in (solutions, scores)]
        curves, _ = evaluate(*half, dataset="d", reasoner="r", verifier="v", ns=[4], subsets=32, draws=100)
        halves.append(curves.filter(strategy="best_of_n")["accuracy"][0])
    assert four["accuracy"] == pytest.approx(np.mean(halves))


def test_the_cached_price_is_that_of_generating_if_nothing_is_new(left):
    by_price = left["frontier"].filter(strategy="best_of_n", n=4.0)
    assert by_price.filter(price="cached")["flops"][0] == 4 * 20
    assert by_price.filter(price="whole")["flops"][0] == 4 * (20 + 36)


def test_a_price_that_nobody_knows_is_left_out_and_unknown_costs_become_solutions():
    solutions, scores = simulated()
    nothing = [pl.lit(None, pl.Float64).alias("flops"), pl.lit(None, pl.Int32).alias("n_tokens")]
    unread = [pl.lit(None, pl.Float64).alias("flops"), pl.lit(None, pl.Int32).alias("n_tokens_read")]
    found = made(solutions.with_columns(nothing), {"judge": scores.with_columns(unread)})["frontier"]
    assert found["price"].unique().to_list() == ["whole"]
    assert found["unit"].unique().to_list() == ["solutions"]
    assert found["tokens"].null_count() == found["flops"].null_count() == found.height
    tokens = made(solutions.with_columns(nothing[0]), {"judge": scores.with_columns(unread[0])})["frontier"]
    assert tokens.filter(price="whole")["unit"].unique().to_list() == ["tokens"]


def test_every_binning_has_a_curve_from_one_solution_on(left):
    curves = left["frontier"].filter(pl.col("binning") != "", price="whole")
    assert set(curves["binning"]) == {"none", "oracle", "predicted", "level", "shuffled"}
    cheapest = curves.filter(pl.col("lambda").is_infinite())
    costs = dict(cheapest.select("binning", "cost").iter_rows())
    assert costs["none"] == costs["oracle"] == pytest.approx(20)
    assert costs["predicted"] == pytest.approx(20 + 2 * (20 + 36))  # two probes, generated and read


def test_choices_of_all_problems_stand_in_the_allocation(left):
    rows = left["allocation"].filter(binning="level", price="whole")
    assert sorted(rows["bin"].unique()) == [1, 2, 3]
    assert rows.filter(bin=2)["hardness_low"].unique().to_list() == [2.0]
    assert rows["problems"].unique().to_list() == [10.0]
    dearest = rows.filter(pl.col("lambda").is_infinite())
    assert dearest["n"].unique().to_list() == [1]
    assert (rows["stable"] <= 1).all() and (rows["accuracy"] >= rows["low"] - 1e-9).all()


def test_a_winner_leads_its_second(left):
    rows = left["winners"].filter(price="whole")
    known = rows.drop_nulls("lead")
    assert (known["lead"] >= -1e-9).all()
    assert known.filter(
        (pl.col("strategy") == pl.col("second")) & (pl.col("verifier") == pl.col("second_verifier"))
    ).is_empty()
    # One solution affords no verifier.
    assert set(rows.filter(n=1)["strategy"]) == {"majority"}


def test_a_verifier_that_knows_is_chosen_where_problems_are_hard():
    solutions, scores = simulated(problems=60, skill=6.0)
    rows = made(solutions, {"judge": cached(scores)})["winners"].filter(price="cached", binning="oracle", n=8)
    assert rows.filter(pl.col("bin") == rows["bin"].max())["verifier"].to_list() == ["judge"]


def test_the_same_input_gives_the_same_tables_and_the_order_of_rows_means_nothing(left):
    solutions, scores = simulated()
    levels = {f"p{p}": 1 + p // 10 for p in range(30)}
    mixed = [t.sample(fraction=1.0, shuffle=True, seed=1) for t in (solutions, cached(scores))]
    again = made(mixed[0], {"judge": mixed[1]}, levels)
    for name in TABLES:
        assert again[name].equals(left[name])


def test_too_few_solutions_and_several_budgets_are_refused():
    solutions, scores = simulated(size=2)
    with pytest.raises(DataError, match=r"2 of a problem.*needs 4"):
        made(solutions, {"judge": scores})
    solutions, scores = simulated(problems=3, size=4)
    other = [t.with_columns(budget=pl.lit(7, pl.Int32)) for t in (solutions, scores)]
    with pytest.raises(DataError, match="one budget"):
        made(pl.concat([solutions, other[0]]), {"judge": pl.concat([scores, other[1]])})


def test_solutions_without_scores_are_allocated_too():
    solutions, _ = simulated()
    left = made(solutions, {})
    assert set(left["frontier"]["strategy"]) == {"majority", ""}
    assert set(left["savings"]["what"]) == {"over_bins"}
