"""Whether a study's choices can be made: on problems that nothing is evaluated on, with enough solutions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rlv.choosing import VOTERS
from rlv.families import is_fitted
from rlv.plan.checks.names import broken_method, unknown
from rlv.plan.checks.panels import why_not_tuned
from rlv.problems import SOURCES
from rlv.sampling.engine import VLLM_TEMPERATURES
from rlv.scoring import SCORES

if TYPE_CHECKING:
    from rlv.study.types import Dataset, Study, Verifier


WHERE = "a choice needs training problems; name them in the section `tuning`"


def broken_choices(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of every fault of the section `tuning` and of what is chosen there."""
    yield from _tuning(study)
    yield from _temperatures(study)
    yield from _confidences(study)
    yield from _votes(study)


def _tuning(study: Study) -> Iterator[tuple[str, str]]:
    tuning = study.tuning
    if tuning is None:
        return
    key = "tuning.dataset"
    yield from unknown(key, tuning.dataset, study.datasets, "data set")
    evaluated = {d: name for name, r in reversed(study.reasoners.items()) for d in r.evaluate_on}
    if tuning.dataset in evaluated:
        reasoner = evaluated[tuning.dataset]
        yield (
            key,
            f"{reasoner!r} is evaluated on {tuning.dataset!r}, and a choice must not see such problems; name "
            "a data set of training problems that no reasoner is evaluated on",
        )
    learners = [name for name, r in study.reasoners.items() if r.dataset == tuning.dataset]
    if learners:
        yield (
            key,
            f"{learners[0]!r} learns from {tuning.dataset!r}, and models know what they were trained on; "
            "name a data set of other training problems",
        )
    dataset = study.datasets.get(tuning.dataset)
    if dataset is not None and _has_splits(dataset):
        if dataset.split != "train":
            yield (
                key,
                f"{tuning.dataset!r} has split {dataset.split!r}, expected `train`: choices are training",
            )
        for name in sorted(evaluated.keys() & study.datasets.keys() - {tuning.dataset}):
            other = study.datasets[name]
            if (other.source, other.form, other.split) == (dataset.source, dataset.form, "train"):
                yield key, f"{name!r} is evaluated on and has split `train`, too: it may share problems"
        trained = {r.dataset for r in study.reasoners.values() if r.dataset is not None}
        for name in sorted(trained - {tuning.dataset}):
            learnt = study.datasets.get(name)
            if learnt is not None and _may_share(dataset, learnt):
                yield (
                    key,
                    f"{tuning.dataset!r} may have problems of {name!r}, which RL learns from and its models "
                    f"know; the same keys and `skip: {learnt.skip + (learnt.size or 0)}` take later ones",
                )
    for name in (name for name, r in study.reasoners.items() if r.model in study.models):
        width = study.sampling_of(name).samples_per_shard
        if tuning.n % min(width, tuning.n):
            yield "tuning.n", f"sampling.samples_per_shard, {width}, does not divide n = {tuning.n}"
            return


def _may_share(one: Dataset, other: Dataset) -> bool:
    """Whether a problem may be in two generated data sets; different parts of one order share none."""
    kin, order = {"source", "form", "split"}, {"source", "form", "split", "reach", "kinds"}
    if one.model_dump(include=order) != other.model_dump(include=order):
        return one.model_dump(include=kin) == other.model_dump(include=kin)
    first, second = sorted((d.skip, d.skip + (d.size or 0)) for d in (one, other))
    return second[0] < first[1]


def _has_splits(dataset: Dataset) -> bool:
    """Whether problems are generated, those for training apart from those for tests."""
    source = SOURCES.get(dataset.source)
    return source is not None and source.generated and "split" in source.keys


def _temperatures(study: Study) -> Iterator[tuple[str, str]]:
    for name, reasoner in study.reasoners.items():
        if reasoner.temperature is None:
            continue
        key, tried = f"reasoners.{name}.temperature", reasoner.temperature.best_of
        if not reasoner.evaluate_on:
            yield key, f"{name!r} is evaluated on nothing and writes no solutions; leave it out"
        if list(tried) != sorted(set(tried)):
            yield f"{key}.best_of", f"must increase, found {list(tried)}"
        if len(tried) > 1 and study.tuning is None:
            yield f"{key}.best_of", WHERE
        low, high = VLLM_TEMPERATURES
        on_vllm = reasoner.model in study.models and study.sampling_of(name).engine == "vllm"
        for temperature in tried if on_vllm else ():
            if temperature != 0 and not low <= temperature <= high:
                yield key, f"vllm draws with 0 or {low} to {high}, found {temperature}"


def _confidences(study: Study) -> Iterator[tuple[str, str]]:
    for name, verifier in study.verifiers.items():
        if verifier.score not in SCORES:
            continue  # parts.py complains about it
        if not SCORES[verifier.score].is_chosen:
            for unread in sorted({"best_of", "sharpness"} & verifier.model_fields_set):
                yield f"verifiers.{name}.{unread}", f"score {verifier.score!r} is not chosen; leave it out"
            continue
        yield from _candidates(f"verifiers.{name}", verifier)
        for reasoner in study.reasoners:
            if name in study.scoring(reasoner) and study.tuning is None:
                yield f"reasoners.{reasoner}.verifiers", f"{name!r} is chosen: {WHERE}"
            elif name in study.scoring(reasoner) and study.tuning is not None and study.tuning.n < VOTERS:
                yield (
                    "tuning.n",
                    f"{name!r} is chosen by {VOTERS} votes a problem, found n = {study.tuning.n}",
                )


def _votes(study: Study) -> Iterator[tuple[str, str]]:
    """Complaints about votes whose number is chosen for a reasoner without solutions of training problems."""
    fitted = [vote for vote in study.evaluation.votes if is_fitted(vote)]
    if not fitted:
        return
    said = f"the number of {fitted[0]!r} is chosen on training problems"
    for reasoner, entry in study.reasoners.items():
        if entry.verifiers and entry.evaluate_on and not study.has_tuned(reasoner):
            yield "evaluation.votes", f"{said}, {why_not_tuned(study, reasoner)}"
            return
    if study.tuning is not None and study.tuning.n < VOTERS:
        yield "tuning.n", f"{said}, by {VOTERS} votes a problem, found n = {study.tuning.n}"


def _candidates(key: str, verifier: Verifier) -> Iterator[tuple[str, str]]:
    """Complaints about the scores and the powers that a confidence is chosen among."""
    kept = sorted(name for name, score in SCORES.own.items() if score.kept is not None)
    if not verifier.best_of:
        yield f"{key}.best_of", f"which confidences? One or more of {', '.join(kept)}"
    for number, score in enumerate(verifier.best_of):
        yield from broken_method(f"{key}.best_of", score, SCORES, "score")
        if score in SCORES and SCORES[score].kept is None:
            yield f"{key}.best_of", f"{score!r} does not read what sampling kept; {', '.join(kept)} do"
        if score in verifier.best_of[:number]:
            yield f"{key}.best_of", f"{score!r} is named twice"
    if list(verifier.sharpness) != sorted(set(verifier.sharpness)):
        yield f"{key}.sharpness", f"must increase, found {list(verifier.sharpness)}"
