"""The stage `trace`: a verifier's values along each solution of one shard. Scores are made of it later."""

from __future__ import annotations

from typing import Any

from rlv.job import Job, Stage
from rlv.scoring import work
from rlv.scoring.own import reads_its_own
from rlv.scoring.stage import READ, open_verifier


def _run(job: Job) -> dict[str, Any]:
    from rlv.scoring.texts import with_token_ids
    from rlv.scoring.traces import traces_table

    p = job.params
    samples = job.table("samples", "samples", READ)
    problems = job.table("problems", "problems")
    with open_verifier(job) as verifier:
        samples = with_token_ids(samples, verifier.tokenizer, p["prompt_style"])
        traces = traces_table(
            verifier,
            problems,
            samples,
            p["prompt_style"],
            p["places"],
            p.get("system_prompt"),
            p.get("step_rule", "sentence"),  # absent if no steps are read
            reads_its_own(job.artifact),
        )
    job.write(traces, "traces")
    values = traces["values"].explode()
    job.log(f"{len(traces)} solutions, {len(values)} values along them, mean {values.mean():.3f}")
    return {"tokens": int(traces["n_tokens_read"].sum()), "values": len(values)}


TRACE = Stage(
    recipe=1,
    run=_run,
    leaves=lambda artifact: ("traces",),
    doing="reading",
    memory_mb=3000,
    minutes=60,
    runs_models=True,
    gpus=work.gpus,
    work=work.SCORE,
)
