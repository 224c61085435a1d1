"""What a study's types cannot say: names that must exist, and settings that must fit each other."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlv.study import Study


def broken_references(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of everything in a study that does not fit together."""
    yield from _datasets(study)
    yield from _reasoners(study)
    yield from _verifiers(study)
    yield from _evaluation(study)
    yield from _products(study)


def _unknown(key: str, name: str | None, known: Iterable[str], what: str) -> Iterator[tuple[str, str]]:
    known = sorted(known)
    if name is not None and name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        yield key, f"no {what} named {name!r}{hint} (there are: {', '.join(known) or 'none'})"


def _datasets(study: Study) -> Iterator[tuple[str, str]]:
    for name, dataset in study.datasets.items():
        if dataset.source == "local" and dataset.path is None:
            yield f"datasets.{name}.path", "a local data set needs the path of its file"
        if dataset.source == "local" and dataset.path is not None and not Path(dataset.path).is_file():
            yield f"datasets.{name}.path", f"no file {dataset.path!r}"
        if dataset.source == "mini" and dataset.size is None:
            yield f"datasets.{name}.size", "a generated data set needs its size"


def _reasoners(study: Study) -> Iterator[tuple[str, str]]:
    for name, reasoner in study.reasoners.items():
        key = f"reasoners.{name}"
        yield from _unknown(f"{key}.model", reasoner.model, study.models, "model")
        yield from _unknown(f"{key}.dataset", reasoner.dataset, study.datasets, "data set")
        for dataset in reasoner.evaluate_on:
            yield from _unknown(f"{key}.evaluate_on", dataset, study.datasets, "data set")
        for verifier in reasoner.verifiers:
            yield from _unknown(f"{key}.verifiers", verifier, study.verifiers, "verifier")
        if (reasoner.dataset is None) != (reasoner.advantage is None):
            yield key, "a trained reasoner needs both `dataset` and `advantage`, an untrained one neither"
        if reasoner.dataset is None and reasoner.verification.coefficient > 0:
            yield f"{key}.verification.coefficient", "an untrained reasoner has no verification objective"
        if reasoner.dataset is not None:
            training = study.training_of(name)
            updates = training.problems_per_step * training.solutions_per_problem
            if training.minibatches > updates:
                yield f"{key}.training.minibatches", f"{training.minibatches} of {updates} solutions a step"


def _verifiers(study: Study) -> Iterator[tuple[str, str]]:
    for section, taken in (("reasoners", "self"), ("verifiers", "votes")):
        if taken in getattr(study, section):
            yield f"{section}.{taken}", f"the name {taken!r} means something already; choose another"
    for name, verifier in study.verifiers.items():
        if verifier.reasoner != "self":
            yield from _unknown(f"verifiers.{name}.reasoner", verifier.reasoner, study.reasoners, "reasoner")
    for name, reasoner in study.reasoners.items():
        for used in reasoner.verifiers:
            verifier = study.verifiers.get(used)
            if verifier is None or verifier.score != "generative":
                continue
            reader = name if verifier.reasoner == "self" else verifier.reasoner
            if reader in study.reasoners and study.reasoners[reader].verification.coefficient == 0:
                yield (
                    f"reasoners.{name}.verifiers",
                    f"{used!r} is read by {reader!r}, which is not trained to verify "
                    "(verification.coefficient is 0); use a verifier with score: judge",
                )


def _evaluation(study: Study) -> Iterator[tuple[str, str]]:
    ns, n = study.evaluation.ns, study.sampling.n
    if not ns or list(ns) != sorted(set(ns)) or ns[0] < 1:
        yield "evaluation.ns", f"must increase and start at 1 or above, found {list(ns)}"
    elif ns[-1] > n:
        yield "evaluation.ns", f"{ns[-1]} votes need as many samples; sampling.n is {n}"
    if n % study.sampling.samples_per_shard:
        yield "sampling.samples_per_shard", f"{study.sampling.samples_per_shard} does not divide n = {n}"


def _products(study: Study) -> Iterator[tuple[str, str]]:
    from rlv.figures import FIGURES

    for name, comparison in study.comparisons.items():
        key = f"comparisons.{name}"
        for role in ("base", "rl_v", "start"):
            yield from _unknown(f"{key}.{role}", getattr(comparison, role), study.reasoners, "reasoner")
        for role, reader in (("verifier", comparison.rl_v), ("judge", comparison.base)):
            verifier = getattr(comparison, role)
            if reader in study.reasoners and verifier not in study.reasoners[reader].verifiers:
                yield f"{key}.{role}", f"{verifier!r} is not among the verifiers of reasoner {reader!r}"
    for name, figure in study.figures.items():
        yield from _unknown(f"figures.{name}", name, FIGURES, "figure")
        for dataset in figure.datasets:
            yield from _unknown(f"figures.{name}.datasets", dataset, study.datasets, "data set")
        for comparison in figure.comparisons:
            yield from _unknown(f"figures.{name}.comparisons", comparison, study.comparisons, "comparison")
    if study.overhead is not None:
        yield from _unknown("overhead.reasoner", study.overhead.reasoner, study.reasoners, "reasoner")
        reasoner = study.reasoners.get(study.overhead.reasoner)
        if reasoner is not None and reasoner.verification.coefficient == 0:
            yield "overhead.reasoner", f"{study.overhead.reasoner!r} has no verification objective to measure"
    if study.claims is not None:
        for role in ("dataset", "hard"):
            yield from _unknown(f"claims.{role}", getattr(study.claims, role), study.datasets, "data set")
        if study.overhead is None:
            yield "claims", "the claim `overhead` needs the section `overhead`"
        if not study.comparisons:
            yield "claims", "claims compare methods; `comparisons` is empty"
