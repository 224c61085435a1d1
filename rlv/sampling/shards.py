"""Cutting one sampling job into shards, and sampling one of them into a table.

A shard is a range of problems × a range of samples. Sample ranges begin and end at multiples of
`samples_per_shard`, so raising N from 32 to 64 keeps every shard there was and adds new ones. Left out on
purpose: where shards live and when they run (plan/, workflow/).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from rlv import tables
from rlv.models.flops import ModelShape, flops
from rlv.prompts import solver_ids
from rlv.sampling.engine import Engine, Progress, Request, SamplingParams, request_seed

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Shard:
    """Problems problem_start … problem_stop − 1, in the data set's order × samples likewise."""

    problem_start: int
    problem_stop: int
    sample_start: int
    sample_stop: int

    @property
    def problems(self) -> range:
        """Row numbers of the problems table."""
        return range(self.problem_start, self.problem_stop)

    @property
    def samples(self) -> range:
        """Sample ids."""
        return range(self.sample_start, self.sample_stop)


def shard_ranges(
    n_problems: int, n_samples: int, problems_per_shard: int, samples_per_shard: int
) -> list[Shard]:
    """All shards of n_problems × n_samples, problem ranges outermost; the last problem range may be shorter.

    Raises ValueError if n_samples is no multiple of samples_per_shard: a partial shard could not be kept
    when n_samples grows.
    """
    if min(problems_per_shard, samples_per_shard) < 1 or min(n_problems, n_samples) < 0:
        raise ValueError(
            f"cannot cut {n_problems} problems × {n_samples} samples "
            f"into {problems_per_shard} × {samples_per_shard}"
        )
    if n_samples % samples_per_shard:
        raise ValueError(f"{n_samples} samples are no multiple of {samples_per_shard} samples a shard")
    return [
        Shard(p, min(p + problems_per_shard, n_problems), s, s + samples_per_shard)
        for p in range(0, n_problems, problems_per_shard)
        for s in range(0, n_samples, samples_per_shard)
    ]


def sample_shard(
    engine: Engine,
    tokenizer: PreTrainedTokenizerBase,
    shape: ModelShape,
    problems: pl.DataFrame,
    sample_range: range,
    params: SamplingParams,
    style: str,
    seed: int,
    progress: Progress | None = None,
    *,
    system_prompt: str | None = None,
) -> pl.DataFrame:
    """Solutions of these rows of a problems table, as a "samples" table: problems outermost, then sample ids.

    `seed` is the study's; each (problem, sample) derives its own from it. The text leaves special tokens out.
    `shape` is the sampled model's. FLOPs: n tokens after a prompt of m are charged a forward pass each, at
    their own positions m … m + n − 1, so that pieces of a solution add up to the whole. (The passes
    that draw them stand one position earlier, which would attend to n positions less in all.)
    """
    requests = [
        Request(problem_id, sample_id, prompt_ids, request_seed(seed, problem_id, sample_id))
        for problem_id, question in problems.select("problem_id", "question").iter_rows()
        for prompt_ids in [tuple(solver_ids(tokenizer, question, style, system_prompt))]
        for sample_id in sample_range
    ]
    solutions = engine.sample(requests, params, progress)
    prompt_S = np.array([len(r.prompt_ids) for r in requests], dtype=np.int64)
    tokens_S = np.array([len(s.token_ids) for s in solutions], dtype=np.int64)
    return tables.frame(
        "samples",
        {
            "problem_id": [s.problem_id for s in solutions],
            "sample_id": [s.sample_id for s in solutions],
            "budget": [params.max_tokens] * len(solutions),
            "text": [stored_text(tokenizer, s.token_ids) for s in solutions],
            "token_ids": [list(s.token_ids) for s in solutions],
            "n_prompt_tokens": prompt_S.tolist(),
            "n_tokens": tokens_S.tolist(),
            "flops": flops(shape, prompt_S, prompt_S + tokens_S).tolist(),
            "finish_reason": [s.finish_reason for s in solutions],
            "token_logprobs": [list(s.logprobs) for s in solutions],
            "self_certainty": [s.self_certainty for s in solutions],
        },
    )


def stored_text(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]) -> str:
    """A solution as a person reads it, without special tokens, and as tables and logs can hold it.

    A tokenizer may decode to half of a surrogate pair, which UTF-8 has no bytes for: U+FFFD replaces it.
    """
    text = str(tokenizer.decode(list(token_ids), skip_special_tokens=True))
    # By way of UTF-16, where two halves that belong together are one character.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def with_replacements(samples: pl.DataFrame) -> int:
    """The solutions of a "samples" table whose text has replacement characters (U+FFFD) in it."""
    return int(samples["text"].str.contains("\ufffd", literal=True).sum())
