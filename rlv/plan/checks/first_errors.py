"""Whether the section `first_errors` can be computed: steps with labels, read by verifiers that can."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rlv.plan.checks.names import unknown
from rlv.plan.checks.readers import broken_readers
from rlv.problems import SOURCES
from rlv.scoring import SCORES

if TYPE_CHECKING:
    from rlv.study.types import Study


def broken_first_errors(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of every fault of the section."""
    section = study.first_errors
    if section is None:
        return
    for name in section.datasets:
        yield from unknown("first_errors.datasets", name, study.datasets, "data set")
        if name in study.datasets:
            yield from _labels(study, "first_errors.datasets", name)
    yield from broken_readers(study, "first_errors", section.readers)
    for reasoner, verifiers in section.readers.items():
        key, entry = f"first_errors.readers.{reasoner}", study.reasoners[reasoner]
        if not set(section.datasets) & set(entry.evaluate_on):
            yield key, f"{reasoner!r} is evaluated on none of {', '.join(section.datasets)}; name one it is"
        if not verifiers:
            yield key, f"which verifiers read the steps of {reasoner!r}? One or more"
        for verifier in verifiers:
            score = SCORES.get(study.verifiers[verifier].score) if verifier in study.verifiers else None
            if score is not None and not score.traces:
                yield key, f"{verifier!r} reads no steps; name a verifier that a model reads for"
        if study.has_tuned(reasoner) and study.tuning is not None and study.tuning.dataset in study.datasets:
            yield from _labels(study, "tuning.dataset", study.tuning.dataset)


def _labels(study: Study, key: str, name: str) -> Iterator[tuple[str, str]]:
    source = study.datasets[name].source
    if source in SOURCES and SOURCES[source].step_labels is None:
        known = [one for one, record in SOURCES.own.items() if record.step_labels is not None]
        yield (
            key,
            f"nobody has labelled steps of {name!r} (source {source!r}); {', '.join(known)} have exact "
            "labels, and rlv.evaluation.first_errors takes any table of labels in Python",
        )
