"""The stages `evaluate` (curves of one reasoner, data set and verifier) and `claims` (the scoreboard).

evaluate leaves curves, per_problem and answered; with a verifier also verification and reliability; with
thresholds, at several budgets, also selection and selection_per_problem. claims leaves claims.parquet, .csv,
.json, .html.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rlv.job import Job, Stage

if TYPE_CHECKING:
    import polars as pl

    from rlv.evaluation.claims import Evidence, Pair


def _evaluate(job: Job) -> dict[str, Any]:
    from rlv import tables
    from rlv.evaluation.curves import evaluate
    from rlv.evaluation.selection import select
    from rlv.evaluation.verifier_metrics import reliability, verification

    p = job.params
    names = {"dataset": p["dataset"], "reasoner": p["reasoner"], "verifier": p["verifier"]}
    resampling = {"draws": p["draws"], "seed": p["seed"]}
    votes = {"ns": p["ns"], "subsets": p["subsets"], **names, **resampling}
    # The text takes most of the table, and nothing here reads it.
    read = [column for column in tables.SCHEMAS["solutions"] if column != "text"]
    solutions = job.table("solutions", "solutions", read)
    scores = job.parts("scores", "scores") if p["verifier"] else None
    curves, per_problem = evaluate(solutions, scores, **votes)
    job.write(curves, "curves")
    job.write(per_problem, "per_problem")
    if scores is not None:
        metrics = verification(solutions, scores, **names, **resampling)
        job.write(metrics, "verification")
        job.write(reliability(solutions, scores, **names, **resampling), "reliability")
        for row in metrics.drop_nulls().iter_rows(named=True):
            said = "{metric} over {over} solutions at budget {budget}: {value:.3f} [{low:.3f}, {high:.3f}]"
            job.log(said.format(**row))
        if "thresholds" in p:
            selection, by_problem = select(solutions, scores, thresholds=p["thresholds"], **votes)
            job.write(selection, "selection")
            job.write(by_problem, "selection_per_problem")
    for row in curves.filter(curves["n"] == curves["n"].max()).iter_rows(named=True):
        job.log(
            "{strategy} at N = {n}, budget {budget}: {accuracy:.3f} [{low:.3f}, {high:.3f}]".format(**row)
        )
    counted = answered(solutions, dataset=p["dataset"], reasoner=p["reasoner"])
    job.write(counted, "answered")
    for row in counted.iter_rows(named=True):
        job.log(
            "budget {budget}: {without_vote} of {solutions} solutions have no answer and cast no vote "
            "({never_voting} at no budget); nobody votes in {unanswered} problems".format(**row)
        )
    return {"without_vote": int(counted["without_vote"].sum())}


def answered(solutions: pl.DataFrame, *, dataset: str, reasoner: str) -> pl.DataFrame:
    """The answered table of one reasoner on one data set: a row a budget, ascending."""
    import polars as pl

    from rlv import tables

    silent = pl.col("answer_class").is_null()
    never = silent.all().over("problem_id", "sample_id")
    mute = silent.all().over("problem_id", "budget")
    counted = (
        solutions.with_columns(silent=silent, never=never, mute=mute)
        .group_by("budget")
        .agg(
            solutions=pl.len().cast(pl.Int64),
            without_vote=pl.col("silent").sum().cast(pl.Int64),
            never_voting=pl.col("never").sum().cast(pl.Int64),
            problems=pl.col("problem_id").n_unique().cast(pl.Int64),
            unanswered=pl.col("problem_id").filter(pl.col("mute")).n_unique().cast(pl.Int64),
        )
        .sort("budget")
        .with_columns(dataset=pl.lit(dataset), reasoner=pl.lit(reasoner))
    )
    return counted.select(list(tables.SCHEMAS["answered"]))


def _claims(job: Job) -> dict[str, Any]:
    from rlv.evaluation.claims import scoreboard
    from rlv.evaluation.claims.page import page
    from rlv.evaluation.claims.rows import number

    board = scoreboard(evidence(job))
    job.write(board, "claims")
    board.write_csv(job.out / "claims.csv")
    (job.out / "claims.json").write_text(json.dumps(board.to_dicts(), indent=1) + "\n", encoding="utf-8")
    (job.out / "claims.html").write_text(page(board), encoding="utf-8")
    for row in board.iter_rows(named=True):
        job.log(f"{row['id']}: {row['verdict']}: {row['statement']}: {number(row)}")
    return {}


def evidence(job: Job) -> list[Evidence]:
    """What the scoreboard of a study is computed from: one piece a role, and one a data set with lengths."""
    from rlv.evaluation.claims import IN_DISTRIBUTION, LENGTHS, Evidence

    p = job.params
    comparisons = {method: pair_of(c) for method, c in p["comparisons"].items()}
    resampling = {"draws": p["draws"], "seed": p["seed"]}
    per_problem = _gather(job, "evaluate", "per_problem")
    verification = _gather(job, "evaluate", "verification")
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
                verification=verification if verification.height else None,
                overhead=job.table("overhead", "overhead") if measured else None,
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


def compared_on(dataset: str, pairs: Iterable[Pair], per_problem: pl.DataFrame) -> tuple[Pair, ...]:
    """The pairs of which either side was evaluated on a data set; one side alone is for claims to refuse."""
    import polars as pl

    known = set(per_problem.filter(pl.col("dataset") == dataset)["reasoner"].unique())
    return tuple(pair for pair in pairs if {pair.base, pair.unified} & known)


def pair_of(comparison: Mapping[str, Any]) -> Pair:
    """A comparison of the study as the claims see it; replicas of an untrained side are that side itself."""
    from rlv.evaluation.claims import Pair

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
    )


def _gather(job: Job, source: str, table: str) -> pl.DataFrame:
    """A table of all inputs `<source>:...` that have it, one below the other; empty where none has."""
    import polars as pl

    from rlv import tables

    needs = {
        "per_problem": (),
        "verification": ("verifier",),
        "selection_per_problem": ("verifier", "thresholds"),
        "answered": (),
    }
    parts = [tables.frame(table, [])]
    for role, artifact in job.artifact.inputs.items():
        if role.startswith(f"{source}:") and all(artifact.params.get(key) for key in needs[table]):
            parts.append(job.table(role, table))
    return pl.concat(parts)


EVALUATE = Stage(recipe=3, run=_evaluate)
CLAIMS = Stage(recipe=4, run=_claims)
