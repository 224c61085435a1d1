"""The stage `sample`: one shard of solutions, from one checkpoint."""

from __future__ import annotations

from typing import Any

from rlv.job import Job, Stage
from rlv.progress import reporter


def _run(job: Job) -> dict[str, Any]:
    import torch

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
            engine, tokenizer, problems, range(*p["samples"]), params, p["prompt_style"], p["seed"], progress
        )
    job.write(samples, "samples")
    return {"tokens": int(samples["n_tokens"].sum())}


SAMPLE = Stage(recipe=1, run=_run)
