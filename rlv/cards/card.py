"""The model card of a trained reasoner: metadata of the hub, method, results, and code that is tested."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rlv import tables
from rlv.cards.results import results_of
from rlv.cards.snippet import snippet
from rlv.evaluation.templates import fill
from rlv.models.verification import Entry
from rlv.outside.files import read_text
from rlv.plan import Plan
from rlv.problems import SOURCES
from rlv.store import Artifact, Store

if TYPE_CHECKING:
    from rlv.study.types import Model, Study

# How a license's text begins -> its name on the hub.
_LICENSES = {"apache license": "apache-2.0", "mit license": "mit"}
# Characters of an example; a line of code should hold it.
_SHORT = 90


def card(
    trained: Artifact, plan: Plan, store: Store, entry: Entry, template: str | None, repo: str | None
) -> str:
    """The text of README.md. `template`: the tokenizer's chat template; `repo`: its name on the hub.

    Raises what the store raises for damaged tables.
    """
    study, name = plan.study, trained.name
    return fill(
        __file__,
        ".md",
        metadata=_metadata(trained, study, store),
        title=repo.rsplit("/")[-1] if repo else f"{name} ({study.name})",
        method=_method(trained, study, entry),
        asked=_asked(entry),
        entry=entry,
        code=snippet(entry, repo or ".", study.sampling_of(name), template, _example(trained, store)),
        many=_many(entry, repo),
        results=results_of(name, plan, store),
        study=study.name,
    )


def _example(trained: Artifact, store: Store) -> str | None:
    """A short question that it was trained on, if the problems are at hand."""
    problems = trained.inputs["problems"]
    if not store.exists(problems):
        return None
    asked = tables.read(store.open(problems, "problems.parquet"), "problems", ["question"])["question"]
    # One that stays within the code of a page.
    return next((q for q in asked if len(q) <= _SHORT and q.isprintable() and "```" not in q), None)


def _metadata(trained: Artifact, study: Study, store: Store) -> str:
    """The front matter, without the lines around it."""
    from huggingface_hub import ModelCardData

    entry = study.reasoners[trained.name]
    base = _start(trained, study)
    sets = dict.fromkeys(_repositories(trained, study))
    known: dict[str, Any] = {
        "base_model": base.repo if base.source == "hub" else None,
        "license": _license(trained, study, store),
        "datasets": list(sets) or None,
    }
    tags = ["rlv", "reinforcement-learning", *(["verifier"] if entry.verification.coefficient > 0 else [])]
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=tags,
        **{name: value for name, value in known.items() if value is not None},
    )
    return data.to_yaml()


def _start(trained: Artifact, study: Study) -> Model:
    """The model that a trained reasoner started from."""
    found = study.family(trained.name)
    assert found is not None  # without a model nothing is trained
    return found


def _repositories(trained: Artifact, study: Study) -> Iterator[str]:
    """The hub's names of what it was trained on."""
    reasoner = study.reasoners[trained.name]
    name = reasoner.dataset or study.reasoners[str(reasoner.recorded_by)].dataset
    if name is None:
        return
    dataset = study.datasets[name]
    repo = dataset.repo or SOURCES[dataset.source].repo
    if repo is not None:
        yield repo


def _license(trained: Artifact, study: Study, store: Store) -> str | None:
    """The base's license by the hub's name, if it is known: of what ships with rlv, and by its text."""
    base = trained.inputs["model"]
    if _start(trained, study).source == "package":
        return "apache-2.0"
    if not store.exists(base):
        return None
    for name in sorted(store.manifest(base)["files"]):
        if name.startswith("LICENSE"):
            try:
                text = read_text(store.open(base, name))
            except ValueError:
                return None
            first = next((line.strip().lower() for line in text.splitlines() if line.strip()), "")
            return _LICENSES.get(first, "other")
    return None


def _method(trained: Artifact, study: Study, entry: Entry) -> str:
    """One paragraph: what it was trained from, on, and by."""
    from rlv.figures.style import method_name  # it loads a library for plots

    reasoner, p = study.reasoners[trained.name], trained.params
    base = _start(trained, study)
    start = {
        "hub": f"`{base.repo}` (commit `{base.revision}`)",
        "package": f"the base `{reasoner.model}` that ships with rlv",
        "gguf": f"`{base.path}` of the package `{base.package}`",
    }.get(base.source, f"the model `{reasoner.model}` of the study")
    if "rollouts" in trained.inputs:
        recorded = reasoner.recorded_by
        return (
            f"A separate verifier, trained from {start} on the solutions that the training of `{recorded}` "
            f"recorded. It learned to verify with objective `{entry.objective}`, and nothing else; it is no "
            "better at solving than the model that it started from."
        )
    advantage = reasoner.advantage or p.get("advantage")
    learned = (
        f"Trained from {start} on data set `{reasoner.dataset}` by "
        f"{method_name(str(advantage))}, {p['steps']} steps of "
        f"{p['problems_per_step']} problems with {p['solutions_per_problem']} solutions each"
    )
    if entry.objective is None:
        return f"{learned}. It was not trained to verify (λ = 0)."
    return (
        f"{learned}, and on the same solutions to verify them (RL^V, Sareen et al. 2025): "
        f"J = J_RL + λ J_verify with λ = {entry.coefficient:g} and objective `{entry.objective}`."
    )


def _asked(entry: Entry) -> str:
    """How it is asked, in words."""
    put = (
        f"Problems were put in prompt style `{entry.prompt_style}`, answers in format `{entry.answer_format}`"
    )
    if entry.objective is None:
        return f"{put}; `verification` in config.json repeats this."
    if entry.instruction is None:
        return (
            f"{put}. A head (`head/verification.safetensors`) reads the hidden state after the solution's "
            "end token; `verification` in config.json says so."
        )
    assert entry.labels is not None  # it is there with the instruction
    yes, no = entry.labels
    return (
        f"{put}. After a solution the verifier is asked *{entry.instruction}*, and its score is the "
        f"probability of {yes.text} (token {yes.id}; {no.text} is {no.id}). `verification` in config.json "
        "has the instruction with all its tokens, so no copy of this text is needed."
    )


def _many(entry: Entry, repo: str | None) -> str:
    """Many solutions and their vote, with rlv."""
    where = '".")' if repo is None else f'"{repo}", revision="<commit>")'
    votes = "weighs their votes by their scores" if entry.objective else "asks it as a judge of its own work"
    return (
        f"With rlv, `rlv.load({where}.solve(question, n=16)` samples 16 solutions and {votes}; "
        f"`rlv solve` does so on the command line."
    )
