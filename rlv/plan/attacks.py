"""Attacks on verifiers: which there are, and what each is made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rlv.attacks import ATTACKS, applying
from rlv.plan.external import step_rule
from rlv.plan.methods import brought
from rlv.plan.naming import numbered
from rlv.scoring import SCORES
from rlv.store import Artifact
from rlv.study.types import Study, Verifier, replica_name

if TYPE_CHECKING:
    from rlv.plan.chain import Chain


def attacked(study: Study) -> Iterator[tuple[str, str, str]]:
    """(reasoner, verifier, data set) of every attack that a study asks for; none without its section."""
    if study.attacks is None:
        return
    for reasoner, verifiers in readers(study).items():
        for dataset in study.reasoners[reasoner].evaluate_on:
            if dataset in (study.attacks.datasets or study.datasets):
                yield from ((reasoner, verifier, dataset) for verifier in verifiers)


def readers(study: Study) -> dict[str, tuple[str, ...]]:
    """Reasoner -> its attacked verifiers: as the section `attacks` says, or all that read with a model."""
    if study.attacks is not None and study.attacks.readers:
        return dict(study.attacks.readers)
    copies = {replica_name(name, seed) for name in study.reasoners for seed in study.seeds}
    found = {
        name: tuple(v for v in entry.verifiers if reads_texts(study.verifiers[v]))
        for name, entry in study.reasoners.items()
        if name not in copies
    }
    return {name: verifiers for name, verifiers in found.items() if verifiers}


def reads_texts(verifier: Verifier) -> bool:
    """Whether a verifier reads any text with a model, at its end."""
    return not SCORES[verifier.score].loads_no_model and verifier.aggregate is None


def attacks(chain: Chain) -> list[Artifact]:
    """All attacks of a study; none without its section."""
    return [attack(chain, *names) for names in attacked(chain.study)]


def attack(chain: Chain, reasoner: str, verifier: str, dataset: str) -> Artifact:
    """What a verifier makes of attacks that pretend to be a reasoner's solutions.

    The threshold that honest right solutions reach is that of the tuning problems if the study names some and
    the reasoner's temperature is not chosen there, else that of the problems that are attacked.
    """
    study = chain.study
    section, described = study.attacks, study.datasets[dataset]
    assert section is not None
    scores = chain.scores(reasoner, dataset, verifier)
    read = scores[0]  # all shards are read alike
    names = list(section.attacks or applying(described.source))
    params: dict[str, Any] = {
        **read.params,
        "dataset": dataset,
        "reasoner": reasoner,
        "verifier": verifier,
        "attacks": names,
        "problems": section.problems,
        "answer_format": described.answer_format,
        "step_rule": step_rule(described),
        "ns": [n for n in study.evaluation.ns if n <= study.solutions_of(reasoner)],
        "resampling_draws": study.evaluation.draws,
        "resampling_seed": study.evaluation.seed,
    }
    for name in names:
        params |= brought(ATTACKS, name, f"attack_package:{name}")
    inputs = {
        "model": read.inputs["model"],
        "problems": read.inputs["problems"],
        "solutions": chain.grade(reasoner, dataset, False),
        **numbered("scores", scores),
    }
    if study.has_tuned(reasoner):
        inputs |= chain.tuned(reasoner, verifier)
    return chain.make("attack", f"{reasoner}-{dataset}-{verifier}", params, inputs, dict(read.how))
