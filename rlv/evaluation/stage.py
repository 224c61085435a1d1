"""The stages `evaluate` (curves of one reasoner, data set and verifier) and `claims` (the scoreboard)."""

from __future__ import annotations

import json
from typing import Any

from rlv.job import Job, Stage


def _evaluate(job: Job) -> dict[str, Any]:
    from rlv.evaluation.curves import evaluate
    from rlv.evaluation.verifier_metrics import verification

    p = job.params
    names = {"dataset": p["dataset"], "reasoner": p["reasoner"], "verifier": p["verifier"]}
    resampling = {"draws": p["draws"], "seed": p["seed"]}
    solutions = job.table("solutions", "solutions")
    scores = job.parts("scores", "scores") if p["verifier"] else None
    curves, per_problem = evaluate(solutions, scores, ns=p["ns"], subsets=p["subsets"], **names, **resampling)
    job.write(curves, "curves")
    job.write(per_problem, "per_problem")
    if scores is not None:
        metrics = verification(solutions, scores, **names, **resampling)
        job.write(metrics, "verification")
        for row in metrics.iter_rows(named=True):
            job.log("{metric}: {value:.3f} [{low:.3f}, {high:.3f}]".format(**row))
    for row in curves.filter(curves["n"] == curves["n"].max()).iter_rows(named=True):
        job.log("{strategy} at N = {n}: {accuracy:.3f} [{low:.3f}, {high:.3f}]".format(**row))
    return {}


def _claims(job: Job) -> dict[str, Any]:
    import polars as pl

    from rlv.evaluation.claims import Evidence, Pair, scoreboard

    p = job.params
    roles = [role for role in job.artifact.inputs if role.startswith("evaluate:")]
    per_problem = pl.concat([job.table(role, "per_problem") for role in roles])
    scored = [role for role in roles if job.artifact.inputs[role].params["verifier"]]
    verification = pl.concat([job.table(role, "verification") for role in scored])
    pairs = tuple(Pair(c["base"], c["rl_v"], c["verifier"], c["start"]) for c in p["comparisons"].values())
    boards = []
    for index, dataset in enumerate(p["datasets"]):
        # What a step costs does not depend on the data set of the evaluation: once is enough.
        overhead = job.table("overhead", "overhead") if index == 0 else None
        tables = {"per_problem": per_problem, "overhead": overhead, "verification": verification}
        boards.append(scoreboard(Evidence(dataset, pairs, **tables, draws=p["draws"], seed=p["seed"])))
    board = pl.concat(boards)
    job.write(board, "claims")
    board.write_csv(job.out / "claims.csv")
    (job.out / "claims.json").write_text(json.dumps(board.to_dicts(), indent=1) + "\n")
    for row in board.iter_rows(named=True):
        number = "undefined" if row["ours"] is None else f"{row['ours']:.3g}"
        job.log(f"{row['id']}: {row['verdict']}: {row['statement']}: {number}")
    return {}


EVALUATE = Stage(recipe=1, run=_evaluate)
CLAIMS = Stage(recipe=1, run=_claims)
