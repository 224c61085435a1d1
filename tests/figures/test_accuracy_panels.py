"""Panels of accuracy: leads at equal cost against interpolation by hand, and training seeds as replicates."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.evaluation.bootstrap import interval, resampled_means, resamples
from rlv.figures import accuracy_panels as panels
from rlv.figures import panel_captions as captions
from rlv.figures import parallel_scaling

OURS = panels.Curve("rl_v", "weighted_voting", "own")
MAJORITY = panels.Curve("base", "majority")
JUDGE = panels.Curve("base", "weighted_voting", "judge")


def made(costs, accuracies, *, problems=4):
    """Tables of one comparison: {curve: {n: cost}}, and every problem's accuracy as a function of n."""
    names = {"ours": ("g_v", "u", "weighted_voting"), "base": ("g", "", "majority")}
    curves, per_problem = [], []
    for which, (reasoner, verifier, strategy) in names.items():
        for n, cost in costs[which].items():
            label = {"dataset": "d", "reasoner": reasoner, "verifier": verifier, "strategy": strategy}
            label |= {"n": n, "budget": 8}
            values = [accuracies[which](n, p) for p in range(problems)]
            mean = float(np.mean(values))
            costs_of = {"tokens": float(cost), "flops": 2.0 * cost}
            curves.append(
                {**label, "accuracy": mean, "low": mean, "high": mean, **costs_of, "unfinished": 0.1}
            )
            per_problem += [
                {"problem_id": f"p{p}", **label, "accuracy": value, **costs_of}
                for p, value in enumerate(values)
            ]
    types = {"n": pl.Int32, "budget": pl.Int32}
    return {
        "curves": pl.DataFrame(curves, schema_overrides=types),
        "per_problem": pl.DataFrame(per_problem, schema_overrides=types),
    }


def settings(against, **comparison):
    chosen = {"base": "g", "rl_v": "g_v", "verifier": "u", "judge": "j", **comparison}
    return {
        **{"figure": "f", "against": against, "comparisons": {"m": chosen}, "datasets": ["d"]},
        **{"draws": 300, "seed": 5},
    }


def test_lead_at_equal_cost_is_interpolated_in_log2_cost():
    # Ours costs 20 N, the base method 10 N: its N = 4 (40 tokens) is ours at N = 2 exactly, and its N = 3
    # (30 tokens) lies log2(30 / 20) of the way from our N = 1 to our N = 2.
    tables = made(
        {"ours": {1: 20, 2: 40, 4: 80}, "base": {1: 10, 2: 20, 3: 30, 4: 40, 16: 160}},
        {"ours": lambda n, p: 0.1 * np.log2(n) + 0.2 * p, "base": lambda n, p: 0.05 * p},
    )
    data = panels.select(tables, settings("tokens"), [OURS, MAJORITY])
    rows = {row["n"]: row for row in panels.of_curve(data, "base", "majority").iter_rows(named=True)}
    ahead = 0.15 * np.arange(4)  # 0.2 p - 0.05 p
    wanted = {2: 0.0, 3: 0.1 * np.log2(1.5), 4: 0.1}
    counts = resamples(4, 300, 5)
    for n, extra in wanted.items():
        assert rows[n]["lead"] == pytest.approx(ahead.mean() + extra)
        low, high = interval(resampled_means(ahead[:, None] + extra, counts)[:, 0])
        assert [rows[n]["lead_low"], rows[n]["lead_high"]] == pytest.approx([low, high])
    for n in (1, 16):  # cheaper and dearer than anything measured of ours
        assert [rows[n][c] for c in ("lead", "lead_low", "lead_high")] == [None] * 3
    assert rows[3]["x"] == 30.0


def test_flops_and_tokens_give_the_same_lead_where_they_are_proportional():
    tables = made(
        {"ours": {1: 17, 4: 90}, "base": {1: 20, 2: 31}},
        {"ours": lambda n, p: 0.3 + 0.1 * p * (n > 1), "base": lambda n, p: 0.2},
    )
    leads = [
        panels.select(tables, settings(against), [OURS, MAJORITY])["lead"].to_list()
        for against in ("tokens", "flops")
    ]
    assert leads[0] == pytest.approx(leads[1])
    assert None not in leads[0][2:]


def test_a_cost_that_is_not_known_of_a_curve_is_no_axis():
    tables = made(
        {"ours": {1: 20, 2: 40}, "base": {1: 10, 2: 20}}, {"ours": lambda n, p: 0.5, "base": lambda n, p: 0.2}
    )
    known = pl.when(pl.col("verifier") == "").then("tokens").alias("tokens_new")
    tables["curves"] = tables["curves"].with_columns(known)
    message = (
        "figure f: nobody knows the tokens_new of 'g_v' with 'u' on 'd'; scores of older versions lack it"
    )
    with pytest.raises(DataError, match=message):
        panels.select(tables, settings("tokens_new"), [OURS, MAJORITY])


def test_against_n_only_common_n_have_a_lead():
    tables = made(
        {"ours": {1: 20, 4: 80}, "base": {1: 10, 2: 20, 4: 40}},
        {"ours": lambda n, p: 0.5, "base": lambda n, p: 0.25},
    )
    data = panels.select(tables, settings("n"), [OURS, MAJORITY])
    leads = dict(panels.of_curve(data, "base", "majority").select("n", "lead").rows())
    assert leads == {1: 0.25, 2: None, 4: 0.25}


@pytest.mark.parametrize("x_J", [[1.0, 8.0], [2.0, 5.0, 5.7], [0.5, 9.0]])
def test_interpolation_is_numpys(x_J):
    x_K, y_K = np.array([1.0, 3.0, 8.0]), np.array([0.2, 0.9, 0.4])
    found = y_K @ panels.interpolation(x_K, np.array(x_J))
    wanted = np.interp(np.log2(x_J), np.log2(x_K), y_K, left=np.nan, right=np.nan)
    np.testing.assert_allclose(found, wanted)


def test_seeds_are_averaged_and_resampled_with_the_problems(seeded_evaluations, params):
    chosen = params("f", ("test",), ("grpo",), seeds=3)
    data = panels.select(seeded_evaluations, chosen, [OURS, MAJORITY])
    assert set(data["replicas"]) == {3}
    long = seeded_evaluations["per_problem"].filter(pl.col("n") == 8)

    def stacked(role, verifier, strategy):
        """accuracy of R x P rows, seed by seed."""
        parts = []
        for name in chosen["comparisons"]["grpo"]["replicas"][role]:
            rows = long.filter(
                pl.col("reasoner") == name, pl.col("verifier") == verifier, pl.col("strategy") == strategy
            )
            parts.append(rows.unique("problem_id").sort("problem_id")["accuracy"].to_numpy())
        return np.concatenate(parts)

    ours, base = stacked("rl_v", "unified", "weighted_voting"), stacked("base", "", "majority")
    counts = resamples(40, chosen["draws"], chosen["seed"], 3)
    row = panels.of_curve(data, "base", "majority").filter(pl.col("n") == 8).row(0, named=True)
    for name, values in (("accuracy", base), ("lead", ours - base)):
        low, high = interval(resampled_means(values[:, None], counts)[:, 0])
        ends = ("low", "high") if name == "accuracy" else ("lead_low", "lead_high")
        assert row[name] == pytest.approx(values.mean())
        assert [row[end] for end in ends] == pytest.approx([low, high])


def test_captions_say_that_seeds_are_in_the_intervals(seeded_evaluations, params):
    chosen = params("f", ("test",), ("grpo",), seeds=3)
    data = panels.select(seeded_evaluations, chosen, [OURS, MAJORITY, JUDGE])
    assert "over problems and 3 training seeds" in parallel_scaling.caption(data)
    assert len(panels.draw_panels(data).axes[0].get_lines()) == 3


def test_unequal_numbers_of_seeds_are_refused(seeded_evaluations, params):
    chosen = params("f", ("test",), ("grpo",), seeds=3)
    chosen["comparisons"]["grpo"]["replicas"]["base"] = ["grpo"]
    with pytest.raises(DataError, match="'grpo_v' has 3 training seeds, 'grpo' 1"):
        panels.select(seeded_evaluations, chosen, [OURS, MAJORITY])


def test_seeds_on_other_problems_are_refused(seeded_evaluations, params):
    chosen = params("f", ("test",), ("grpo",), seeds=3)
    lost = pl.col("reasoner").eq("grpo_v_seed1") & pl.col("problem_id").eq("p0003")
    tables = seeded_evaluations | {"per_problem": seeded_evaluations["per_problem"].filter(~lost)}
    with pytest.raises(DataError, match="'grpo_v_seed1' and 'grpo_v' are seeds of one method"):
        panels.select(tables, chosen, [OURS, MAJORITY])


def test_curves_and_per_problem_must_have_the_same_n(evaluations, params):
    tables = evaluations | {"per_problem": evaluations["per_problem"].filter(pl.col("n") != 8)}
    with pytest.raises(DataError, match=r"N = \[1, 2, 4, 8, 16, 32\] in curves, 1, 2, 4, 16, 32 in per_pr"):
        panels.select(tables, params("f"), [OURS, MAJORITY])


def test_a_tally_counts_sides():
    rows = {"lead": [0.1, 0.2, -0.1, 0.0], "lead_low": [0.05, -0.1, -0.2, -0.1]}
    rows |= {"lead_high": [0.2, 0.3, -0.05, 0.1]}
    said = captions.tally(pl.DataFrame(rows))
    assert said == "ahead in 1 of 4 panels, behind in 1, undecided (the interval holds 0) in 2"
    assert captions.tally(pl.DataFrame(rows)[:1]) == "ahead in 1 of 1 panel"
    none = pl.DataFrame(rows).with_columns(lead=pl.lit(None, pl.Float64))
    assert captions.tally(none) == "not measured there in any panel"
