"""A score and the model that reads for it, and tables of scores.

Left out on purpose: sharing x's keys and values between the solutions of a problem (x is short beside y), and
words: what a model reads is in prompts.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64
from numpy.typing import NDArray

from rlv import tables
from rlv.errors import DataError, ModelError
from rlv.models.flops import ModelShape, flops
from rlv.models.reading import Passage
from rlv.prompts import solver_ids, verification_ids
from rlv.scoring import Score

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Verifier:
    """A score, and the model that reads for it: made by rlv/scoring/readers.py.

    `read`: from passages to the numbers at each one's judged places, float64 [J] in [0, 1]. `shape`: the
    model's. Raises ValueError for a score that no model reads for.
    """

    score: Score
    tokenizer: PreTrainedTokenizerBase
    shape: ModelShape
    read: Callable[[Sequence[Passage]], Sequence[np.ndarray]]

    def __post_init__(self) -> None:
        if self.score.loads_no_model:
            raise ValueError("no model reads for a score of what sampling kept; use rlv.scoring.kept_table")


class Scored(NamedTuple):
    """Scores of B solutions, and what reading them costs in tokens and FLOPs.

    Read whole, from the first token of the prompt on; and what is `new` of that to a verifier that has
    written the solutions itself, and kept the keys and values: the instruction, once a place.
    """

    scores_B: Float64[np.ndarray, " B"]
    read_B: Int64[np.ndarray, " B"]
    flops_B: Float64[np.ndarray, " B"]
    new_B: Int64[np.ndarray, " B"]
    new_flops_B: Float64[np.ndarray, " B"]


def score_solutions(
    verifier: Verifier,
    prompts: Sequence[Sequence[int]],
    solutions: Sequence[Sequence[int]],
    style: str,
    names: Sequence[str] | None = None,
    step_rule: str = "sentence",
) -> Scored:
    """Scores of B pairs, and what reading each of them costs, in the order given.

    `prompts` are x and `solutions` y as token ids (y's end token included); `style` decides I; `names`: what
    each pair is called in messages (default: its number); `step_rule`: the data set's, for scores that read
    steps. Raises ModelError for a sequence that is too long for the model, for a model that cannot be read,
    for a score without a place to read, and for scores that are not finite.
    """
    words = verification_ids(verifier.tokenizer, style) if verifier.score.asks else []
    names = names or [f"sequence {i}" for i in range(len(solutions))]
    passages_B = [
        passages_of(verifier, x, y, words, name, verifier.score.places(y, verifier.tokenizer, step_rule))
        for x, y, name in zip(prompts, solutions, names, strict=True)
    ]
    found = iter(verifier.read([passage for passages in passages_B for passage in passages]))
    scores, lengths = [], []
    for y, passages in zip(solutions, passages_B, strict=True):
        read_K = np.concatenate([np.empty(0), *islice(found, len(passages))])
        scores.append(verifier.score.along(y, read_K))
        lengths.append(np.array([len(passage.ids) for passage in passages]))
    scores_B = np.array(scores, dtype=np.float64)
    if np.isnan(scores_B).any():
        raise ModelError("a score is not a number: the model's output is not finite; check its weights")

    def cost(kept: list[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Tokens and FLOPs of each solution's passages, from as many tokens of each on."""
        spans = list(zip(kept, lengths, strict=True))
        tokens = [(stop_K - start_K).sum() for start_K, stop_K in spans]
        operations = [flops(verifier.shape, *span).sum() for span in spans]
        return np.array(tokens, dtype=np.int64), np.array(operations, dtype=np.float64)

    return Scored(scores_B, *cost([0 * n for n in lengths]), *cost([n - len(words) for n in lengths]))


def passages_of(
    verifier: Verifier,
    x: Sequence[int],
    y: Sequence[int],
    words: Sequence[int],
    name: str,
    places: Sequence[int],
) -> list[Passage]:
    """What is read of one solution: a passage a place if `words` follow it, else one for all places.

    `places`: tokens of y before each. Raises ModelError if there are none.
    """
    score = verifier.score
    if not len(places):
        asked = f"{score.places.__module__}.{getattr(score.places, '__qualname__', score.places)}"
        raise ModelError(
            f"{name}: expected one place to read or more, found none; {asked} of the score must return the "
            f"end of the solution ({len(y)}) if it finds no other"
        )
    if score.asks:
        sequences = [[*x, *y[:k], *words] for k in places]
        return [Passage(ids, judged=[len(ids) - 1], name=name) for ids in sequences]
    return [Passage([*x, *y[: max(places)]], judged=[len(x) + k - 1 for k in places], name=name)]


def scores_table(
    verifier: Verifier,
    problems: pl.DataFrame,
    samples: pl.DataFrame,
    style: str,
    system_prompt: str | None = None,
    step_rule: str = "sentence",
    own: bool = False,
) -> pl.DataFrame:
    """A "samples" table scored, as a "scores" table, row for row in the same order.

    `own`: whether the verifier has written these solutions itself (rlv/scoring/own.py), so that keys and
    values of prompt and solution are there; else all that it reads is new.

    Equal solutions of a problem (after RL there are many, and a solution that ended early is the same at
    every budget) are read once. Tokens read and FLOPs count for each row all the same: the cost of a
    method must not depend on how it is run. Raises DataError for a sample of no problem in `problems`.
    """
    read = distinct(verifier.tokenizer, problems, samples, style, system_prompt)
    found = score_solutions(verifier, read.prompts_U, read.solutions_U, style, read.names_U, step_rule)
    new_U, new_flops_U = (found.new_B, found.new_flops_B) if own else (found.read_B, found.flops_B)
    row_S = read.row_S
    return tables.frame(
        "scores",
        {
            **{column: samples[column].to_list() for column in ("problem_id", "sample_id", "budget")},
            "score": found.scores_B[row_S].tolist(),
            "n_tokens_read": found.read_B[row_S].tolist(),
            "flops": found.flops_B[row_S].tolist(),
            "n_tokens_new": new_U[row_S].tolist(),
            "flops_new": new_flops_U[row_S].tolist(),
        },
    )


@dataclass(frozen=True)
class Distinct:
    """The U different solutions of a "samples" table, each with its prompt and a name for messages.

    `row_S`: which of them each row of the table is.
    """

    prompts_U: list[list[int]]
    solutions_U: list[list[int]]
    names_U: list[str]
    row_S: list[int]


def distinct(
    tokenizer: PreTrainedTokenizerBase,
    problems: pl.DataFrame,
    samples: pl.DataFrame,
    style: str,
    system_prompt: str | None = None,
) -> Distinct:
    """What is read of a "samples" table: equal solutions of a problem once. Raises as `prompts_of`."""
    prompt_of = prompts_of(tokenizer, problems, samples, style, system_prompt)
    pairs = list(
        zip(samples["problem_id"].to_list(), map(tuple, samples["token_ids"].to_list()), strict=True)
    )
    names: dict[tuple[str, tuple[int, ...]], str] = {}
    for pair, sample_id in zip(pairs, samples["sample_id"], strict=True):
        names.setdefault(pair, f"problem {pair[0]!r}, sample {sample_id}")
    number = {pair: u for u, pair in enumerate(names)}
    return Distinct(
        [prompt_of[i] for i, _ in names],
        [list(y) for _, y in names],
        list(names.values()),
        [number[pair] for pair in pairs],
    )


def prompts_of(
    tokenizer: PreTrainedTokenizerBase,
    problems: pl.DataFrame,
    samples: pl.DataFrame,
    style: str,
    system_prompt: str | None = None,
) -> dict[str, list[int]]:
    """x of each problem in a "samples" table.

    Raises DataError for a sample of no problem in `problems`, and for a problem without a question.
    """
    questions = dict(problems.select("problem_id", "question").iter_rows())
    ids = dict.fromkeys(samples["problem_id"].to_list())
    unknown = next((i for i in ids if i not in questions), None)
    if unknown is not None:
        raise DataError(f"samples: problem {unknown!r} is not in the problems table of {len(questions)} rows")
    silent = [i for i in ids if questions[i] is None]
    if silent:
        raise DataError(
            f"problems: {silent[0]!r} has no question, and a verifier reads it; {len(silent)} such problems; "
            "use files with questions, or scores that they bring"
        )
    return {i: solver_ids(tokenizer, questions[i], style, system_prompt) for i in ids}
