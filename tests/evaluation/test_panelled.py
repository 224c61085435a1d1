"""The stage `panel`: tables in, one table out; its costs, its budgets, and scores that came along."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError, StudyError
from rlv.evaluation.panelled import panel_scores
from rlv.evaluation.panels import PANELS
from rlv.evaluation.recorded import KEY
from rlv.store import Store
from tests.evaluation.tables_for_tests import make_tables
from tests.imported.studies import made, only, planned, study_of, table
from tests.imported.writing import lines
from tests.plan.test_plan import ROOT

RNG = np.random.default_rng(0)
SHAPE = (5, 4)


def scores(values=None, **how) -> pl.DataFrame:
    values = RNG.random(SHAPE) if values is None else values
    found = make_tables(np.zeros(SHAPE), np.ones(SHAPE, dtype=bool), values, **how)[1]
    assert found is not None
    return found


def combined(panel="mean", **members):
    return panel_scores(members, PANELS[panel], None, where="here")


def test_scores_are_combined_row_by_row_and_costs_add_up_whatever_the_order():
    first, second = scores(read=10), scores(read=3)
    found = combined(a=first, b=second.sample(fraction=1, shuffle=True, seed=1)).sort(KEY)
    expected = (first.sort(KEY)["score"] + second.sort(KEY)["score"]) / 2
    np.testing.assert_allclose(found["score"], expected)
    assert set(found["n_tokens_read"]) == {13} and set(found["flops"]) == {39.0}
    assert found.schema == tables.SCHEMAS["scores"]


def test_a_cost_that_nobody_knows_is_unknown():
    unknown = scores().with_columns(flops=pl.lit(None, pl.Float64))
    assert combined(a=scores(), b=unknown)["flops"].null_count() == 20


def test_budgets_are_ranked_apart():
    both = [pl.concat([scores(), scores(budget=32)]) for _ in range(2)]
    alone = [one.filter(pl.col("budget") == 32) for one in both]
    found = combined("mean_rank", a=both[0], b=both[1]).filter(pl.col("budget") == 32)
    assert found.equals(combined("mean_rank", a=alone[0], b=alone[1]))


def test_tables_that_do_not_belong_together_are_refused():
    with pytest.raises(DataError, match=r"here: 'a' and 'b' do not score the same solutions: 20 and 19"):
        combined(a=scores(), b=scores()[1:])
    with pytest.raises(DataError, match=r"3 to 4 solutions a problem"):
        combined(a=scores()[1:], b=scores()[1:])
    silent = scores().with_columns(
        score=pl.when(pl.col("problem_id") == "p2").then(None).otherwise(pl.col("score"))
    )
    with pytest.raises(DataError, match=r"problem 'p2', sample 0, budget 64: none of the members"):
        combined(a=silent, b=silent)
    assert combined(a=silent, b=scores())["score"].null_count() == 0


ROWS = [
    {"problem_id": p, "question": f"{p}?", "answer": "2", "text": "t", "predicted": str(k % 3)}
    | {"one": (k * 7 % 5) / 5, "two": (k * 3 % 4) / 4, "three": (k * 5 % 7) / 7}
    for p in "abc"
    for k in range(4)
]


def own(panel, folder, members=("one", "two", "three")):
    verifiers = {name: {"score": "given"} for name in members}
    verifiers["team"] = {"score": "panel", "panel": panel, "of": list(members)}
    file = lines(folder / "s.jsonl", ROWS)
    entry = {"map": {"score": list(members)}}
    reasoners = {"mine": {"samples": "mine", "evaluate_on": ["given"], "verifiers": ["team"]}}
    return study_of(folder, file, n=4, entry=entry, verifiers=verifiers, reasoners=reasoners)


@pytest.mark.parametrize("panel", ["mean", "label_model"])
def test_scores_that_came_with_the_solutions_are_combined(panel, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    plan, store = planned(tmp_path, own(panel, tmp_path)), Store(tmp_path / "store")
    made(plan, store)
    found = table(store, only(plan, "panel"), "scores").sort(KEY)
    assert len(found) == 12 and found["score"].is_between(0, 1).all()
    if panel == "mean":
        means = [np.mean([row[name] for name in ("one", "two", "three")]) for row in ROWS]
        np.testing.assert_allclose(found["score"], means)
    assert set(table(store, only(plan, "evaluate"), "curves")["verifier"]) == {"", "team"}


def test_what_learns_from_training_problems_is_refused_for_solutions_of_others(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(StudyError, match=r"reasoners.mine.verifiers: 'team' .* only what others sampled"):
        planned(tmp_path, own("stacked", tmp_path))
    study = own("mean", tmp_path)
    study["verifiers"]["one"] = {"score": "brevity"}
    with pytest.raises(StudyError, match=r"reasoners.mine.verifiers: 'one' \(score 'brevity'\)"):
        planned(tmp_path, study)
