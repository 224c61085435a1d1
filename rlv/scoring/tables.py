"""From a table of samples to a table of scores, whatever gives the scores.

Left out on purpose: how sequences are batched and read (generative.py, heads.py, vllm_scores.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from rlv import tables
from rlv.errors import DataError
from rlv.models.flops import ModelShape, flops
from rlv.prompts import solver_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# (prompts x, solutions y, what each pair is called) -> scores in [0, 1], and the tokens read for each.
Read = Callable[[list[list[int]], list[list[int]], list[str]], tuple[np.ndarray, np.ndarray]]


def scores_table(
    read: Read,
    tokenizer: PreTrainedTokenizerBase,
    shape: ModelShape,
    problems: pl.DataFrame,
    samples: pl.DataFrame,
    style: str,
    system_prompt: str | None = None,
) -> pl.DataFrame:
    """A "samples" table scored, as a "scores" table, row for row in the same order; `shape`: the reader's.

    Equal solutions of a problem (after RL there are many, and a solution that ended early is the same at
    every budget) are read once. Tokens read and FLOPs count for each row all the same: what they say of a
    method must not depend on how it is run. Raises DataError for a sample of no problem in `problems`.
    """
    questions = dict(problems.select("problem_id", "question").iter_rows())
    ids = samples["problem_id"].to_list()
    unknown = next((i for i in ids if i not in questions), None)
    if unknown is not None:
        raise DataError(f"samples: problem {unknown!r} is not in the problems table of {len(questions)} rows")
    prompt_of = {i: solver_ids(tokenizer, questions[i], style, system_prompt) for i in dict.fromkeys(ids)}
    pairs = list(zip(ids, map(tuple, samples["token_ids"].to_list()), strict=True))
    number = {pair: u for u, pair in enumerate(dict.fromkeys(pairs))}
    names: dict[tuple[str, tuple[int, ...]], str] = {}
    for pair, sample_id in zip(pairs, samples["sample_id"], strict=True):
        names.setdefault(pair, f"problem {pair[0]!r}, sample {sample_id}")
    scores_U, read_U = read(
        [prompt_of[problem_id] for problem_id, _ in number],
        [list(token_ids) for _, token_ids in number],
        list(names.values()),
    )
    row_S = np.array([number[pair] for pair in pairs], dtype=np.int64)
    scores_S, read_S = scores_U[row_S], read_U[row_S]
    return tables.frame(
        "scores",
        {
            "problem_id": ids,
            "sample_id": samples["sample_id"].to_list(),
            "budget": samples["budget"].to_list(),
            "score": scores_S.tolist(),
            "n_tokens_read": read_S.tolist(),
            "flops": flops(shape, 0, read_S).tolist(),
        },
    )
