"""The stage `score`: one score for each solution of one shard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rlv.errors import DataError
from rlv.job import Job, Stage
from rlv.job.choice import CHOICE, read_choice
from rlv.scoring import work
from rlv.scoring.own import reads_its_own
from rlv.store import Artifact

if TYPE_CHECKING:
    import polars as pl
    from transformers import PreTrainedTokenizerBase

    from rlv.scoring.chains import ChainJudge, Judged
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
    samples = job.table("samples", "samples", COLUMNS)
    try:
        return kept_table(sharpened(score.kept, sharpness), score.needs, samples)
    except DataError as error:
        made = job.artifact.inputs["samples"].path
        raise DataError(
            f"{made}: {error}. To sample again: take {made} out of the store, and run the study"
        ) from error


def _read(job: Job) -> pl.DataFrame:
    """Scores of a score that a model reads for."""
    with open_reader(job, own=reads_its_own(job.artifact)) as reader:
        return reader.scores(job.table("problems", "problems"), job.table("samples", "samples", READ))


def _run_chains(job: Job) -> dict[str, Any]:
    p = job.params
    with _chain_judge(job) as judge:
        problems, samples = job.table("problems", "problems"), job.table("samples", "samples", READ)
        found = _judged(job, judge, problems, samples, reads_its_own(job.artifact))
    scores = found.scores
    job.write(scores, "scores")
    job.write(found.verdicts, "verdicts")
    job.log(
        f"{len(scores)} solutions, {found.chains} chains, mean score {scores['score'].mean():.3f}; "
        f"{found.undecided} without a verdict in {p['chain_tokens']} tokens, each of which counts as 0.5"
    )
    tokens = int(scores["n_tokens_read"].sum())
    return {"tokens": tokens, "chains": found.chains, "undecided": found.undecided}


@dataclass(frozen=True)
class Reader:
    """A score whose model is loaded. `scores`: from tables "problems" and "samples" to a "scores" table."""

    tokenizer: PreTrainedTokenizerBase
    scores: Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]


@contextmanager
def open_reader(job: Job, *, own: bool = False) -> Iterator[Reader]:
    """What reads for the score of a job's parameters, with the model that is its input; also by chains.

    `own`: whether that model wrote what it reads.
    """
    from rlv.scoring import SCORES
    from rlv.scoring.texts import with_token_ids
    from rlv.scoring.verifier import scores_table

    p = job.params
    if SCORES[p["score"]].writes:
        with _chain_judge(job) as judge:
            yield Reader(judge.tokenizer, lambda problems, s: _judged(job, judge, problems, s, own).scores)
        return
    step_rule = p.get("step_rule", "sentence")  # absent if only the end is read
    with open_verifier(job) as verifier:

        def scores(problems: pl.DataFrame, samples: pl.DataFrame) -> pl.DataFrame:
            samples = with_token_ids(samples, verifier.tokenizer, p["prompt_style"])
            style, system_prompt = p["prompt_style"], p.get("system_prompt")
            return scores_table(verifier, problems, samples, style, system_prompt, step_rule, own)

        yield Reader(verifier.tokenizer, scores)


def _judged(job: Job, judge: ChainJudge, problems: pl.DataFrame, samples: pl.DataFrame, own: bool) -> Judged:
    from rlv.job.progress import reporter
    from rlv.scoring.chains import Drawing, chain_scores_table
    from rlv.scoring.texts import with_token_ids

    p = job.params
    style, drawing = p["prompt_style"], Drawing(p["draws"], p["chain_tokens"], p["temperature"], p["seed"])
    samples = with_token_ids(samples, judge.tokenizer, style)
    with reporter("chains", job.log) as progress:
        system_prompt = p.get("system_prompt")
        return chain_scores_table(judge, problems, samples, style, drawing, system_prompt, progress, own)


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


def _tables(artifact: Artifact) -> tuple[str, ...]:
    """Scores, and the verdicts that they are means of, which artifacts of older versions lack."""
    from rlv.scoring import SCORES

    return ("scores", "verdicts") if SCORES[artifact.params["score"]].writes else ("scores",)


SCORE = Stage(
    recipe=2,
    run=_run,
    leaves=_tables,
    doing="scoring",
    memory_mb=3000,
    minutes=60,
    runs_models=True,
    gpus=work.gpus,
    work=work.SCORE,
)
