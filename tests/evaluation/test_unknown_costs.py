"""Solutions of others, whose tokens, FLOPs and ends nobody knows: null in, null out, nothing else moves."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlv import tables
from rlv.evaluation.curves import evaluate, typed
from rlv.evaluation.prices import COSTS, costs_per_solution
from rlv.evaluation.recorded import recorded
from rlv.evaluation.verifier_metrics import reliability, verification
from tests.evaluation.tables_for_tests import make_tables

NAMES = {"dataset": "given", "reasoner": "mine", "verifier": "rm"}


def drawn(seed=0, problems=4, size=3):
    """Solutions and scores with costs of their own."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(-1, 3, (problems, size))
    solutions, scores = make_tables(classes, classes == 0, rng.random((problems, size)))
    assert scores is not None
    counts, more = (pl.Series(rng.integers(1, 99, problems * size), dtype=pl.Int32) for _ in range(2))
    solutions = solutions.with_columns(n_tokens=counts, flops=2.5 * counts)
    new = more // 3
    read = {"n_tokens_read": more, "flops": 3.5 * more, "n_tokens_new": new, "flops_new": 3.5 * new}
    return solutions, scores.with_columns(**read)


def without(table: pl.DataFrame, column: str, rows) -> pl.DataFrame:
    """The table with null in these rows of a column."""
    unknown = pl.Series([row in rows for row in range(len(table))])
    return table.with_columns(pl.when(~unknown).then(column).alias(column))


def test_unknown_numbers_are_nan_and_the_others_stay_what_they_are():
    solutions, scores = drawn()
    (whole,) = recorded(solutions, scores, where="here")
    lacking = without(solutions, "n_tokens", {4}), without(scores, "n_tokens_read", range(12))
    (found,) = recorded(*lacking, where="here")
    assert whole.tokens_PS.dtype == whole.read_PS.dtype == np.int64
    assert np.isnan(found.tokens_PS).tolist() == [[False] * 3, [False, True, False], [False] * 3, [False] * 3]
    known = ~np.isnan(found.tokens_PS)
    assert (found.tokens_PS[known] == whole.tokens_PS[known]).all() and np.isnan(found.read_PS).all()
    for same in ("classes_PS", "correct_PS", "flops_PS", "scores_PS", "read_flops_PS", "sample_ids_PS"):
        np.testing.assert_array_equal(getattr(found, same), getattr(whole, same))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 99), *[st.sets(st.integers(0, 11), max_size=3)] * 6)
def test_a_cost_is_null_exactly_where_a_solution_s_is_unknown(
    seed, tokens, flops, read, read_flops, new, new_flops
):
    """Of a problem if one of its solutions is so, and of the curve if one of its problems is."""
    whole = drawn(seed)
    solutions = without(without(whole[0], "n_tokens", tokens), "flops", flops)
    scores = without(without(whole[1], "n_tokens_read", read), "flops", read_flops)
    scores = without(without(scores, "n_tokens_new", new), "flops_new", new_flops)
    how = {"ns": [1, 2, 3], "draws": 100, **NAMES}
    (curves, each), (all_curves, all_each) = evaluate(solutions, scores, **how), evaluate(*whole, **how)
    assert curves.drop(COSTS).equals(all_curves.drop(COSTS)) and each.drop(COSTS).equals(all_each.drop(COSTS))
    unknown = {"tokens": (tokens, read), "flops": (flops, read_flops)}
    unknown |= {"tokens_new": (tokens, new), "flops_new": (flops, new_flops)}
    for cost, (generated, by_reader) in unknown.items():
        for row, before in zip(each.to_dicts(), all_each.to_dicts(), strict=True):
            mine = {3 * int(row["problem_id"][1:]) + k for k in range(3)}
            lacking = mine & (generated | (by_reader if row["verifier"] else set()))
            assert row[cost] == (None if lacking else before[cost])
        for row, before in zip(curves.to_dicts(), all_curves.to_dicts(), strict=True):
            lacking = generated | (by_reader if row["verifier"] else set())
            assert row[cost] == (None if lacking else before[cost])


def test_no_cost_at_all_is_known_of_a_column_of_nulls():
    solutions, scores = drawn()
    solutions = solutions.with_columns(
        n_tokens=pl.lit(None, pl.Int32),
        flops=pl.lit(None, pl.Float64),
        n_prompt_tokens=pl.lit(None, pl.Int32),
    )
    nothing = {
        "n_tokens_read": pl.Int32,
        "n_tokens_new": pl.Int32,
        "flops": pl.Float64,
        "flops_new": pl.Float64,
    }
    scores = scores.with_columns(**{name: pl.lit(None, kind) for name, kind in nothing.items()})
    curves, each = evaluate(solutions, scores, ns=[1, 3], **NAMES)
    for table, name in ((curves, "curves"), (each, "per_problem")):
        assert tables.check(table, name, "here").select(COSTS).null_count().row(0) == (len(table),) * 4
        assert table["accuracy"].null_count() == 0
    (data,) = recorded(solutions, scores, where="here")
    assert all(np.isnan(one).all() for one in costs_per_solution(data, read=True).values())


@pytest.mark.parametrize(
    ("ends", "share"),
    [
        ([None] * 4, None),
        (["length", None, None, None], None),
        (["length", "stop", "stop", "eos"], 1 / 4),
        (["length"] * 2 + ["stop"] * 2, 0.5),
    ],
)
def test_unfinished_is_a_share_only_if_every_end_is_known(ends, share):
    solutions, _ = make_tables([[0, 0], [1, 1]], [[True] * 2, [False] * 2])
    solutions = solutions.with_columns(finish_reason=pl.Series(ends, dtype=pl.String))
    curves, _ = evaluate(solutions, None, ns=[1], **{**NAMES, "verifier": ""})
    assert set(curves["unfinished"]) == {share}


def test_a_verifier_s_metrics_need_no_costs():
    solutions, scores = drawn()
    bare = (
        solutions.with_columns(n_tokens=pl.lit(None, pl.Int32), finish_reason=pl.lit(None, pl.String)),
        scores.with_columns(n_tokens_read=pl.lit(None, pl.Int32), flops=pl.lit(None, pl.Float64)),
    )
    for compute in (verification, reliability):
        assert compute(*bare, draws=100, **NAMES).equals(compute(solutions, scores, draws=100, **NAMES))


def test_what_is_not_known_is_null_and_not_nan_in_a_table():
    columns = tables.SCHEMAS["curves"]
    row = {
        name: 1.0 if kind == pl.Float64 else "1" if kind == pl.String else 1 for name, kind in columns.items()
    }
    found = typed(pl.DataFrame([{**row, "tokens": float("nan")}]), "curves")
    assert found["tokens"].to_list() == [None] and found["flops"].to_list() == [1.0]
