"""One verifier's scores of one table of solutions: which artifact they are, by what the score reads."""

from __future__ import annotations

from rlv.plan.builder import Builder
from rlv.plan.external import step_rule
from rlv.plan.methods import brought
from rlv.scoring import CHAIN_KEYS, SCORES, end
from rlv.store import Artifact


def scored(
    chain: Builder, reasoner: str, dataset: str, verifier: str, solutions: Artifact, name: str
) -> Artifact:
    """A verifier's scores of a reasoner's solutions, as the artifact `name`."""
    entry = chain.study.verifiers[verifier]
    params = {"score": entry.score, **brought(SCORES, entry.score, "score_package")}
    if SCORES[entry.score].is_given:
        params |= {"column": entry.column or verifier} | ({"free": True} if entry.free else {})
        return chain.make("score", name, params, {"samples": solutions})
    if SCORES[entry.score].loads_no_model:
        choice = {"choice": chain.confidence(reasoner, verifier)} if SCORES[entry.score].is_chosen else {}
        return chain.make("score", name, params, {"samples": solutions, **choice})
    reader = reasoner if entry.reasoner == "self" else entry.reasoner
    params |= chain.asked(reader, dataset)
    if SCORES[entry.score].places is not end:
        params["step_rule"] = step_rule(chain.study.datasets[dataset])
    if entry.engine != "transformers":
        params["engine"] = entry.engine
    sampling = chain.study.sampling_of(reader)
    how = {"tensor_parallel": sampling.tensor_parallel}
    if SCORES[entry.score].writes:
        params |= {key: getattr(entry, key) for key in CHAIN_KEYS} | {"seed": sampling.seed}
        how["max_batch"] = sampling.max_batch
    theirs = chain.study.reasoners[reasoner].samples is not None
    inputs = {
        "model": chain.reasoner(reader),
        "problems": solutions if theirs else chain.problems(dataset),
        "samples": solutions,
    }
    return chain.make("score", name, params, inputs, how)
