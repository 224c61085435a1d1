"""Whether a study's choices can be made: on problems that nothing is evaluated on, with enough solutions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rlv.plan.checks.names import unknown

if TYPE_CHECKING:
    from rlv.study.types import Study


def broken_choices(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of every fault of the section `tuning` and of what is chosen there."""
    yield from _tuning(study)
    yield from _temperatures(study)


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
    dataset = study.datasets.get(tuning.dataset)
    if dataset is not None and dataset.source == "mini":
        if dataset.split != "train":
            yield (
                key,
                f"{tuning.dataset!r} has split {dataset.split!r}, expected `train`: choices are training",
            )
        for name in sorted(evaluated.keys() & study.datasets.keys() - {tuning.dataset}):
            other = study.datasets[name]
            if (other.source, other.form, other.split) == ("mini", dataset.form, "train"):
                yield key, f"{name!r} is evaluated on and has split `train`, too: it may share problems"
    for name in (name for name, r in study.reasoners.items() if r.model in study.models):
        width = study.sampling_of(name).samples_per_shard
        if tuning.n % min(width, tuning.n):
            yield "tuning.n", f"sampling.samples_per_shard, {width}, does not divide n = {tuning.n}"
            return


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
            yield f"{key}.best_of", "a choice needs training problems; name them in the section `tuning`"
