"""The stage `score`: one score for each solution of one shard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rlv.job import Job, Stage
from rlv.job.choice import CHOICE, read_choice
from rlv.scoring import work
from rlv.scoring.own import reads_its_own

if TYPE_CHECKING:
    import polars as pl

    from rlv.scoring.chains import ChainJudge
    from rlv.scoring.verifier import Verifier

# Sequences that vLLM may read side by side; its memory follows from their tokens, not from this.
SEQUENCES = 256
# What a model's scores need of a solution.
READ = ("problem_id", "sample_id", "budget", "text", "token_ids", "finish_reason")


def _run(job: Job) -> dict[str, Any]:
    from rlv.scoring import SCORES

    if SCORES[job.params["score"]].writes:
        return _run_chains(job)

    if "aggregate" in job.params:
        scores = _aggregated(job)
    elif SCORES[job.params["score"]].is_given:
        scores = _given(job)
    else:
        scores = _of_kept(job) if SCORES[job.params["score"]].loads_no_model else _read(job)
    job.write(scores, "scores")
    job.log(f"{len(scores)} solutions, mean score {scores['score'].mean():.3f}")
    return {"tokens": int(scores["n_tokens_read"].sum())}


# What the costs of given scores are made of.
_COUNTED = ("problem_id", "sample_id", "budget", "n_prompt_tokens", "n_tokens")


def _given(job: Job) -> pl.DataFrame:
    """Scores that came with the solutions, in the column that the study names."""
    from rlv.scoring.given import given_scores

    samples, given = job.table("samples", "samples", _COUNTED), job.table("samples", "given_scores")
    return given_scores(samples, given, job.params["column"], free=job.params.get("free", False))


def _aggregated(job: Job) -> pl.DataFrame:
    """Scores of values along the solutions: of a trace, or of the steps that others have scored."""
    from rlv.scoring.aggregations import AGGREGATIONS
    from rlv.scoring.along import aggregated
    from rlv.scoring.given_steps import given_traces

    p = job.params
    if "trace" in job.artifact.inputs:
        traces, where = job.table("trace", "traces"), job.artifact.inputs["trace"].path
    else:
        samples, given = job.table("samples", "samples", _COUNTED), job.table("samples", "given_scores")
        traces = given_traces(samples, given, p["column"], free=p.get("free", False))
        where = f"scores of {p['column']!r}"
    return aggregated(traces, AGGREGATIONS[p["aggregate"]], where)


def _of_kept(job: Job) -> pl.DataFrame:
    """Scores of what sampling kept: of the score that a study names, or of one that was chosen."""
    from rlv.scoring import SCORES
    from rlv.scoring.kept import COLUMNS
    from rlv.scoring.kept_table import kept_table, sharpened

    name, sharpness = job.params["score"], 1.0
    if SCORES[name].is_chosen:
        chosen = read_choice(job.file("choice", CHOICE)).chosen
        name, sharpness = chosen["confidence"], float(chosen["sharpness"])
        job.log(f"{name} ** {sharpness:g}, chosen on other problems")
    score = SCORES[name]
    assert score.kept is not None  # all others that load no model are chosen, from those that have it
    return kept_table(sharpened(score.kept, sharpness), score.needs, job.table("samples", "samples", COLUMNS))


def _read(job: Job) -> pl.DataFrame:
    """Scores of a score that a model reads for."""
    from rlv.scoring.texts import with_token_ids
    from rlv.scoring.verifier import scores_table

    samples = job.table("samples", "samples", READ)
    problems = job.table("problems", "problems")
    style, system_prompt = job.params["prompt_style"], job.params.get("system_prompt")
    step_rule = job.params.get("step_rule", "sentence")  # absent if only the end is read
    with open_verifier(job) as verifier:
        samples = with_token_ids(samples, verifier.tokenizer, style)
        own = reads_its_own(job.artifact)
        return scores_table(verifier, problems, samples, style, system_prompt, step_rule, own)


def _run_chains(job: Job) -> dict[str, Any]:
    from rlv.job.progress import reporter
    from rlv.scoring.chains import Drawing, chain_scores_table
    from rlv.scoring.texts import with_token_ids

    p = job.params
    samples = job.table("samples", "samples", READ)
    drawing = Drawing(p["draws"], p["chain_tokens"], p["temperature"], p["seed"])
    with _chain_judge(job) as judge, reporter("chains", job.log) as progress:
        found = chain_scores_table(
            judge,
            job.table("problems", "problems"),
            with_token_ids(samples, judge.tokenizer, p["prompt_style"]),
            p["prompt_style"],
            drawing,
            p.get("system_prompt"),
            progress,
            reads_its_own(job.artifact),
        )
    job.write(found.scores, "scores")
    job.log(
        f"{len(samples)} solutions, {found.chains} chains, mean score {found.scores['score'].mean():.3f}; "
        f"{found.undecided} without a verdict in {drawing.max_tokens} tokens, each of which counts as 0.5"
    )
    tokens = int(found.scores["n_tokens_read"].sum())
    return {"tokens": tokens, "chains": found.chains, "undecided": found.undecided}


@contextmanager
def _chain_judge(job: Job) -> Iterator[ChainJudge]:
    import torch

    from rlv.models import load_model
    from rlv.models.flops import shape_of_folder
    from rlv.sampling.engines import open_vllm
    from rlv.scoring import SCORES
    from rlv.scoring.readers import transformers_chains, vllm_chains

    score, folder, batch = SCORES[job.params["score"]], job.folder("model"), job.how["max_batch"]
    name = job.params.get("engine", "transformers")
    if name == "transformers":
        torch.set_num_threads(job.threads)
        yield transformers_chains(score, *load_model(folder), max_batch=batch)
        return
    parts = job.how.get("tensor_parallel", 1)
    opened = open_vllm(name, folder, threads=job.threads, max_batch=batch, tensor_parallel=parts)
    with opened as (engine, tokenizer):
        yield vllm_chains(score, engine, tokenizer, shape_of_folder(folder))


@contextmanager
def open_verifier(job: Job) -> Iterator[Verifier]:
    """The verifier of a job's parameter `score`, with the model of its input `model`."""
    import torch

    from rlv.job.progress import reporter
    from rlv.models import load_model
    from rlv.models.flops import shape_of_folder
    from rlv.sampling.engines import open_vllm
    from rlv.scoring import SCORES
    from rlv.scoring.readers import transformers_verifier, vllm_verifier

    score, folder = SCORES[job.params["score"]], job.folder("model")
    name = job.params.get("engine", "transformers")
    if name == "transformers":
        torch.set_num_threads(job.threads)
        yield transformers_verifier(score, *load_model(folder), folder)
        return
    parts = job.how.get("tensor_parallel", 1)
    opened = open_vllm(name, folder, threads=job.threads, max_batch=SEQUENCES, tensor_parallel=parts)
    with opened as (engine, tokenizer), reporter("solutions", job.log) as progress:
        yield vllm_verifier(score, engine, tokenizer, shape_of_folder(folder), progress)


SCORE = Stage(
    recipe=2,
    run=_run,
    leaves=lambda artifact: ("scores",),
    doing="scoring",
    memory_mb=3000,
    minutes=60,
    runs_models=True,
    gpus=work.gpus,
    work=work.SCORE,
)
