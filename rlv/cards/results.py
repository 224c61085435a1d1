"""What a study's finished evaluations say of one reasoner, as rows of a card."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from rlv import tables
from rlv.evaluation.verifier_metrics import ANSWERED
from rlv.evaluation.votes import VOTES
from rlv.plan import Plan
from rlv.run.stages import at_budgets, leaves
from rlv.store import Artifact, Store


@dataclass(frozen=True)
class Accuracy:
    """Accuracy in percent by N, `cells` beside `Results.ns`; "" where it was not evaluated."""

    dataset: str
    vote: str
    verifier: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Metric:
    """How well a verifier tells right solutions from wrong ones."""

    dataset: str
    verifier: str
    balanced_accuracy: str


@dataclass(frozen=True)
class Results:
    """Rows with 95 % intervals over problems; `finished` of `planned` evaluations are in them."""

    ns: tuple[int, ...]
    accuracies: tuple[Accuracy, ...]
    metrics: tuple[Metric, ...]
    finished: int
    planned: int


def results_of(reasoner: str, plan: Plan, store: Store) -> Results:
    """The evaluations of a reasoner that are published; those at length budgets are left out.

    Raises what the store raises for a damaged artifact, and DataError for a table that is none.
    """
    planned = [a for a in plan.artifacts.values() if _is_of(a, reasoner)]
    there = [a for a in planned if store.exists(a)]
    curves = [tables.read(store.open(a, "curves.parquet"), "curves") for a in there]
    read = [a for a in there if tables.leaves(a.params, "verification")]
    verified = [tables.read(store.open(a, "verification.parquet"), "verification") for a in read]
    if not curves:
        return Results((), (), (), 0, len(planned))
    every = pl.concat(curves).filter(~pl.col("strategy").is_in([v for v in VOTES if VOTES[v].limit]))
    keys = ["dataset", "strategy", "verifier"]
    # Votes without scores stand in the evaluation of every verifier.
    every = every.unique([*keys, "n"], keep="first", maintain_order=True)
    ns = tuple(sorted(set(every["n"].to_list())))
    accuracies = []
    for (dataset, vote, verifier), rows in every.group_by(keys, maintain_order=True):
        cells = {
            n: _cell(100 * accuracy, 100 * low, 100 * high, "{:.1f}")
            for n, accuracy, low, high in rows.select("n", "accuracy", "low", "high").iter_rows()
        }
        accuracies.append(
            Accuracy(str(dataset), str(vote), str(verifier), tuple(cells.get(n, "") for n in ns))
        )
    order = {a.params["dataset"]: k for k, a in enumerate(reversed(planned))}
    accuracies.sort(key=lambda a: (-order.get(a.dataset, 0), a.verifier != ""))
    metrics = [
        Metric(dataset, verifier, _cell(value, low, high, "{:.3f}"))
        for table in verified
        for dataset, verifier, value, low, high in table.filter(metric="balanced_accuracy", over=ANSWERED)
        .select("dataset", "verifier", "value", "low", "high")
        .iter_rows()
    ]
    return Results(ns, tuple(accuracies), tuple(metrics), len(there), len(planned))


def _is_of(artifact: Artifact, reasoner: str) -> bool:
    if not leaves(artifact, "curves") or artifact.params["reasoner"] != reasoner:
        return False
    return not at_budgets(artifact)


def _cell(value: float | None, low: float | None, high: float | None, form: str) -> str:
    """A number with its interval; "undefined" if there is none."""
    if value is None:
        return "undefined"
    number = form.format(value)
    if low is None or high is None:
        return number
    return f"{number} [{form.format(low)}, {form.format(high)}]"
