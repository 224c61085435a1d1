"""The stage `claims`: the scoreboard of a study, as claims.parquet, .csv, .json and .html."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from rlv import tables
from rlv.evaluation.claims.evidence import IN_DISTRIBUTION, LENGTHS, Evidence, Pair
from rlv.evaluation.claims.page import page
from rlv.evaluation.claims.registry import scoreboard
from rlv.evaluation.claims.robustness import attacked_pairs
from rlv.evaluation.claims.rows import number
from rlv.job import Job, Stage
from rlv.job.own_code import drawing_code


def _claims(job: Job) -> dict[str, Any]:
    board = scoreboard(evidence(job), predictions=job.params.get("predictions"))
    job.write(board, "claims")
    board.write_csv(job.out / "claims.csv")
    (job.out / "claims.json").write_text(json.dumps(board.to_dicts(), indent=1) + "\n", encoding="utf-8")
    (job.out / "claims.html").write_text(page(board), encoding="utf-8")
    for row in board.iter_rows(named=True):
        job.log(f"{row['id']}: {row['verdict']}: {row['statement']}: {number(row)}")
    return {}


def evidence(job: Job) -> list[Evidence]:
    """What the scoreboard of a study is computed from: one piece a role, and one a data set with lengths."""
    p = job.params
    comparisons = {method: pair_of(c, method) for method, c in p["comparisons"].items()}
    resampling = {"draws": p["draws"], "seed": p["seed"]}
    per_problem = _gather(job, "evaluate", "per_problem")
    curves = _gather(job, "evaluate", "curves")
    verification = _gather(job, "evaluate", "verification")
    savings = _gather(job, "allocate", "savings")
    fitted = _gather(job, "evaluate", "fitted")
    located = _gather(job, "locate", "first_errors_per_problem")
    attacks = _gather(job, "attack", "attacks")
    adaptive = replayed(job)
    found = []
    for role, dataset in p["roles"].items():
        # What a training step costs depends on no data set: it goes with the first.
        measured = role == IN_DISTRIBUTION and "overhead" in job.artifact.inputs
        found.append(
            Evidence(
                dataset,
                compared_on(dataset, comparisons.values(), per_problem),
                per_problem,
                role,
                curves=curves,
                verification=verification if verification.height else None,
                fitted=fitted if fitted.height else None,
                panels=p.get("panels"),
                overhead=job.table("overhead", "overhead") if measured else None,
                allocated=allocated_on(p, dataset, savings),
                savings=savings if savings.height else None,
                first_errors=located if located.height else None,
                aggregates=tuple(p.get("aggregates", ())),
                attacks=attacks if attacks.height else None,
                attack_scores=_gather(job, "attack", "attack_scores"),
                attacked=attacked_pairs(attacks, dataset),
                replayed=replayed_on(dataset, adaptive),
                adaptive=adaptive,
                **pairs_without_training(p, dataset, per_problem),
                **resampling,
            )
        )
    if p.get("lengths"):
        lengths = p["lengths"]
        pairs = tuple(comparisons[method] for method in lengths["comparisons"])
        per_problem = _gather(job, "lengths", "per_problem")
        selection = _gather(job, "lengths", "selection_per_problem")
        counted = _gather(job, "lengths", "answered")
        selected = selection if selection.height else None
        budgets = tuple(lengths["budgets"])
        for dataset in lengths["datasets"]:
            piece = Evidence(
                dataset,
                pairs,
                per_problem,
                LENGTHS,
                selection=selected,
                answered=counted,
                budgets=budgets,
                **resampling,
            )
            found.append(piece)
    return found


def pairs_without_training(
    params: Mapping[str, Any], dataset: str, per_problem: pl.DataFrame
) -> dict[str, tuple[Pair, ...]]:
    """The evidence's `recorded` and `rivals`: those of the study that were evaluated on a data set."""
    known = set(per_problem.filter(pl.col("dataset") == dataset)["reasoner"].unique())
    recorded = [
        Pair(name, name, verifier, method=name)
        for name, verifiers in params.get("recorded", {}).items()
        for verifier in ("", *verifiers)
    ]
    rivals = [Pair(base, ours, method=f"{ours}-{base}") for ours, base in params.get("paired", ())]
    return {
        "recorded": tuple(pair for pair in recorded if pair.unified in known),
        "rivals": tuple(pair for pair in rivals if {pair.unified, pair.base} <= known),
    }


def allocated_on(params: Mapping[str, Any], dataset: str, savings: pl.DataFrame) -> tuple[Pair, ...]:
    """The evidence's `allocated`: reasoners of the study that have savings on a data set."""
    known = set(savings.filter(pl.col("dataset") == dataset)["reasoner"].unique())
    return tuple(
        Pair(name, name, "", chain=next(iter(chains), None), method=name)
        for name, chains in params.get("allocated", {}).items()
        if name in known
    )


def replayed(job: Job) -> pl.DataFrame:
    """All replays of stopping rules before averaging, with what was fitted beside them."""
    rule = ["dataset", "reasoner", "verifier", "rule", "vote"]
    fitted = _gather(job, "stop", "adaptive").select(*rule, "fitted")
    return _gather(job, "stop", "adaptive_per_problem").join(fitted, on=rule, how="left")


def replayed_on(dataset: str, adaptive: pl.DataFrame) -> tuple[Pair, ...]:
    """The evidence's `replayed`: reasoners and verifiers whose rules were replayed on a data set."""
    known = adaptive.filter(pl.col("dataset") == dataset).select("reasoner", "verifier")
    return tuple(Pair(r, r, verifier, method=r) for r, verifier in known.unique(maintain_order=True).rows())


def compared_on(dataset: str, pairs: Iterable[Pair], per_problem: pl.DataFrame) -> tuple[Pair, ...]:
    """The pairs of which either side was evaluated on a data set; claims refuse a single side."""
    known = set(per_problem.filter(pl.col("dataset") == dataset)["reasoner"].unique())
    return tuple(pair for pair in pairs if {pair.base, pair.unified} & known)


def pair_of(comparison: Mapping[str, Any], method: str = "") -> Pair:
    """A comparison of the study as the claims see it; replicas of an untrained side are that side itself."""
    replicas = comparison.get("replicas") or {}
    bases = replicas.get("base") or [comparison["base"]]
    unified = replicas.get("rl_v") or [comparison["rl_v"]]
    seeds = max(len(bases), len(unified))
    # A side without training has no seeds of its own, and stands beside every seed of the other.
    bases, unified = (side * seeds if len(side) == 1 else side for side in (bases, unified))
    return Pair(
        comparison["base"],
        comparison["rl_v"],
        comparison["verifier"],
        comparison["judge"],
        comparison["start"],
        comparison["separate"],
        tuple(zip(bases, unified, strict=True)) if seeds > 1 else (),
        cold=comparison.get("cold"),
        confidence=comparison.get("confidence"),
        brevity=comparison.get("brevity"),
        chain=comparison.get("chain"),
        method=method,
    )


def _gather(job: Job, source: str, table: str) -> pl.DataFrame:
    """A table of all inputs `<source>:...` that have it, one below the other; empty if none has."""
    parts = [tables.frame(table, [])]
    for role, artifact in job.artifact.inputs.items():
        if role.startswith(f"{source}:") and tables.leaves(artifact.params, table):
            parts.append(job.table(role, table))
    return pl.concat(parts)


def _code(params: Mapping[str, Any]) -> str:
    """Of the claims, of the page, and of this module, whatever the parameters."""
    return drawing_code(__name__)


CLAIMS = Stage(
    recipe=4,
    run=_claims,
    leaves=lambda artifact: ("claims",),
    code=_code,
    doing="computing",
    memory_mb=1000,
    minutes=10,
    measured=("claims.parquet", "claims.csv", "claims.json", "claims.html"),
)
