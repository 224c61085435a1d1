"""One verifier's scores of one table of solutions: which artifact they are, by what the score reads."""

from __future__ import annotations

from typing import Any

from rlv.plan.builder import Builder
from rlv.plan.external import step_rule
from rlv.plan.methods import brought
from rlv.scoring import CHAIN_KEYS, SCORES, end
from rlv.scoring.aggregations import AGGREGATIONS
from rlv.store import Artifact
from rlv.study.types import Study, Verifier

# Where a verifier reads along solutions, if a study does not say.
PLACES = "steps"


def scored(
    chain: Builder, reasoner: str, dataset: str, verifier: str, solutions: Artifact, name: str
) -> Artifact:
    """A verifier's scores of a reasoner's solutions, as the artifact `name`."""
    entry = chain.study.verifiers[verifier]
    params = {"score": entry.score, **brought(SCORES, entry.score, "score_package")}
    if entry.aggregate is not None:
        params["aggregate"] = entry.aggregate
        params |= brought(AGGREGATIONS, entry.aggregate, "aggregate_package")
        if not SCORES[entry.score].is_given:
            trace = traced(chain, reasoner, dataset, verifier, solutions, name)
            return chain.make("score", name, params, {"samples": solutions, "trace": trace})
    if SCORES[entry.score].is_given:
        params |= {"column": entry.column or verifier} | ({"free": True} if entry.free else {})
        return chain.make("score", name, params, {"samples": solutions})
    if SCORES[entry.score].loads_no_model:
        choice = {"choice": chain.confidence(reasoner, verifier)} if SCORES[entry.score].is_chosen else {}
        return chain.make("score", name, params, {"samples": solutions, **choice})
    stepwise = SCORES[entry.score].places is not end
    params |= _asked(chain, reasoner, dataset, entry, stepwise)
    sampling = chain.study.sampling_of(_reader(reasoner, entry))
    how = {"tensor_parallel": sampling.tensor_parallel}
    if SCORES[entry.score].writes:
        params |= {key: getattr(entry, key) for key in CHAIN_KEYS} | {"seed": sampling.seed}
        how["max_batch"] = sampling.max_batch
    return chain.make("score", name, params, _inputs(chain, reasoner, dataset, entry, solutions), how)


def traced(
    chain: Builder,
    reasoner: str,
    dataset: str,
    verifier: str,
    solutions: Artifact,
    name: str,
    places: str | None = None,
) -> Artifact:
    """A verifier's values along a reasoner's solutions; `name`: of its scores; `places`: if not its own.

    Verifiers that read the same have the same, which is called by the first of them.
    """
    entry = chain.study.verifiers[verifier]
    places = places or entry.places or PLACES
    params = {"score": entry.score, **brought(SCORES, entry.score, "score_package"), "places": places}
    params |= _asked(chain, reasoner, dataset, entry, places == "steps")
    how = {"tensor_parallel": chain.study.sampling_of(_reader(reasoner, entry)).tensor_parallel}
    rest = name.removeprefix(f"{reasoner}-{dataset}-{verifier}")
    named = f"{reasoner}-{dataset}-{_first_alike(chain.study, entry)}-{places}{rest}"
    return chain.make("trace", named, params, _inputs(chain, reasoner, dataset, entry, solutions), how)


def _first_alike(study: Study, entry: Verifier) -> str:
    """The first verifier of a study that asks the same reader in the same way."""

    def reading(one: Verifier) -> tuple[str, str, str]:
        return one.score, one.reasoner, one.engine

    return next(name for name, one in study.verifiers.items() if reading(one) == reading(entry))


def _reader(reasoner: str, entry: Verifier) -> str:
    return reasoner if entry.reasoner == "self" else entry.reasoner


def _asked(chain: Builder, reasoner: str, dataset: str, entry: Verifier, stepwise: bool) -> dict[str, Any]:
    """The parameters that decide what a verifier reads of a solution, and what runs it."""
    params = chain.asked(_reader(reasoner, entry), dataset)
    if stepwise:
        params["step_rule"] = step_rule(chain.study.datasets[dataset])
    if entry.engine != "transformers":
        params["engine"] = entry.engine
    return params


def _inputs(
    chain: Builder, reasoner: str, dataset: str, entry: Verifier, solutions: Artifact
) -> dict[str, Artifact]:
    theirs = chain.study.reasoners[reasoner].samples is not None
    return {
        "model": chain.reasoner(_reader(reasoner, entry)),
        "problems": solutions if theirs else chain.problems(dataset),
        "samples": solutions,
    }
