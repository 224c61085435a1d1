"""Models that grade solutions: which there are, and what each job is made from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rlv.attacks import applying
from rlv.graders import GRADERS
from rlv.plan.external import step_rule
from rlv.plan.methods import brought
from rlv.store import Artifact
from rlv.study.types import Study, replica_name

if TYPE_CHECKING:
    from rlv.plan.chain import Chain


def graded(study: Study) -> Iterator[tuple[str, str, str]]:
    """(grader, reasoner, data set) of every table that a study's graders are asked for."""
    copies = {replica_name(name, seed) for name in study.reasoners for seed in study.seeds}
    for grader, entry in study.graders.items():
        for reasoner in entry.reasoners or [name for name in study.reasoners if name not in copies]:
            for dataset in study.reasoners[reasoner].evaluate_on:
                if dataset in (entry.datasets or study.datasets):
                    yield grader, reasoner, dataset


def cross_grades(chain: Chain) -> list[Artifact]:
    """Everything that models grade in a study."""
    return [_cross_grade(chain, *names) for names in graded(chain.study)]


def _cross_grade(chain: Chain, grader: str, reasoner: str, dataset: str) -> Artifact:
    study = chain.study
    entry, described = study.graders[grader], study.datasets[dataset]
    params: dict[str, Any] = {
        "grader": grader,
        "reasoner": reasoner,
        "dataset": dataset,
        "labels": entry.labels,
        **brought(GRADERS, entry.labels, "labels_package"),
        "problems": entry.problems,
        "n": min(entry.n, study.solutions_of(reasoner)),
        "attacks": applying(described.source),
        "answer_format": described.answer_format,
        "step_rule": step_rule(described),
        "resampling_draws": study.evaluation.draws,
        "resampling_seed": study.evaluation.seed,
    }
    solutions = chain.grade(reasoner, dataset, False)
    inputs = {
        "model": chain.model(entry.model),
        "problems": solutions.inputs["problems"],
        "solutions": solutions,
    }
    return chain.make("cross_grade", f"{reasoner}-{dataset}-{grader}", params, inputs)
