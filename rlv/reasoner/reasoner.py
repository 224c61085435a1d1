"""A loaded checkpoint that solves and scores, exactly as the stages `sample` and `score` do."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, overload

from rlv.answers.extract import extract_answer
from rlv.answers.groups import classes_of
from rlv.answers.pool import Limits, Pool
from rlv.errors import DataError, ModelError
from rlv.evaluation.picking import Candidate, candidates, vote_named
from rlv.evaluation.tallies import Vote
from rlv.models.flops import ModelShape
from rlv.prompts import solution_end_id, solver_ids, verification_ids
from rlv.reasoner.asking import Asking
from rlv.sampling.engine import Engine, Progress, Request, SamplingParams, request_seed
from rlv.scoring import SCORES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from rlv.scoring.verifier import Verifier

# Solutions of one question; more than any study draws.
MOST = 65_536
# Tokens of a solution if nothing else is said and the model has room for them.
MAX_TOKENS = 1024


@dataclass(frozen=True)
class Solution:
    """One solution as it was written.

    `text` is without special tokens. `answer`: None if it gives none, or was cut off. `score`: in [0, 1],
    how probably it is right; None if the vote reads no scores. `n_tokens`: the end token included.
    `finished`: whether it ended by itself within its budget.
    """

    text: str
    answer: str | None
    score: float | None
    n_tokens: int
    finished: bool
    token_ids: tuple[int, ...] = field(repr=False, default=())


@dataclass(frozen=True)
class Solved:
    """The answer that won the vote.

    `answer`: None if no solution gives one. `confidence`: the share of the winning answer in the weight that
    all answers cast, in [0, 1]. `scored_by`: the score of rlv/scoring, "judge" if the model was asked
    without having been trained to verify; None if the vote reads no scores. `candidates`: all answers, the
    winner first.
    """

    answer: str | None
    confidence: float
    solutions: tuple[Solution, ...]
    scored_by: str | None
    candidates: tuple[Candidate, ...] = ()

    @property
    def best(self) -> int:
        """The number of the solution to show: of those with the answer the one with the highest score.

        The first of equal ones; without an answer, or without candidates, of all.
        """
        able = self.candidates[0].solutions if self.candidates else range(len(self.solutions))
        return max(able, key=lambda k: self.solutions[k].score or 0.0)


class Reasoner:
    """A model that solves problems and scores solutions; made by `load`. A context manager.

    `asking`: how it is asked. `folder`: where its checkpoint lies.
    """

    def __init__(
        self,
        folder: Path,
        asking: Asking,
        tokenizer: PreTrainedTokenizerBase,
        engine: Engine,
        shape: ModelShape,
        positions: int,
        verifier: Callable[[], Verifier],
        close: Callable[[], None] | None = None,
    ) -> None:
        self.folder, self.asking, self.tokenizer = folder, asking, tokenizer
        self.engine, self.shape, self.positions = engine, shape, positions
        self._make_verifier = verifier
        self._pool = Pool(1, Limits())
        self._ends = [weakref.finalize(self, self._pool.close)]
        if close is not None:
            self._ends.append(weakref.finalize(self, close))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Reasoner({str(self.folder)!r}, scored by {self.asking.score!r})"

    def close(self) -> None:
        """End what it started: an engine's processes, and the one that reads answers."""
        for end in self._ends:
            end()

    def solve(
        self,
        question: str,
        n: int = 16,
        *,
        vote: str = "weighted_voting",
        temperature: float = 1.0,
        top_p: float = 1.0,
        max_tokens: int | None = None,
        seed: int = 0,
        problem_id: str | None = None,
        system_prompt: str | None = None,
        progress: Progress | None = None,
    ) -> Solved:
        """Write n solutions, score them, and let them vote. The same arguments give the same answer.

        `vote`: a name of rlv/evaluation/votes.py. `temperature` 0 is greedy. `max_tokens` of a solution, end
        token included; None: 1024, or what the model has room for. A solution is a function of `seed`,
        `problem_id` and its number, as in the stage `sample`: with the study's seed and the problem's id it
        is the same solution, and raising n keeps the first ones. `problem_id` None: the question stands for
        it. `system_prompt`: instead of the one that it was loaded with. `progress(done, n, tokens)` is called
        every half second while solutions are written; what it raises ends that. Raises
        DataError for arguments out of range and a question without words, ModelError for a question that does
        not fit the model, and as the engine and the score do.
        """
        counts = require_arguments(n, vote, temperature, top_p, max_tokens)
        x, room = self._with_room(question, counts, system_prompt)
        params = _params(temperature, top_p, min(MAX_TOKENS, room) if max_tokens is None else max_tokens)
        if params.max_tokens > room:
            raise ModelError(
                f"max_tokens: found {params.max_tokens}; a question of {len(x)} tokens leaves room for "
                f"{room} in the model's {self.positions} positions"
            )
        of = question if problem_id is None else problem_id
        requests = [Request("question", k, x, request_seed(seed, of, k)) for k in range(n)]
        sampled = self.engine.sample(requests, params, progress)
        ids, names = [list(found.token_ids) for found in sampled], [f"solution {k}" for k in range(n)]
        scores = self._scores([x] * n, ids, names) if counts.reads_scores else None
        from rlv.sampling.shards import stored_text

        texts = [stored_text(self.tokenizer, y) for y in ids]
        finished = [found.finish_reason == "stop" for found in sampled]
        # As when a study is graded: one that was cut off has no answer, its last number may be half of one.
        answers = [
            extract_answer(text, self.asking.answer_format) if done else None
            for text, done in zip(texts, finished, strict=True)
        ]
        standing = candidates(answers, classes_of(answers, self._pool), scores, counts)
        solutions = tuple(
            Solution(text, own, score, len(y), done, tuple(y))
            for text, own, score, y, done in zip(
                texts, answers, scores or [None] * n, ids, finished, strict=True
            )
        )
        answer, confidence = (standing[0].answer, standing[0].share) if standing else (None, 0.0)
        scored_by = self.asking.score if counts.reads_scores else None
        return Solved(answer, confidence, solutions, scored_by, standing)

    def room(
        self, question: str, vote: str = "weighted_voting", system_prompt: str | None = None
    ) -> tuple[int, int]:
        """(tokens of the prompt, tokens that a solution may have beside it). Raises as `solve`."""
        x, room = self._with_room(question, vote_named(vote), system_prompt)
        return len(x), room

    def _with_room(
        self, question: str, counts: Vote, system_prompt: str | None
    ) -> tuple[tuple[int, ...], int]:
        """x, and the tokens that are left for a solution."""
        x = self._prompt(question, system_prompt=system_prompt)
        room = self.positions - len(x) - (len(self._words) if counts.reads_scores else 0)
        if room < 1:
            raise ModelError(
                f"question: {len(x)} tokens leave no room for a solution in the model's {self.positions} "
                "positions; shorten it"
            )
        return x, room

    @overload
    def score(
        self, question: str, solution: str | Solution, *, names: Sequence[str] | None = None
    ) -> float: ...
    @overload
    def score(
        self,
        question: str | Sequence[str],
        solution: Sequence[str | Solution],
        *,
        names: Sequence[str] | None = None,
    ) -> list[float]: ...
    def score(
        self,
        question: str | Sequence[str],
        solution: str | Solution | Sequence[str | Solution],
        *,
        names: Sequence[str] | None = None,
    ) -> float | list[float]:
        """How probably a solution is right, in [0, 1]; for lists a list, in order.

        A text counts as ended by itself, and its end token is added; a `Solution` is read as it was written.
        A list of solutions may go with one question, or with a list of as many. `names`: what each pair is
        called in messages. Raises DataError for an empty question and lists of different lengths, ModelError
        for what does not fit the model, and if it cannot be asked: a tokenizer in which Yes and No are no
        single tokens, a head that is missing.
        """
        one = isinstance(solution, str | Solution)
        if one and not isinstance(question, str):
            raise DataError(f"score: {len(question)} questions for one solution; give a list of as many")
        solutions = [solution] if isinstance(solution, str | Solution) else list(solution)
        questions = [question] * len(solutions) if isinstance(question, str) else list(question)
        called = [f"solution {k}" for k in range(len(solutions))] if names is None else list(names)
        if not len(questions) == len(solutions) == len(called):
            raise DataError(
                f"score: {len(questions)} questions for {len(solutions)} solutions ({len(called)} names)"
            )
        prompts = [self._prompt(q, f"{name}: question") for q, name in zip(questions, called, strict=True)]
        bodies = [self._tokens(y, name) for y, name in zip(solutions, called, strict=True)]
        scores = self._scores(prompts, bodies, called)
        return scores[0] if one else scores

    def _scores(
        self, prompts: Sequence[Sequence[int]], solutions: Sequence[Sequence[int]], names: Sequence[str]
    ) -> list[float]:
        """Scores of pairs of token ids; equal pairs are read once."""
        from rlv.scoring.verifier import score_solutions

        pairs = [(tuple(x), tuple(y)) for x, y in zip(prompts, solutions, strict=True)]
        called = dict(zip(reversed(pairs), reversed(names), strict=True))  # by the first of equal pairs
        distinct = list(dict.fromkeys(pairs))
        if not distinct:
            return []
        xs, ys = [x for x, _ in distinct], [y for _, y in distinct]
        said = [called[pair] for pair in distinct]
        scored = score_solutions(self._verifier, xs, ys, self.asking.prompt_style, said)
        found = dict(zip(distinct, scored.scores_B.tolist(), strict=True))
        return [found[pair] for pair in pairs]

    @cached_property
    def _verifier(self) -> Verifier:
        return self._make_verifier()

    @cached_property
    def _words(self) -> list[int]:
        """The instruction, if the score reads one."""
        asks = SCORES[self.asking.score].asks
        return verification_ids(self.tokenizer, self.asking.prompt_style) if asks else []

    def _prompt(
        self, question: str, name: str = "question", *, system_prompt: str | None = None
    ) -> tuple[int, ...]:
        """x of a question. Raises DataError if it has no words, ModelError for words that have no token."""
        self._require_text(question, name)
        if not question.strip():
            raise DataError(f"{name}: expected text, found {question!r:.100}")
        if system_prompt is not None:
            self._require_text(system_prompt, "system prompt")
        asked = self.asking
        system = asked.system_prompt if system_prompt is None else system_prompt
        x = tuple(solver_ids(self.tokenizer, question, asked.prompt_style, system))
        unknown = self.tokenizer.unk_token_id
        if unknown is not None and unknown in x:
            raise ModelError(
                f"{name}: the tokenizer of {self.folder} has no tokens for parts of {question!r:.100} as "
                f"prompt style {asked.prompt_style!r} writes it; ask in the words that it was trained on, or "
                "in another style"
            )
        return x

    def _tokens(self, solution: str | Solution, name: str) -> list[int]:
        """y of a solution, its end token included."""
        if isinstance(solution, Solution):
            return list(solution.token_ids)
        self._require_text(solution, name)
        body = self.tokenizer.encode(solution, add_special_tokens=False)
        return [*body, solution_end_id(self.tokenizer, self.asking.prompt_style)]

    def _require_text(self, text: object, name: str) -> None:
        """Raises DataError for what is no text, ModelError if it is longer than any model's positions."""
        if not isinstance(text, str):
            raise DataError(f"{name}: expected text, found {text!r:.100}")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise DataError(f"{name}: has half of a surrogate pair, which is no character")
        # No token has so many characters on average; cutting a text up takes time.
        if len(text) > 64 * self.positions:
            raise ModelError(
                f"{name}: {len(text):,} characters for a model of {self.positions} positions; shorten it"
            )


def require_arguments(n: int, vote: str, temperature: float, top_p: float, max_tokens: int | None) -> Vote:
    """The vote of that name. Raises DataError, as `Reasoner.solve`, for arguments that fit no model."""
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MOST:
        raise DataError(f"n: found {n!r}, expected a whole number from 1 to {MOST:,}")
    _params(temperature, top_p, MAX_TOKENS if max_tokens is None else max_tokens)
    return vote_named(vote)


def _params(temperature: float, top_p: float, max_tokens: int) -> SamplingParams:
    try:
        return SamplingParams(temperature=temperature, top_p=top_p, max_tokens=max_tokens)
    except (ValueError, TypeError) as error:
        raise DataError(str(error)) from error
