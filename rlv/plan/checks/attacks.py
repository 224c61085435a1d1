"""Whether the attacks of a study can be made, and its verifiers can read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rlv.attacks import ATTACKS
from rlv.figures import FIGURES
from rlv.plan.attacks import attacked
from rlv.plan.checks.names import broken_method, unknown
from rlv.plan.checks.readers import broken_readers
from rlv.scoring import SCORES

if TYPE_CHECKING:
    from rlv.study.types import Study


def broken_attacks(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of every fault of the section `attacks`. parts.py runs first."""
    section = study.attacks
    if section is None:
        return
    yield from broken_readers(study, "attacks", section.readers)
    for dataset in section.datasets:
        yield from unknown("attacks.datasets", dataset, study.datasets, "data set")
    for reasoner, verifiers in section.readers.items():
        for verifier in verifiers:
            yield from _reader(study, f"attacks.readers.{reasoner}", verifier)
    for name in section.attacks:
        yield from broken_method("attacks.attacks", name, ATTACKS, "attack")
        yield from _sources(study, name)
    there = dict.fromkeys(dataset for _, _, dataset in attacked(study))
    for name, figure in study.figures.items():
        if FIGURES[figure.drawing or name].needs == "attacks":
            for dataset in figure.datasets:
                yield from unknown(f"figures.{name}.datasets", dataset, there, "attacked data set")
    if not there:
        yield (
            "attacks.readers",
            "nothing is attacked; name a reasoner that is evaluated on one of these data sets, with a "
            "verifier that reads with a model",
        )


def _reader(study: Study, key: str, verifier: str) -> Iterator[tuple[str, str]]:
    """Complaints about a verifier that cannot read an attack."""
    entry = study.verifiers[verifier]
    score = entry.score
    if SCORES[score].loads_no_model:
        yield (
            key,
            f"{verifier!r} has score {score!r}, which reads no text: it is about how a solution was sampled "
            "or comes with its file, and nobody sampled an attack; expected a score that a model reads",
        )
    elif entry.aggregate is not None:
        yield (
            key,
            f"{verifier!r} has `aggregate`, of values along sampled solutions; expected a verifier that "
            "reads at the end",
        )


def _sources(study: Study, name: str) -> Iterator[tuple[str, str]]:
    """Complaints about an attack that is not for the source of an attacked data set."""
    sources = ATTACKS[name].sources
    for dataset in dict.fromkeys(dataset for _, _, dataset in attacked(study)):
        source = study.datasets[dataset].source
        if sources and source not in sources:
            yield (
                "attacks.attacks",
                f"{name!r} is for problems of {', '.join(sources)}, and {dataset!r} has source {source!r}; "
                "leave it out, or name other data sets (attacks.datasets)",
            )
