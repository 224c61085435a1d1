"""The stage `evaluate`: curves of one reasoner, data set and verifier.

It leaves curves, per_problem and answered; with a verifier also verification and reliability; with votes
whose number is chosen, fitted; with a panel members; with
thresholds, at several budgets, also selection and selection_per_problem.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlv.job import Job, Stage
from rlv.job.choice import CHOICE, read_choice
from rlv.store import Artifact

if TYPE_CHECKING:
    import polars as pl


def _evaluate(job: Job) -> dict[str, Any]:
    from rlv import tables
    from rlv.evaluation.agreement import agreement
    from rlv.evaluation.curves import evaluate
    from rlv.evaluation.selection import select
    from rlv.evaluation.verifier_metrics import reliability, verification
    from rlv.evaluation.votes import VOTES

    p = job.params
    names = {"dataset": p["dataset"], "reasoner": p["reasoner"], "verifier": p["verifier"]}
    resampling = {"draws": p["draws"], "seed": p["seed"]}
    voted = {"ns": p["ns"], "subsets": p["subsets"], **names, **resampling}
    # The votes that the key names, those of packages among them.
    strategies = [name for name in p["votes"] if p["verifier"] or not VOTES[name].reads_scores]
    solutions = job.table("solutions", "solutions", tables.WITHOUT_TEXT)
    scores = job.parts("scores", "scores") if p["verifier"] else None
    fitted = _fitted(job)
    curves, per_problem = evaluate(solutions, scores, strategies=strategies, fitted=fitted, **voted)
    job.write(curves, "curves")
    job.write(per_problem, "per_problem")
    if fitted:
        rows = [{**names, "strategy": strategy, "vote": vote} for strategy, vote in fitted.items()]
        job.write(tables.frame("fitted", rows), "fitted")
    if scores is not None:
        metrics = verification(solutions, scores, **names, **resampling)
        job.write(metrics, "verification")
        job.write(reliability(solutions, scores, **names, **resampling), "reliability")
        if "members" in p:
            members = {name: job.parts(f"member:{name}", "scores") for name in p["members"]}
            job.write(agreement(solutions, members, names=names, **resampling), "members")
        for row in metrics.drop_nulls().iter_rows(named=True):
            said = "{metric} over {over} solutions at budget {budget}: {value:.3f} [{low:.3f}, {high:.3f}]"
            job.log(said.format(**row))
        if "thresholds" in p:
            selection, by_problem = select(solutions, scores, thresholds=p["thresholds"], **voted)
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
    return {"without_vote": int(counted["without_vote"].sum())} | ({"fitted": fitted} if fitted else {})


def _fitted(job: Job) -> dict[str, str]:
    """Votes with a chosen number -> the vote that was chosen, on training problems."""
    found = {}
    for vote in job.params.get("fitted", ()):
        choice = read_choice(job.file(f"vote:{vote}", CHOICE))
        found[vote] = str(choice.chosen["vote"])
        job.log(f"{vote} is {found[vote]}, chosen by {choice.by} on {choice.problems} other problems")
    return found


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


def _tables(artifact: Artifact) -> tuple[str, ...]:
    """Every table of votes; those of scores and of length selection if the parameters ask for them."""
    from rlv import tables

    named = ("curves", "per_problem", "answered", *tables.LEFT_WITH)
    return tuple(name for name in named if tables.leaves(artifact.params, name))


EVALUATE = Stage(recipe=4, run=_evaluate, leaves=_tables, doing="evaluating", memory_mb=2000, minutes=30)
