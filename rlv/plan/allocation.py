"""Allocations of a study: which solutions and scores each is made of, and what reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlv.evaluation.allocation.bins import DIFFICULTIES
from rlv.evaluation.votes import VOTES
from rlv.plan.methods import brought
from rlv.plan.naming import numbered
from rlv.scoring import SCORES
from rlv.store import Artifact

if TYPE_CHECKING:
    from rlv.plan.chain import Chain
    from rlv.study.types import Study


def readers_of(study: Study) -> dict[str, tuple[str, ...]]:
    """Reasoner -> the verifiers that an allocation reads, as the study's section has it or its defaults."""
    assert study.allocation is not None
    if study.allocation.readers:
        return dict(study.allocation.readers)
    compared = {r: None for c in study.comparisons.values() for r in (c.base, c.rl_v)}
    listed = {r: study.reasoners[r].verifiers for r in compared or study.reasoners}
    return {reasoner: verifiers for reasoner, verifiers in listed.items() if verifiers}


def allocated_on(study: Study, reasoner: str) -> tuple[str, ...]:
    """The data sets of a reasoner's allocations."""
    assert study.allocation is not None
    asked = study.allocation.datasets
    return tuple(d for d in study.reasoners[reasoner].evaluate_on if not asked or d in asked)


def chains_of(study: Study) -> dict[str, list[str]]:
    """Reasoner -> those verifiers of its allocations that reason before they judge; empty without any."""
    if study.allocation is None:
        return {}
    return {
        reasoner: [v for v in verifiers if SCORES[study.verifiers[v].score].writes]
        for reasoner, verifiers in readers_of(study).items()
    }


def allocations(chain: Chain) -> list[Artifact]:
    """Every allocation that the study asks for; none without its section."""
    study = chain.study
    if study.allocation is None:
        return []
    return [
        _allocation(chain, reasoner, dataset, verifiers)
        for reasoner, verifiers in readers_of(study).items()
        for dataset in allocated_on(study, reasoner)
    ]


def _allocation(chain: Chain, reasoner: str, dataset: str, verifiers: tuple[str, ...]) -> Artifact:
    study, section = chain.study, chain.study.allocation
    assert section is not None
    solutions = chain.grade(reasoner, dataset, False)
    inputs = {"solutions": solutions, "problems": solutions.inputs["problems"]}
    for verifier in verifiers:
        inputs |= numbered(f"scores:{verifier}", chain.scores(reasoner, dataset, verifier))
    half = study.solutions_of(reasoner) // 2
    params = {
        "dataset": dataset,
        "reasoner": reasoner,
        "verifiers": list(verifiers),
        **section.model_dump(mode="json", exclude={"datasets", "readers"}),
        **study.evaluation.model_dump(mode="json", include={"subsets", "draws", "seed"}),
        "ns": [n for n in study.evaluation.ns if n <= half],
    }
    # Judges with several verdicts of a solution: their table of these is read, too.
    several = {
        v: study.verifiers[v].draws for v in chains_of(study)[reasoner] if study.verifiers[v].draws > 1
    }
    if several:
        params["chains"] = several
    for registry, names in ((VOTES, section.strategies), (DIFFICULTIES, section.difficulties)):
        for name in names:
            params |= brought(registry, name, f"package:{name}")
    return chain.make("allocate", f"{dataset}-{reasoner}", params, inputs)
