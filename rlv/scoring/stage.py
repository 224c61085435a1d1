"""The stage `score`: one score for each solution of one shard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlv.job import Job, Stage
from rlv.sampling.work import gpus
from rlv.scoring import work

if TYPE_CHECKING:
    import polars as pl

# Sequences that vLLM may read side by side; its memory follows from their tokens, not from this.
SEQUENCES = 256


def _run(job: Job) -> dict[str, Any]:
    samples = job.table("samples", "samples", ["problem_id", "sample_id", "budget", "token_ids"])
    problems = job.table("problems", "problems")
    made_by = job.params.get("engine", "transformers")
    scores = (_with_transformers if made_by == "transformers" else _with_vllm)(job, problems, samples)
    job.write(scores, "scores")
    job.log(f"{len(scores)} solutions, mean score {scores['score'].mean():.3f}")
    return {"tokens": int(scores["n_tokens_read"].sum())}


def _with_transformers(job: Job, problems: pl.DataFrame, samples: pl.DataFrame) -> pl.DataFrame:
    from functools import partial

    import torch

    from rlv.models import load_model
    from rlv.scoring import SCORES
    from rlv.scoring.generative import score_shard

    torch.set_num_threads(job.threads)
    folder = job.folder("model")
    model, tokenizer = load_model(folder)
    score = partial(SCORES[job.params["score"]], folder=folder)
    style, system_prompt = job.params["prompt_style"], job.params.get("system_prompt")
    return score_shard(model, tokenizer, problems, samples, style, score=score, system_prompt=system_prompt)


def _with_vllm(job: Job, problems: pl.DataFrame, samples: pl.DataFrame) -> pl.DataFrame:
    from rlv.errors import ModelError
    from rlv.job.progress import reporter
    from rlv.models.flops import shape_of_folder
    from rlv.sampling.engines import open_vllm
    from rlv.scoring import ON_VLLM
    from rlv.scoring.vllm_scores import score_shard

    if job.params["score"] not in ON_VLLM:
        raise ModelError(f"score {job.params['score']!r}: engine 'vllm' gives {', '.join(sorted(ON_VLLM))}")
    folder = job.folder("model")
    opened = open_vllm(
        job.params["engine"],
        folder,
        threads=job.threads,
        max_batch=SEQUENCES,
        tensor_parallel=job.how.get("tensor_parallel", 1),
    )
    with opened as (engine, tokenizer), reporter("solutions", job.log) as progress:
        style, system_prompt = job.params["prompt_style"], job.params.get("system_prompt")
        shape = shape_of_folder(folder)
        return score_shard(
            engine, tokenizer, shape, problems, samples, style, progress, system_prompt=system_prompt
        )


SCORE = Stage(
    recipe=2,
    run=_run,
    doing="scoring",
    memory_mb=3000,
    minutes=60,
    runs_models=True,
    gpus=gpus,
    work=work.SCORE,
)
