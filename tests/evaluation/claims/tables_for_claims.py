"""Per-problem tables whose numbers are known: the same for every problem, unless given problem by problem."""

from __future__ import annotations

import numpy as np
import polars as pl

from rlv import tables

NS = [1, 2, 4, 8, 16]
# What a solution costs: generated, and with the verifier's reading, of which NEW is left with a cache.
GENERATED, READ, NEW = 10.0, 15.0, 2.0


def rows(
    reasoner,
    verifier,
    strategy,
    accuracies,
    problems=30,
    dataset="test",
    budget=64,
    ns=NS,
    generated=GENERATED,
    read=READ,
    new=NEW,
):
    """Accuracy N by N; each is a number or one of every problem. A token costs two FLOPs."""
    price = generated + (read if verifier else 0.0)
    cached = generated + (min(new, read) if verifier else 0.0)
    return tables.frame(
        "per_problem",
        [
            {"problem_id": f"p{p}", "dataset": dataset, "reasoner": reasoner, "verifier": verifier}
            | {"strategy": strategy, "n": n, "budget": budget, "accuracy": float(value)}
            | {"tokens": n * price, "flops": 2 * n * price}
            | {"tokens_new": n * cached, "flops_new": 2 * n * cached}
            for n, accuracy in zip(ns, accuracies, strict=True)
            for p, value in enumerate(np.broadcast_to(accuracy, problems))
        ],
    )


def two_methods(dataset: str = "test") -> pl.DataFrame:
    """RL^V far ahead of its base method, which a judge helps; and a limit that is no vote."""
    return pl.concat(
        [
            rows("grpo_v", "unified", "weighted_voting", [0.5, 0.6, 0.7, 0.8, 0.9], dataset=dataset),
            rows("grpo_v", "", "majority", [0.5, 0.5, 0.5, 0.5, 0.5], dataset=dataset),
            rows("grpo", "", "majority", [0.4, 0.4, 0.5, 0.6, 0.7], dataset=dataset),
            rows("grpo", "judge", "weighted_voting", [0.4, 0.4, 0.5, 0.6, 0.8], dataset=dataset),
            rows("grpo", "stranger", "weighted_voting", [0.4, 0.4, 0.5, 0.6, 0.95], dataset=dataset),
            rows("grpo", "", "pass_at_n", [0.4, 0.6, 0.8, 0.9, 1.0], dataset=dataset),
        ]
    )
