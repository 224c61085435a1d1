"""The stage `score`: one score for each solution of one shard."""

from __future__ import annotations

from typing import Any

from rlv.job import Job, Stage


def _run(job: Job) -> dict[str, Any]:
    from functools import partial

    import torch

    from rlv.models import load_model
    from rlv.scoring import SCORES
    from rlv.scoring.generative import score_shard

    torch.set_num_threads(job.threads)
    samples = job.table("samples", "samples", ["problem_id", "sample_id", "budget", "token_ids"])
    folder = job.folder("model")
    model, tokenizer = load_model(folder)
    score = partial(SCORES[job.params["score"]], folder=folder)
    problems = job.table("problems", "problems")
    scores = score_shard(model, tokenizer, problems, samples, job.params["prompt_style"], score=score)
    job.write(scores, "scores")
    job.log(f"{len(scores)} solutions, mean score {scores['score'].mean():.3f}")
    return {"tokens": int(scores["n_tokens_read"].sum())}


SCORE = Stage(recipe=2, run=_run)
