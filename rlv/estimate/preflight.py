"""What would fail hours into a run and can be known before: asked by `rlv study check` and by the workflow.

Engines that are not installed, jobs that do not fit the GPU, models and data sets that the hub would not give
(no network, no access, no such commit), weights that are not those of their architecture, tokenizers that
cannot say what a style or a verifier asks for, and prompts with budgets longer than a model's positions. Only
jobs that are still to do are looked at.

The hub is asked once for each thing that its cache has not, and gives the configuration and tokenizer of
models; where HF_HUB_OFFLINE is set, nobody is asked. Left out on purpose: what a study's own text says
(study_checks.py, model_checks.py), and whether answers will be any good.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rlv.errors import ModelError, RlvError, StudyError
from rlv.estimate.gpus import local_gpu
from rlv.estimate.jobs import estimates, start_model
from rlv.hub import Asked, check_access
from rlv.models.completeness import require_complete
from rlv.models.folders import read_config
from rlv.models.sources import at_hand
from rlv.outside.templates import bounded
from rlv.plan import Plan
from rlv.plan.checks.models import read_sizes
from rlv.scoring import SCORES
from rlv.store import Artifact, Store
from rlv.training.objectives import OBJECTIVES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# The longest questions by characters are tokenized; one of them has the most tokens.
LONGEST = 64
# Repositories that are asked for at the same time.
_AT_ONCE = 8


def require(plan: Plan, store: Store, gpu: str | None = None, *, here: bool = True) -> None:
    """Raises StudyError with everything that speaks against running the study here, one line each.

    `gpu`: what jobs must fit; None: this machine's, where it has one that is known and jobs run `here`.
    """
    local = local_gpu() if gpu is None and here else None
    found = list(dict.fromkeys(complaints(plan, store, gpu or (local.name if local else None))))
    if found:
        raise StudyError("\n".join(f"study {plan.study.name}: {line}" for line in found))


def complaints(plan: Plan, store: Store, gpu: str | None = None) -> Iterator[str]:
    """Key path, what was found and what would do; `gpu` by name where jobs must fit one."""
    pending = [a for a in plan.artifacts.values() if not store.exists(a)]
    yield from _engines(plan, pending)
    refused = _refused(pending)
    yield from refused.values()
    yield from _packages(pending)
    if gpu is not None:
        yield from too_large(plan, store, gpu)
    yield from _weights(store, pending)
    yield from _prompts(plan, store, pending, refused)


def too_large(plan: Plan, store: Store, gpu: str) -> Iterator[str]:
    """Jobs still to do that do not fit a GPU, solutions having all of their budgets."""
    from rlv.estimate.assumptions import Assumptions
    from rlv.estimate.gpus import find_gpu

    for estimate in estimates(plan, store, find_gpu(gpu), Assumptions(length=1.0)):
        if not store.exists(estimate.artifact):
            yield from estimate.too_large


def _engines(plan: Plan, pending: list[Artifact]) -> Iterator[str]:
    if importlib.util.find_spec("vllm") is not None:
        return
    keys = {_key(plan, a, "engine"): None for a in pending if a.params.get("engine") == "vllm"}
    for key in keys:
        yield (
            f"{key}: vllm is not installed in this environment; run in one that has it (envs/README.md), or "
            "set it to transformers"
        )


# ---- the hub


def _refused(pending: list[Artifact]) -> dict[str, str]:
    """Complaints, by artifact path, about models and data sets that have to be fetched and cannot be."""
    said: dict[str, str] = {}
    unasked: list[tuple[str, Asked]] = []
    for artifact in pending:
        asked = _missing(artifact)
        if asked is None:
            continue
        if not asked.revision.strip("0"):
            said[artifact.path] = (
                f"{asked.key}.revision: {asked.revision} stands for a commit that nobody has looked up; "
                f"{asked.page}/commits/main has them, or {asked.local}"
            )
        elif _switched_off():
            said[artifact.path] = (
                f"{asked.key}: {asked.repo} is not in the cache of the hub, and HF_HUB_OFFLINE is set; run "
                f"`rlv fetch {asked.study}` where there is a network, or {asked.local}"
            )
        else:
            unasked.append((artifact.path, asked))
    if unasked:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            answers = list(threads.map(_answer, [asked for _, asked in unasked]))
        said |= {path: no for (path, _), no in zip(unasked, answers, strict=True) if no is not None}
    return said


def _missing(artifact: Artifact) -> Asked | None:
    """What would be asked of the hub for an artifact; None where nothing would."""
    if "repo" not in artifact.params or artifact.stage not in ("model", "problems"):
        return None
    from rlv.models import hub as models
    from rlv.problems import hub as problems

    repo, revision = str(artifact.params["repo"]), str(artifact.params["revision"])
    study = str(artifact.how["study"])
    if artifact.stage == "model":
        if models.cached(repo, revision) is not None:
            return None
        return models.asked(repo, revision, key=str(artifact.how["key"]), study=study)
    if problems.cached(repo, revision) is not None:
        return None
    return problems.asked(repo, revision, key=f"datasets.{artifact.name}", study=study)


def _answer(asked: Asked) -> str | None:
    try:
        check_access(asked)
    except RlvError as error:
        return str(error)
    return None


def _switched_off() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _packages(pending: list[Artifact]) -> Iterator[str]:
    """Models that lie in packages which are not installed here."""
    from rlv.models import gguf

    for artifact in pending:
        if artifact.stage == "model" and "gguf" in artifact.params:
            p = artifact.params
            try:
                gguf.locate(str(p["package"]), str(p["gguf"]), str(artifact.how["key"]))
                gguf.need_readers()
            except RlvError as error:
                yield str(error)


# ---- what weights are


def _weights(store: Store, pending: list[Artifact]) -> Iterator[str]:
    """Start models of jobs whose files are at hand and are not those of their architecture."""
    used = (start_model(artifact) for artifact in pending)
    for model in {model.path: model for model in used if model is not None}.values():
        folder = at_hand(model, store)
        if folder is not None:
            try:
                require_complete(folder)
            except ModelError as error:
                yield f"models.{model.name}: {error}"


# ---- what tokenizers say


@dataclass(frozen=True)
class _Words:
    """Where a model's tokenizer is read: a folder, or a GGUF file in it."""

    folder: Path
    file: str | None = None

    def read(self, reader: Any) -> Any:
        """By a class of transformers that has `from_pretrained`."""
        more = {} if self.file is None else {"gguf_file": self.file}
        return reader.from_pretrained(self.folder, local_files_only=True, trust_remote_code=False, **more)


def _prompts(plan: Plan, store: Store, pending: list[Artifact], refused: dict[str, str]) -> Iterator[str]:
    """Words and lengths of all jobs, for models whose tokenizer is at hand or can be fetched."""
    jobs: dict[str, list[Artifact]] = {}
    models: dict[str, Artifact] = {}
    for artifact in pending:
        model = start_model(artifact) if "problems" in artifact.inputs else None
        if model is not None and artifact.stage != "model":
            models[model.path] = model
            jobs.setdefault(model.path, []).append(artifact)
    with TemporaryDirectory() as scratch:
        questions = cache(_reader(store, Store(scratch)))
        for path, model in models.items():
            try:
                words = None if path in refused else _words(model, store)
            except RlvError as error:
                yield str(error)
                continue
            if words is not None:
                yield from _model_prompts(plan, model.name, words, jobs[path], questions)


def _words(model: Artifact, store: Store) -> _Words | None:
    """Where a start model's tokenizer is; None where it is not known before the model is made.

    Raises ModelError where the hub does not give it.
    """
    from rlv.models import gguf, hub

    folder, p = at_hand(model, store), model.params
    if folder is not None:
        return _Words(folder)
    if "repo" in p:
        asked = {"key": str(model.how["key"]), "study": str(model.how["study"])}
        return _Words(hub.fetch_words(str(p["repo"]), str(p["revision"]), **asked))
    if "gguf" in p:
        try:
            file = gguf.locate(str(p["package"]), str(p["gguf"]), str(model.how["key"]))
            gguf.need_readers()
        except RlvError:
            return None  # said by `_packages`
        return _Words(file.parent, file.name)
    return None


def _positions(plan: Plan, name: str, words: _Words) -> int | None:
    """Of the model's own configuration, else as the study says, else as its GGUF file does."""
    from transformers import AutoConfig

    entry = plan.study.models.get(name)
    sizes = read_config(words.folder) if words.file is None else None
    sizes = sizes or (read_sizes(name, entry) if entry is not None else None)
    if sizes is None and words.file is not None:
        sizes = words.read(AutoConfig).to_dict()
    sizes = sizes or {}
    found = (sizes.get("text_config") or sizes).get("max_position_embeddings")
    return found if isinstance(found, int) else None


def _model_prompts(
    plan: Plan, name: str, words: _Words, jobs: list[Artifact], questions: Callable[[Artifact], list[str]]
) -> Iterator[str]:
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = words.read(AutoTokenizer)
        positions = _positions(plan, name, words)
    except Exception as error:  # whatever a broken file can raise in libraries that trust it
        said = " ".join(str(error).split())[:500] or type(error).__name__
        yield f"models.{name}: its tokenizer in {words.folder} cannot be read: {said}"
        return
    with bounded(tokenizer):
        yield from _job_prompts(plan, name, tokenizer, positions, jobs, questions)


def _job_prompts(
    plan: Plan,
    name: str,
    tokenizer: PreTrainedTokenizerBase,
    positions: int | None,
    jobs: list[Artifact],
    questions: Callable[[Artifact], list[str]],
) -> Iterator[str]:
    from rlv.prompts import forcing_tokens, solver_ids, verification_ids

    entry = plan.study.models.get(name)

    @cache
    def longest(problems: Artifact, style: str, system_prompt: str | None) -> int:
        asked = questions(problems) or ["x"]
        return max(len(solver_ids(tokenizer, question, style, system_prompt)) for question in asked)

    @cache
    def instruction(style: str) -> int:
        return len(verification_ids(tokenizer, style))

    @cache
    def forcing(answer_format: str) -> int:
        return forcing_tokens(tokenizer, answer_format)

    for job in jobs:
        style, problems = str(job.params["prompt_style"]), job.inputs["problems"]
        try:
            prompt = longest(problems, style, job.params.get("system_prompt"))
        except ModelError as error:
            own = entry is not None and entry.prompt_style is not None
            key = f"models.{name}.prompt_style" if own else f"datasets.{problems.name}.prompt_style"
            yield f"{key}: {error}"
            continue
        try:
            asks = instruction(style) if _asks(job) else 0
        except ModelError as error:
            yield f"{_key(plan, job, 'verification')}: {error}"
            continue
        cut = job if job.stage == "force" else job.inputs.get("samples")
        try:
            around = forcing(cut.params["answer_format"]) if cut is not None and cut.stage == "force" else 0
        except ModelError as error:
            yield f"datasets.{problems.name}.answer_format: {error}"
            continue
        solution = _solution_tokens(job) + around
        needed = prompt + solution + asks
        if positions is not None and needed > positions:
            asking = f", instruction {asks}" if asks else ""
            yield (
                f"{_key(plan, job, 'max_tokens')}: the longest prompt of {problems.name!r} ({prompt} "
                f"tokens), solution {solution}{asking} need {needed} positions, model {name!r} has "
                f"{positions}; lower it"
            )


def _asks(job: Artifact) -> bool:
    p = job.params
    if job.stage == "score":
        return SCORES[p["score"]].asks
    return p.get("verification_coefficient", 0) > 0 and OBJECTIVES[p["verification_objective"]].instructed


def _solution_tokens(job: Artifact) -> int:
    """Most tokens of a solution that a model samples for a job or before it, a forced answer included."""
    if "rollouts" in job.inputs:
        return _solution_tokens(job.inputs["rollouts"])
    if job.stage == "force":
        return max(job.params["budgets"]) + int(job.params["answer_tokens"])
    if "samples" in job.inputs:
        return _solution_tokens(job.inputs["samples"])
    return int(job.params.get("max_tokens", 0))


def _reader(store: Store, scratch: Store) -> Callable[[Artifact], list[str]]:
    """What gives the longest questions of a data set: as published, else made now, without a network."""

    def questions(problems: Artifact) -> list[str]:
        from rlv import tables

        try:
            where = store if store.exists(problems) else _made(problems, scratch)
            table = tables.read(where.open(problems, "problems.parquet"), "problems", ["question"])
        except RlvError:
            return []  # the stage `problems` comes first, and says so itself
        return sorted(table["question"].to_list(), key=len, reverse=True)[:LONGEST]

    return questions


def _made(problems: Artifact, scratch: Store) -> Store:
    """The scratch store with these problems in it. Raises StudyError where the network would be asked."""
    from rlv.problems.hub import cached
    from rlv.run.make import make

    for artifact in (*problems.inputs.values(), problems):
        p = artifact.params
        if "repo" in p and cached(p["repo"], p["revision"]) is None:
            raise StudyError(f"{artifact.path}: not in the cache of the hub")
        make(artifact, scratch, log=lambda line: None)
    return scratch


# ---- where a study says what a job is told


def _key(plan: Plan, job: Artifact, what: str) -> str:
    """The key path behind a job's engine, max_tokens or verification."""
    study, parts = plan.study, job.name.split("-")
    if job.stage in ("train", "overhead"):
        entry = study.reasoners[job.name]
        if what == "verification":
            return f"reasoners.{job.name}.verification"
        if what == "max_tokens" and entry.recorded_by is not None:
            return f"reasoners.{entry.recorded_by}.training.max_tokens"
        return f"reasoners.{job.name}.training.{what}" if what in entry.training else f"training.{what}"
    if job.stage == "score" and what != "max_tokens":
        return f"verifiers.{parts[2]}" + (".engine" if what == "engine" else "")
    cut = job.stage == "force" or (job.stage == "score" and job.inputs["samples"].stage == "force")
    if cut and what == "max_tokens":
        return "lengths.budgets"
    model = study.reasoners[parts[0]].model
    own = study.models[model].sampling
    return f"models.{model}.sampling.{what}" if what in own else f"sampling.{what}"
