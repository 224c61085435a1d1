"""Stopping rules in the plan: one artifact a reasoner, data set and verifier of the section `stopping`."""

from __future__ import annotations

from typing import Any

from rlv.evaluation.stopping.prunes import PRUNES
from rlv.evaluation.stopping.rules import STOPS, usual
from rlv.plan.chain import Chain
from rlv.plan.methods import brought
from rlv.plan.naming import numbered
from rlv.store import Artifact


def stops(chain: Chain) -> list[Artifact]:
    """All replays of stopping rules: of each reasoner without a verifier, and with each of its readers."""
    section = chain.study.stopping
    if section is None:
        return []
    return [
        _stop(chain, reasoner, dataset, verifier)
        for reasoner, verifiers in section.readers.items()
        for dataset in section.datasets
        for verifier in ("", *verifiers)
    ]


def _stop(chain: Chain, reasoner: str, dataset: str, verifier: str) -> Artifact:
    study, section = chain.study, chain.study.stopping
    assert section is not None
    n_max = section.n_max or study.solutions_of(reasoner) // 2
    rules = section.rules or usual(n_max)
    params: dict[str, Any] = {
        "dataset": dataset,
        "reasoner": reasoner,
        "verifier": verifier,
        "rules": list(rules),
        "n_max": n_max,
        "orders": section.orders,
        "batch": section.batch,
        "draws": study.evaluation.draws,
        "seed": study.evaluation.seed,
    }
    for rule in rules:
        params |= brought(STOPS, rule, f"rule_package:{rule}")
    inputs = {"solutions": chain.grade(reasoner, dataset, False)}
    if section.prunes and not verifier:
        params |= {"prunes": list(section.prunes), "window": section.window, "warm_up": section.warm_up}
        for prune in section.prunes:
            params |= brought(PRUNES, prune, f"prune_package:{prune}")
        sampled = [chain.sample(reasoner, dataset, shard) for shard in chain.shards(reasoner, dataset)]
        inputs |= numbered("samples", sampled)
    if verifier:
        inputs |= numbered("scores", chain.scores(reasoner, dataset, verifier))
        if study.has_tuned(reasoner) and any(STOPS[rule].needs for rule in rules):
            inputs |= chain.tuned(reasoner, verifier)
    return chain.make("stop", f"{dataset}-{reasoner}-{verifier or 'votes'}", params, inputs)
