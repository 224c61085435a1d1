"""The stages `sample`, one shard of solutions from one model, and `force`, that shard at every budget."""

from __future__ import annotations

from typing import Any

import polars as pl

from rlv.job import Job, Stage
from rlv.progress import reporter


def _sample(job: Job) -> dict[str, Any]:
    import torch

    from rlv.compute import shape_of
    from rlv.models import load_model
    from rlv.sampling.engine import SamplingParams
    from rlv.sampling.shards import sample_shard
    from rlv.sampling.transformers_engine import TransformersEngine

    torch.set_num_threads(job.threads)
    p = job.params
    problems = job.table("problems", "problems")[slice(*p["problems"])]
    model, tokenizer = load_model(job.folder("model"))
    engine = TransformersEngine(model, tokenizer, max_batch=job.how["max_batch"])
    params = SamplingParams(temperature=p["temperature"], top_p=p["top_p"], max_tokens=p["max_tokens"])
    with reporter("solutions", job.log) as progress:
        samples = sample_shard(
            engine,
            tokenizer,
            shape_of(model),
            problems,
            range(*p["samples"]),
            params,
            p["prompt_style"],
            p["seed"],
            progress,
        )
    job.write(samples, "samples")
    return {"tokens": int(samples["n_tokens"].sum())}


def _force(job: Job) -> dict[str, Any]:
    import torch

    from rlv.compute import shape_of
    from rlv.models import load_model
    from rlv.sampling.budgets import Forcing, force_answers
    from rlv.sampling.transformers_engine import TransformersEngine

    torch.set_num_threads(job.threads)
    p = job.params
    samples = job.table("samples", "samples")
    shard = job.artifact.inputs["samples"].params["problems"]
    problems = job.table("problems", "problems")[slice(*shard)]
    model, tokenizer = load_model(job.folder("model"))
    engine = TransformersEngine(model, tokenizer, max_batch=job.how["max_batch"])
    forcing = Forcing(
        step_rule=p["step_rule"],
        answer_format=p["answer_format"],
        answer_tokens=p["answer_tokens"],
        seed=p["seed"],
        temperature=p["temperature"],
        top_p=p["top_p"],
    )
    with reporter("answers", job.log) as progress:
        forced = force_answers(
            engine,
            tokenizer,
            shape_of(model),
            problems,
            samples,
            p["budgets"],
            p["prompt_style"],
            forcing,
            progress,
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
    return {"budgets": counts}


SAMPLE = Stage(recipe=2, run=_sample)
FORCE = Stage(recipe=1, run=_force)
