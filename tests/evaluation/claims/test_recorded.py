"""Claims about solutions as they are, against brute force from tables of known numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.evaluation.bootstrap import resampled_means, resamples
from rlv.evaluation.claims.evidence import HARD, LENGTHS, Evidence, Pair
from rlv.evaluation.claims.recorded import headroom, paired, verifier_gain, verifier_order
from rlv.evaluation.claims.registry import CLAIMS, scoreboard
from rlv.evaluation.claims.stage import pairs_without_training
from tests.evaluation.claims.tables_for_claims import NS, rows
from tests.evaluation.claims.test_verifiers import metrics

PROBLEMS = 40
VOTES = (("", "majority"), ("", "pass_at_n"), ("rm", "weighted_voting"), ("rm", "best_of_n"))
NAMES = ("headroom", "verifier_gain", "verifier_order", "paired")


def table(reasoner: str, seed: int, problems=PROBLEMS, ns=NS, verifiers=("rm",), first=0) -> pl.DataFrame:
    """Random accuracies of every vote and problem; problems are numbered from `first`."""
    rng = np.random.default_rng(seed)
    parts = [
        rows(reasoner, verifier and name, strategy, rng.random((len(ns), problems)), problems, ns=ns)
        for name in verifiers or ("",)
        for verifier, strategy in VOTES
        if verifiers or not verifier
    ]
    # Votes that read no scores come with every verifier, the same each time.
    found = pl.concat(parts).unique(["problem_id", "verifier", "strategy", "n"], maintain_order=True)
    number = pl.col("problem_id").str.slice(1).cast(pl.Int64) + first
    return found.with_columns(problem_id="p" + number.cast(pl.String))


def accuracies(found: pl.DataFrame, strategy: str, n: int, verifier: str = "") -> dict[str, float]:
    same = found.filter(strategy=strategy, n=n, verifier=verifier)
    return dict(same.select("problem_id", "accuracy").iter_rows())


def recorded(reasoner="mine", *verifiers: str) -> tuple[Pair, ...]:
    return tuple(Pair(reasoner, reasoner, verifier, method=reasoner) for verifier in ("", *verifiers))


def about(found: pl.DataFrame, pair: Pair, **more) -> Evidence:
    return Evidence("test", (pair,), found, draws=200, seed=3, **more)


def interval(differences: list[float]) -> tuple[float, float]:
    """The percentile interval over problems, from the draws and nothing else."""
    column = np.array(differences)[:, None]
    means = resampled_means(column, resamples(len(column), 200, 3))[:, 0]
    return tuple(np.percentile(means, [2.5, 97.5]))


def differences(one: dict[str, float], other: dict[str, float]) -> list[float]:
    return [100 * (one[p] - other[p]) for p in sorted(one.keys() & other.keys())]


def check(row, found: list[float], bar: float = 0.0) -> None:
    """A row has the mean difference, its interval, and the verdict of that."""
    assert row["ours"] == pytest.approx(np.mean(found))
    assert (row["low"], row["high"]) == pytest.approx(interval(found))
    beyond = "holds" if row["low"] > bar else "does not hold" if row["high"] < bar else "undecided"
    assert (row["bar"], row["bar_from"], row["paper"], row["verdict"]) == (bar, "ours", "not stated", beyond)


def test_headroom_is_pass_at_n_over_majority_at_the_largest_n():
    found = table("mine", 0)
    plain, read = recorded("mine", "rm")
    (row,) = headroom(about(found, plain))
    check(row, differences(accuracies(found, "pass_at_n", 16), accuracies(found, "majority", 16)), bar=5.0)
    assert "on the solutions of mine, N = 16 on test" in row["statement"]
    assert headroom(about(found, read)) == []  # it is of no verifier
    ahead = found.with_columns(accuracy=pl.when(pl.col("strategy") == "pass_at_n").then(1.0).otherwise(0.25))
    (row,) = headroom(about(ahead, plain))
    assert (row["ours"], row["verdict"], row["detail"]) == (75.0, "holds", "100.0 % against 25.0 %")


def test_what_a_verifier_is_worth_is_paired_with_majority_of_the_same_solutions():
    found = table("mine", 1, verifiers=("rm", "prm"))
    for name in ("rm", "prm"):
        (pair,) = recorded("mine", name)[1:]
        some = verifier_gain(about(found, pair))
        cells = [("weighted_voting", 8), ("weighted_voting", 16), ("best_of_n", 16)]
        assert len(some) == len(cells)
        for row, (strategy, n) in zip(some, cells, strict=True):
            check(row, differences(accuracies(found, strategy, n, name), accuracies(found, "majority", n)))
            how = (
                f"weighted voting with {name}"
                if strategy == "weighted_voting"
                else f"the best of N by {name}"
            )
            assert how in row["statement"] and f"of mine, N = {n} on test" in row["statement"]
    plain, _ = recorded("mine", "rm")
    assert verifier_gain(about(found, plain)) == []
    assert verifier_gain(about(found, Pair("mine", "mine", "nobody"))) == []


def test_a_small_n_is_named_once():
    """Of 2 solutions half is one, at which nothing is voted on; of 4 it is 2."""
    for ns, said in (
        ([1, 2], ["2", "2"]),
        ([1, 2, 4], ["2", "4", "4"]),
        ([1, 2, 4, 8, 16], ["8", "16", "16"]),
    ):
        found = table("mine", 2, ns=ns)
        some = verifier_gain(about(found, recorded("mine", "rm")[1]))
        assert [row["statement"].split("N = ")[1].split()[0] for row in some] == said


def test_of_one_solution_there_is_no_vote():
    both = pl.concat([table("mine", 3, ns=[1]), table("other", 4, ns=[1])])
    for pair in recorded("mine", "rm"):
        assert headroom(about(both, pair)) == verifier_gain(about(both, pair)) == []
    (row,) = paired(about(both, Pair("other", "mine")))
    check(
        row,
        differences(*(accuracies(both.filter(reasoner=r), "majority", 1) for r in ("mine", "other"))),
    )
    assert "of mine over other by one solution on test (40 problems that both have)" in row["statement"]


def test_order_within_problems_is_that_of_the_verification_table():
    found, (_, pair) = table("mine", 5), recorded("mine", "unified")
    known = metrics("mine", [("auroc", 0.7, 0.6, 0.8), ("within_auroc", 0.65, 0.55, 0.75)])
    (row,) = verifier_order(about(found, pair, verification=known))
    # Of solutions that have an answer.
    assert (row["ours"], row["low"], row["high"], row["bar"]) == (0.65, 0.55, 0.75, 0.5)
    assert row["verdict"] == "holds" and "auroc 0.700 [0.600, 0.800]" in row["detail"]
    assert "Chance that unified scores a right solution of mine above a wrong one" in row["statement"]
    assert verifier_order(about(found, pair)) == []
    unknown = metrics("mine", [("within_auroc", None, None, None)], easier=0.0)
    (row,) = verifier_order(about(found, pair, verification=unknown))
    assert row["ours"] is None and row["verdict"] == "undecided"
    assert verifier_order(about(found, pair, verification=metrics("mine"))) == []  # has no such metric


def test_two_reasoners_are_compared_on_the_problems_that_both_have():
    mine, other = table("mine", 6), table("other", 7, problems=30, first=25)  # p25 to p39 are common
    pair = Pair("other", "mine", method="mine-other")
    stranger = table("stranger", 8)
    elsewhere = table("mine", 9, first=100).with_columns(dataset=pl.lit("elsewhere"))
    whole = Evidence(
        "test", (), pl.concat([mine, stranger, other, elsewhere]), rivals=(pair,), draws=200, seed=3
    )
    common = whole.on_common_problems(pair)
    assert set(common.per_problem["problem_id"]) == {f"p{i}" for i in range(25, 40)}
    assert set(common.per_problem["reasoner"]) == {"mine", "other"} and common.pairs == (pair,)
    some = paired(common)
    cells = [("majority", 1, ""), ("majority", 8, ""), ("majority", 16, ""), ("pass_at_n", 16, "")]
    cells += [("weighted_voting", n, "rm") for n in (8, 16)]
    said = ["one solution", "majority voting at N = 8", "majority voting at N = 16", "pass@N at N = 16"]
    said += [f"weighted voting with rm at N = {n}" for n in (8, 16)]
    assert len(some) == len(cells)
    for row, cell, how in zip(some, cells, said, strict=True):
        found = differences(accuracies(mine, *cell), accuracies(other, *cell))
        assert len(found) == 15
        check(row, found)
        assert f"mine over other by {how} on test (15 problems that both have)" in row["statement"]


def test_a_pair_turned_around_has_the_opposite_numbers():
    both = pl.concat([table("mine", 10), table("other", 11)])
    one, other = (paired(about(both, Pair(a, b))) for a, b in (("other", "mine"), ("mine", "other")))
    assert [row["ours"] for row in one] == pytest.approx([-row["ours"] for row in other])
    alike = pl.concat([table("mine", 10), table("twin", 10)])
    assert {row["ours"] for row in paired(about(alike, Pair("mine", "twin")))} == {0.0}


def test_only_what_both_have_is_compared():
    mine, other = table("mine", 12, verifiers=("rm", "prm"), ns=[1, 2, 4]), table("other", 13, ns=[1, 2, 16])
    some = paired(about(pl.concat([mine, other]), Pair("other", "mine")))
    assert [row["statement"].split(" by ")[1].split(" on test")[0] for row in some] == [
        "one solution",
        "majority voting at N = 2",
        "pass@N at N = 2",
        "weighted voting with rm at N = 2",
    ]
    plain = table("other", 13, verifiers=())
    some = paired(about(pl.concat([mine, plain]), Pair("other", "mine")))
    assert not any("weighted" in row["statement"] for row in some)


def test_without_a_common_problem_both_are_named():
    found = pl.concat([table("mine", 14), table("other", 15, first=50)])
    with pytest.raises(DataError, match=r"'other' and 'mine' have no problem of 'test' in common"):
        Evidence("test", (), found).on_common_problems(Pair("other", "mine"))


def test_unfinished_solutions_are_told_if_they_are_known():
    found = table("mine", 16)
    curves = pl.DataFrame({"dataset": ["test"] * 2, "reasoner": ["mine"] * 2, "unfinished": [0.25, 0.25]})
    (pair,) = recorded("mine")
    assert headroom(about(found, pair, curves=curves))[0]["detail"].endswith(
        "; unfinished solutions: 25.0 % of mine"
    )
    unknown = curves.with_columns(unfinished=pl.lit(None, pl.Float64))
    assert "unfinished" not in headroom(about(found, pair, curves=unknown))[0]["detail"]


@pytest.fixture
def whole():
    """Two reasoners of others with two verifiers each, and names as long as they can be."""
    names = [f"{letter * 44}_{letter}" for letter in "ab"]
    verifiers = [f"{letter * 40}_{letter}" for letter in "vw"]
    found = pl.concat([table(name, i, verifiers=tuple(verifiers)) for i, name in enumerate(names)])
    judged = pl.concat(
        [
            metrics(name, [("within_auroc", 0.65, 0.55, 0.75)]).with_columns(verifier=pl.lit(verifier))
            for name in names
            for verifier in verifiers
        ]
    )
    return Evidence(
        "test",
        (),
        found,
        verification=judged,
        recorded=recorded(names[0], *verifiers) + recorded(names[1], *verifiers),
        rivals=(Pair(names[0], names[1], method="b-a"),),
        draws=100,
    )


def test_the_scoreboard_gives_every_claim_what_it_is_about(whole):
    board = scoreboard([whole])
    counts = dict(board.group_by("id").len().iter_rows())
    assert counts == {"headroom": 2, "verifier_gain": 2 * 2 * 3, "verifier_order": 2 * 2, "paired": 4 + 2 * 2}
    assert {name for name, claim in CLAIMS.items() if claim.about in ("recorded", "rivals")} == set(counts)
    assert set(NAMES) == set(counts)
    methods = {pair.method for pair in whole.recorded}
    for name in NAMES:
        assert set(board.filter(id=name)["method"]) == ({"b-a"} if name == "paired" else methods)
    assert set(board["dataset"]) == {"test"} and board["predicted"].null_count() == len(board)
    assert board["statement"].is_unique().all()


def test_statements_of_names_as_studies_have_them_are_short(whole):
    """A statement is as long as the names in it and not much longer."""
    names = {pair.unified for pair in whole.recorded} | {pair.verifier for pair in whole.recorded} - {""}
    for statement in scoreboard([whole])["statement"]:
        for name in names:
            statement = statement.replace(name, "")
        assert len(statement) <= 110, statement


def test_a_prediction_is_about_one_row_of_a_reasoner(whole):
    predicted = {"verifier_gain test 2": {"low": -100.0, "high": 100.0}}
    board = scoreboard([whole], predictions=predicted).filter(pl.col("predicted").is_not_null())
    assert set(board["id"]) == {"verifier_gain"} and board["statement"].str.contains("N = 16").all()
    assert board["method"].n_unique() == 2


def test_they_are_about_every_data_set_and_never_about_length_budgets(whole):
    assert set(scoreboard([replace(whole, role=HARD)])["id"]) == set(NAMES)
    assert scoreboard([replace(whole, role=LENGTHS)]).is_empty()


def test_pairs_of_a_study_are_those_that_were_evaluated():
    found = pl.concat([table("mine", 17), table("other", 18)])
    params = {"recorded": {"mine": ["rm"], "absent": []}, "paired": [["mine", "other"], ["mine", "absent"]]}
    pairs = pairs_without_training(params, "test", found)
    assert [(p.base, p.unified, p.verifier, p.method) for p in pairs["recorded"]] == [
        ("mine", "mine", "", "mine"),
        ("mine", "mine", "rm", "mine"),
    ]
    # The first of a pair is set against the second.
    assert [(p.base, p.unified, p.method) for p in pairs["rivals"]] == [("other", "mine", "mine-other")]
    assert pairs_without_training(params, "elsewhere", found) == {"recorded": (), "rivals": ()}
    assert pairs_without_training({}, "test", found) == {"recorded": (), "rivals": ()}
