"""The artifacts of the section `first_errors`: what verifiers read at steps, beside exact labels."""

from __future__ import annotations

from rlv.plan.chain import Chain
from rlv.plan.external import step_rule
from rlv.plan.methods import brought
from rlv.plan.naming import numbered
from rlv.problems import SOURCES
from rlv.store import Artifact


def located(chain: Chain, datasets: tuple[str, ...] = ()) -> list[Artifact]:
    """One artifact a reasoner and data set of the section, or of these `datasets`; none without it."""
    section = chain.study.first_errors
    if section is None:
        return []
    return [
        _locate(chain, reasoner, dataset)
        for reasoner in section.readers
        for dataset in section.datasets
        if dataset in chain.study.reasoners[reasoner].evaluate_on and (not datasets or dataset in datasets)
    ]


def _locate(chain: Chain, reasoner: str, dataset: str) -> Artifact:
    section, evaluation = chain.study.first_errors, chain.study.evaluation
    assert section is not None
    described = chain.study.datasets[dataset]
    verifiers = section.readers[reasoner]
    params = {
        "dataset": dataset,
        "reasoner": reasoner,
        "verifiers": list(verifiers),
        "source": described.source,
        **brought(SOURCES, described.source, "source_package"),
        "step_rule": step_rule(described),
        "draws": evaluation.draws,
        "seed": evaluation.seed,
    }
    inputs = {"problems": chain.problems(dataset), "solutions": chain.grade(reasoner, dataset, False)}
    for verifier in verifiers:
        inputs |= numbered(f"traces:{verifier}", chain.traces(reasoner, dataset, verifier))
    if chain.study.has_tuned(reasoner):
        tuning = chain.study.tuning
        assert tuning is not None
        params |= {
            "tuned_source": chain.study.datasets[tuning.dataset].source,
            "tuned_step_rule": step_rule(chain.study.datasets[tuning.dataset]),
        }
        inputs |= {"tuned_problems": chain.problems(tuning.dataset), **chain.tuned(reasoner)}
        for verifier in verifiers:
            inputs |= numbered(f"tuned_traces:{verifier}", chain.tuned_traces(reasoner, verifier))
    return chain.make("locate", f"{reasoner}-{dataset}", params, inputs)
