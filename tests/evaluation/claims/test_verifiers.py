"""The verifier's own accuracy, with seeds, and the separate verifier."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.bootstrap import Estimate
from rlv.evaluation.claims.evidence import Evidence, Pair
from rlv.evaluation.claims.verifiers import over_seeds, separate, verifier_accuracy
from tests.evaluation.claims.tables_for_claims import rows

PAIR = Pair("grpo", "grpo_v")
METRICS = [("balanced_accuracy", 0.95, 0.93, 0.97), ("auroc", 0.98, 0.97, 0.99)]


def metrics(reasoner="grpo_v", found=METRICS, budget=64, easier=0.02):
    """Of answered solutions as in `found`, and of all solutions a little better."""
    return tables.frame(
        "verification",
        [
            {"dataset": "test", "reasoner": reasoner, "verifier": "unified", "budget": budget}
            | {"over": over, "metric": metric}
            | {
                c: None if v is None else v + more
                for c, v in zip(("value", "low", "high"), numbers, strict=True)
            }
            for over, more in (("all", easier), ("answered", 0.0))
            for metric, *numbers in found
        ],
    )


def test_verifier_accuracy(per_problem):
    def rows_of(verification, pair=PAIR):
        return verifier_accuracy(Evidence("test", (pair,), per_problem, verification=verification))

    (row,) = rows_of(pl.concat([metrics(), metrics()]))  # the same evaluation may come twice
    assert row["ours"] == 0.95 and (row["bar_from"], row["verdict"]) == ("ours", "holds")
    assert "auroc 0.980 [0.970, 0.990]" in row["detail"] and "answered solutions" in row["statement"]
    assert row["detail"].endswith("over all solutions balanced_accuracy 0.970 [0.950, 0.990]")
    assert rows_of(None) == []
    (unknown,) = rows_of(metrics(found=[("balanced_accuracy", None, None, None)]))
    assert unknown["ours"] is None and unknown["verdict"] == "undecided"
    with pytest.raises(DataError, match="has 0 rows of 'unified' for answered solutions of 'vine_v'"):
        rows_of(metrics(), Pair("vine", "vine_v"))
    with pytest.raises(DataError, match=r"has 4 rows .* one of each metric"):
        rows_of(pl.concat([metrics(), metrics(budget=32)]))


def test_seeds_add_their_spread_to_the_half_width():
    found = over_seeds([Estimate(0.84, 0.81, 0.86), Estimate(0.85, 0.82, 0.87), Estimate(0.86, 0.83, 0.88)])
    between = 4.3027 * 0.01 / np.sqrt(3)  # Student's t at two degrees of freedom
    assert found.value == pytest.approx(0.85)
    assert found.low == pytest.approx(0.85 - np.hypot(0.03, between))
    assert found.high == pytest.approx(0.85 + np.hypot(0.02, between))
    alike = over_seeds([Estimate(0.8, 0.77, 0.82)] * 3)
    assert (alike.low, alike.high) == pytest.approx((0.77, 0.82))
    assert over_seeds([Estimate(0.99, 0.98, 1.0), Estimate(0.6, 0.5, 0.7)]).high == 1.0


def test_separate_compares_scores_of_the_same_solutions(per_problem):
    other = rows("grpo_v", "trained_apart", "weighted_voting", [0.5, 0.55, 0.6, 0.65, 0.7])
    table = pl.concat([per_problem, other])
    pair = Pair("grpo", "grpo_v", separate="trained_apart")
    (row,) = separate(Evidence("test", (pair,), table))
    assert row["ours"] == pytest.approx(15) and "N = 8 on test" in row["statement"]
    assert separate(Evidence("test", (pair,), per_problem)) == []
    assert separate(Evidence("test", (Pair("grpo", "grpo_v"),), table)) == []
    # Trained twice, and read once.
    twice = pl.concat([table, per_problem.with_columns(pl.col("reasoner") + "_seed1")])
    seeds = Pair(
        "grpo",
        "grpo_v",
        separate="trained_apart",
        replicas=(("grpo", "grpo_v"), ("grpo_seed1", "grpo_v_seed1")),
    )
    (once,) = separate(Evidence("test", (seeds,), twice))
    assert once["ours"] == pytest.approx(15)
    assert once["statement"].endswith("on test with one training seed (grpo_v)")
    both = pl.concat([table, table.with_columns(pl.col("reasoner") + "_seed1")])
    assert "2 training seeds" in separate(Evidence("test", (seeds,), both))[0]["statement"]
    few = table.filter(pl.col("n") != 8)
    assert "N = 4" in separate(Evidence("test", (pair,), few))[0]["statement"]
