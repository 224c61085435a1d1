"""The stages `sample`, one shard of solutions from one model, and `force`, that shard at every budget."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.job import Job, Stage
from rlv.job.choice import CHOICE, read_choice
from rlv.job.progress import reporter
from rlv.sampling import work

if TYPE_CHECKING:
    from rlv.sampling.engines import Opened


def _engine(job: Job) -> AbstractContextManager[Opened]:
    """The engine that the study names, with the weights of the job's model."""
    from rlv.sampling.engines import open_engine

    return open_engine(
        job.params.get("engine", "transformers"),
        job.folder("model"),
        threads=job.threads,
        max_batch=job.how["max_batch"],
        tensor_parallel=job.how.get("tensor_parallel", 1),
    )


def _temperature(job: Job) -> float:
    """The temperature of a job's solutions: of its parameters, else as it was chosen for the reasoner."""
    if "choice" not in job.artifact.inputs:
        return float(job.params["temperature"])
    chosen = float(read_choice(job.file("choice", CHOICE)).chosen["temperature"])
    job.log(f"temperature {chosen:g}, chosen on other problems")
    return chosen


def _sample(job: Job) -> dict[str, Any]:
    from rlv.sampling.engine import SamplingParams
    from rlv.sampling.shards import sample_shard, with_replacements

    p = job.params
    problems = job.table("problems", "problems")[slice(*p["problems"])]
    params = SamplingParams(temperature=_temperature(job), top_p=p["top_p"], max_tokens=p["max_tokens"])
    with _engine(job) as opened, reporter("solutions", job.log) as progress:
        samples = sample_shard(
            opened.engine,
            opened.tokenizer,
            opened.shape,
            problems,
            range(*p["samples"]),
            params,
            p["prompt_style"],
            p["seed"],
            progress,
            system_prompt=p.get("system_prompt"),
        )
    job.write(samples, "samples")
    return {
        "tokens": int(samples["n_tokens"].sum()),
        "replaced": with_replacements(samples),
        "temperature": params.temperature,
    }


def _force(job: Job) -> dict[str, Any]:
    from rlv.sampling.budgets import Forcing, force_answers
    from rlv.sampling.shards import with_replacements

    p = job.params
    samples = job.table("samples", "samples")
    shard = job.artifact.inputs["samples"].params["problems"]
    problems = job.table("problems", "problems")[slice(*shard)]
    forcing = Forcing(
        step_rule=p["step_rule"],
        answer_format=p["answer_format"],
        answer_tokens=p["answer_tokens"],
        seed=p["seed"],
        temperature=_temperature(job),
        top_p=p["top_p"],
    )
    with _engine(job) as opened, reporter("answers", job.log) as progress:
        forced = force_answers(
            opened.engine,
            opened.tokenizer,
            opened.shape,
            problems,
            samples,
            p["budgets"],
            p["prompt_style"],
            forcing,
            progress,
            system_prompt=p.get("system_prompt"),
        )
    job.write(forced, "samples")
    counts = {
        str(budget): {"solutions": size, "forced": n_forced, "mean_tokens": mean_tokens}
        for budget, size, n_forced, mean_tokens in forced.group_by("budget", maintain_order=True)
        .agg(
            pl.len(),
            (pl.col("finish_reason") != "stop").sum().alias("forced"),
            pl.col("n_tokens").mean(),
        )
        .iter_rows()
    }
    for budget, count in counts.items():
        job.log(
            f"budget {budget}: {count['forced']} of {count['solutions']} solutions forced, "
            f"{count['mean_tokens']:.1f} tokens a solution"
        )
    return {"budgets": counts, "replaced": with_replacements(forced)}


SAMPLE = Stage(
    recipe=3,
    run=_sample,
    leaves=lambda artifact: ("samples",),
    doing="sampling",
    memory_mb=3000,
    minutes=120,
    runs_models=True,
    gpus=work.gpus,
    work=work.SAMPLE,
)
FORCE = Stage(
    recipe=3,
    run=_force,
    leaves=lambda artifact: ("samples",),
    doing="forcing answers of",
    memory_mb=3000,
    minutes=60,
    runs_models=True,
    gpus=work.gpus,
    work=work.FORCE,
)
