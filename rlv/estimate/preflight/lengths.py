"""Whether a model's tokenizer can express what jobs ask of it, and whether that fits its positions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from rlv import tables
from rlv.errors import ModelError, RlvError, StudyError
from rlv.estimate.jobs import start_model
from rlv.estimate.preflight.models import Words, positions, words_of
from rlv.job.work import Positions
from rlv.outside.templates import bounded
from rlv.plan import Plan
from rlv.run.stages import STAGES
from rlv.store import Artifact, Store

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# The longest questions by characters are tokenized; one of them has the most tokens.
LONGEST = 64
# A data set's longest questions.
Questions = Callable[[Artifact], list[str]]
Job = tuple[Artifact, Positions]


def complaints(plan: Plan, store: Store, pending: list[Artifact], refused: dict[str, str]) -> Iterator[str]:
    """Words and lengths of all jobs, for models whose tokenizer is at hand or can be fetched.

    `refused`: paths of models that the hub does not give.
    """
    jobs: dict[str, list[Job]] = {}
    models: dict[str, Artifact] = {}
    for artifact in pending:
        needed, model = STAGES[artifact.stage].work.positions(artifact), start_model(artifact)
        if needed is not None and model is not None:
            models[model.path] = model
            jobs.setdefault(model.path, []).append((artifact, needed))
    with TemporaryDirectory() as scratch:
        questions = cache(_reader(store, Store(scratch)))
        for path, model in models.items():
            try:
                words = None if path in refused else words_of(model, store)
            except RlvError as error:
                yield str(error)
                continue
            if words is not None:
                yield from _of_model(plan, model.name, words, jobs[path], questions)


def _of_model(plan: Plan, name: str, words: Words, jobs: list[Job], questions: Questions) -> Iterator[str]:
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = words.read(AutoTokenizer)
        has = positions(plan, name, words)
    except Exception as error:  # whatever a broken file can raise in libraries that trust it
        said = " ".join(str(error).split())[:500] or type(error).__name__
        yield f"models.{name}: its tokenizer in {words.folder} cannot be read: {said}"
        return
    with bounded(tokenizer):
        yield from _of_jobs(plan, name, tokenizer, has, jobs, questions)


def _of_jobs(
    plan: Plan,
    name: str,
    tokenizer: PreTrainedTokenizerBase,
    has: int | None,
    jobs: list[Job],
    questions: Questions,
) -> Iterator[str]:
    """`has`: the model's positions; None: not known."""
    from rlv.prompts import chain_ids, forcing_tokens, solver_ids, verification_ids

    own = plan.study.models[name].prompt_style is not None

    @cache
    def prompt(problems: Artifact, style: str, system: str | None) -> int:
        asked = questions(problems) or ["x"]
        return max(len(solver_ids(tokenizer, question, style, system)) for question in asked)

    @cache
    def instruction(style: str) -> int:
        return len(verification_ids(tokenizer, style))

    @cache
    def around(answer_format: str) -> int:
        return forcing_tokens(tokenizer, answer_format)

    for job, needed in jobs:
        work = STAGES[job.stage].work
        style, problems = str(job.params["prompt_style"]), job.inputs["problems"]
        data = f"datasets.{problems.name}"
        key = f"models.{name}.prompt_style" if own else f"{data}.prompt_style"
        try:
            asked = prompt(problems, style, job.params.get("system_prompt"))
            asks, solution = 0, needed.solution
            if needed.instructed:
                key = work.key(plan.study, job, "verification")
                asks = instruction(style)
            elif needed.chain:
                key = work.key(plan.study, job, "verification")
                asks = len(chain_ids(tokenizer, style)) + needed.chain
            if needed.forced is not None:
                key = f"{data}.answer_format"
                solution += around(needed.forced)
        except ModelError as error:
            yield f"{key}: {error}"
            continue
        if has is not None and asked + solution + asks > has:
            said = "instruction and chain" if needed.chain else "instruction"
            asking = f", {said} {asks}" if asks else ""
            yield (
                f"{work.key(plan.study, job, 'max_tokens')}: the longest prompt of {problems.name!r} "
                f"({asked} tokens), solution {solution}{asking} need {asked + solution + asks} positions, "
                f"model {name!r} has {has}; lower it"
            )


def _reader(store: Store, scratch: Store) -> Questions:
    """What gives the longest questions of a data set: as published, else made now, without a network."""

    def questions(problems: Artifact) -> list[str]:
        try:
            where = store if store.exists(problems) else _made(problems, scratch)
            table = tables.read(where.open(problems, "problems.parquet"), "problems", ["question"])
        except RlvError:
            return []  # the data set's own job comes first, and raises it
        return sorted(table["question"].to_list(), key=len, reverse=True)[:LONGEST]

    return questions


def _made(problems: Artifact, scratch: Store) -> Store:
    """The scratch store with these problems in it. Raises StudyError if the network would be asked."""
    from rlv.run.make import make

    for artifact in (*problems.inputs.values(), problems):
        if STAGES[artifact.stage].asks(artifact) is not None:
            raise StudyError(f"{artifact.path}: not in the cache of the hub")
        make(artifact, scratch, log=lambda line: None)
    return scratch
