"""Length budgets by budget forcing: solutions at every budget from one set sampled at the largest.

    y, sampled at the largest budget:    step 1 | step 2 | step 3 | answer <end>
    at a budget within step 3:           step 1 | step 2 | answer prefix, answer <end>

A solution that ended by itself within a budget stays as it is. Otherwise its tokens up to the budget are cut
back to the last step boundary, and the words that open an answer follow (prompts.answer_prefix_ids), then the
answer, sampled anew: the only tokens that are. So budgets share their prefixes, and the same solution at a
larger budget keeps the same steps or more. All that was generated counts, also what was cut off again, but
for words after a closed box, at which sampling could have stopped.

A verifier has learned that a solution without an end was never right. So a forced solution ends as those do
that end by themselves: thought and answer are closed, and the end token is last. A box inside an open thought
is no answer yet: the thought is closed, and the answer is asked for after it.

The random numbers of an answer belong to (seed, problem, sample, budget): whichever other solutions and
budgets are forced along with it changes nothing. Left out on purpose: going on beyond the largest budget
("wait" appended in place of an end), and thoughts that are summarized before they are answered.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from rlv import tables
from rlv.answers.extract import answer_end, extract_answer
from rlv.answers.steps import step_starts
from rlv.errors import DataError, StudyError
from rlv.models.flops import ModelShape, flops
from rlv.prompts import (
    answer_prefix_ids,
    answer_suffix_ids,
    solution_end_id,
    solver_ids,
    thought_end_ids,
)
from rlv.sampling.engine import Engine, Progress, Request, SamplingParams, request_seed
from rlv.sampling.shards import stored_text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Forcing:
    """How answers are forced: the rule that finds steps, the format of answers, and how they are drawn.

    `answer_tokens` is the most that is sampled for an answer after its prefix. Raises StudyError if that
    is less than 1.
    """

    step_rule: str
    answer_format: str
    answer_tokens: int
    seed: int
    temperature: float = 1.0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if self.answer_tokens < 1:
            raise StudyError(f"answer_tokens is {self.answer_tokens}; an answer needs 1 or more")


@dataclass
class _Row:
    """One solution at one budget, in the making."""

    sample: dict[str, Any]
    budget: int
    kept: int  # tokens of the sample that stay
    tail: Sequence[int] = ()  # all that follows them
    finish_reason: str = "stop"


def force_answers(
    engine: Engine,
    tokenizer: PreTrainedTokenizerBase,
    shape: ModelShape,
    problems: pl.DataFrame,
    samples: pl.DataFrame,
    budgets: Sequence[int],
    style: str,
    forcing: Forcing,
    progress: Progress | None = None,
    *,
    system_prompt: str | None = None,
) -> pl.DataFrame:
    """The samples at every budget, as a "samples" table: budgets outermost, then the samples' order.

    `samples` come from `sample_shard`, of these `problems`, sampled by the model behind `engine` (of `shape`)
    with `style`, at a limit that reaches the largest budget. Of a row with n tokens y after a prompt of m:
    - n_tokens = min(budget, n) + tail: all that was generated for it, also what was cut off. The tail is
      prefix, answer, suffix and end token, those that were not sampled included;
    - token_ids, text: kept steps + tail, what a verifier reads;
    - flops: a forward pass a generated token, at its own position (as in `sample_shard`; the tail follows the
      kept steps);
    - finish_reason: "stop" (untouched), "forced", or "length": not even the answer ended in answer_tokens;
    - token_logprobs, self_certainty: the sample's if it is untouched, else null.
    A cut solution whose kept steps hold an answer already, outside of an open thought, is not asked again: it
    ends after the last of them. A box ends at its closing brace, with the token that has it. Every
    solution but those of "length" ends with a token that ends solutions.

    Raises StudyError for budgets that do not increase or are below 1; DataError for a sample without a
    problem, or sampled at less than the largest budget, or already forced; ModelError as the engine does.
    """
    check_budgets(budgets)
    _check_samples(samples, problems, budgets[-1])
    end = solution_end_id(tokenizer, style)
    questions = dict(problems.select("problem_id", "question").iter_rows())
    prompts = {
        p: solver_ids(tokenizer, questions[p], style, system_prompt) for p in samples["problem_id"].unique()
    }
    cutters: dict[int, _Cutter] = {}
    rows: list[_Row] = []
    requests: list[Request] = []
    asked: list[tuple[_Row, list[int]]] = []
    sampled_rows = list(samples.iter_rows(named=True))
    for budget in budgets:
        for index, sample in enumerate(sampled_rows):
            token_ids = sample["token_ids"]
            if sample["finish_reason"] == "stop" and len(token_ids) <= budget:
                rows.append(_Row(sample, budget, len(token_ids)))
                continue
            if index not in cutters:
                cutters[index] = _Cutter(tokenizer, token_ids, forcing)
            prompt = prompts[sample["problem_id"]]
            kept = cutters[index].answered(budget)
            if kept is not None and not thought_end_ids(tokenizer, [*prompt, *token_ids[:kept]]):
                rows.append(_Row(sample, budget, kept, tail=[end], finish_reason="forced"))
                continue
            kept = cutters[index].whole(budget)
            rows.append(_Row(sample, budget, kept, finish_reason="forced"))
            context = [*prompt, *token_ids[:kept]]
            prefix = answer_prefix_ids(tokenizer, forcing.answer_format, context)
            identity = (sample["problem_id"], sample["sample_id"])
            seed = request_seed(forcing.seed, *identity, "budget", budget)
            requests.append(Request(*identity, (*context, *prefix), seed))
            asked.append((rows[-1], prefix))
    params = SamplingParams(forcing.temperature, forcing.top_p, forcing.answer_tokens)
    answers = engine.sample(requests, params, progress)
    for (row, prefix), answer in zip(asked, answers, strict=True):
        closed = _closed(tokenizer, answer.token_ids, forcing.answer_format)
        if closed is not None:
            row.tail = [*prefix, *closed, end]
        else:
            row.tail = [*prefix, *answer.token_ids]
            if answer.finish_reason == "length":
                row.finish_reason = "length"
    return _table(rows, tokenizer, shape)


def check_budgets(budgets: Sequence[int]) -> None:
    """Raises StudyError if there are no budgets, or one is below 1 or not above the one before it."""
    if not budgets or budgets[0] < 1 or any(b <= a for a, b in pairwise(budgets)):
        raise StudyError(f"budgets are {list(budgets)}; they must increase, from 1 or more")


def _check_samples(samples: pl.DataFrame, problems: pl.DataFrame, largest: int) -> None:
    reasons = {
        "is of no problem in the problems table": ~pl.col("problem_id").is_in(
            problems["problem_id"].to_list()
        ),
        f"was sampled with a smaller limit than the largest budget, {largest}": pl.col("budget") < largest,
        "has had its answer forced already": pl.col("finish_reason") == "forced",
    }
    for reason, wrong in reasons.items():
        for row in samples.filter(wrong).head(1).iter_rows(named=True):
            raise DataError(
                f"samples: problem {row['problem_id']!r}, sample {row['sample_id']}, budget {row['budget']} "
                f"{reason}"
            )


class _Cutter:
    """Where one solution's steps begin, and which of them give an answer."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int], forcing: Forcing
    ) -> None:
        # Of the whole solution: a boundary at the budget is one only if a new step follows.
        self.starts = step_starts(tokenizer, token_ids, forcing.step_rule)
        self.answer_stops = [
            stop
            for start, stop in pairwise(self.starts)
            if extract_answer(stored_text(tokenizer, token_ids[start:stop]), forcing.answer_format)
            is not None
        ]

    def whole(self, budget: int) -> int:
        """Tokens of the whole steps within the budget."""
        return self.starts[bisect_right(self.starts, budget) - 1] if self.starts else 0

    def answered(self, budget: int) -> int | None:
        """Tokens up to the last of these steps that gives an answer; None if none does."""
        answers = bisect_right(self.answer_stops, self.whole(budget))
        return self.answer_stops[answers - 1] if answers else None


def _closed(
    tokenizer: PreTrainedTokenizerBase, answer_ids: Sequence[int], answer_format: str
) -> list[int] | None:
    """The answer up to the token that ends it (see `answer_end`), and what closes the words around it.

    None for an answer that nothing but the solution's own end ends.
    """
    if answer_end(stored_text(tokenizer, answer_ids), answer_format) is None:
        return None
    for stop in range(1, len(answer_ids) + 1):
        text = stored_text(tokenizer, answer_ids[:stop])
        end = answer_end(text, answer_format)
        if end is not None:
            return [*answer_ids[:stop], *answer_suffix_ids(tokenizer, answer_format, text[end:])]
    return None


def _table(rows: Sequence[_Row], tokenizer: PreTrainedTokenizerBase, shape: ModelShape) -> pl.DataFrame:
    prompt_S, sampled_S, kept_S, tail_S = (
        np.array(values, dtype=np.int64)
        for values in (
            [row.sample["n_prompt_tokens"] for row in rows],
            [min(row.budget, len(row.sample["token_ids"])) for row in rows],
            [row.kept for row in rows],
            [len(row.tail) for row in rows],
        )
    )
    thought_S = flops(shape, prompt_S, prompt_S + sampled_S)
    answer_S = flops(shape, prompt_S + kept_S, prompt_S + kept_S + tail_S)
    token_ids = [[*row.sample["token_ids"][: row.kept], *row.tail] for row in rows]
    return tables.frame(
        "samples",
        {
            "problem_id": [row.sample["problem_id"] for row in rows],
            "sample_id": [row.sample["sample_id"] for row in rows],
            "budget": [row.budget for row in rows],
            "text": [
                row.sample["text"] if row.finish_reason == "stop" else stored_text(tokenizer, ids)
                for row, ids in zip(rows, token_ids, strict=True)
            ],
            "token_ids": token_ids,
            "n_prompt_tokens": prompt_S.tolist(),
            "n_tokens": (sampled_S + tail_S).tolist(),
            "flops": (thought_S + answer_S).tolist(),
            "finish_reason": [row.finish_reason for row in rows],
            **{
                column: [row.sample[column] if row.finish_reason == "stop" else None for row in rows]
                for column in ("token_logprobs", "self_certainty")
            },
        },
    )
