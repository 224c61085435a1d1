"""What a plan can cost in tokens, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rlv.store import Artifact

if TYPE_CHECKING:
    from rlv.plan import Plan


def token_costs(plan: Plan) -> Iterator[tuple[Artifact, int]]:
    """(artifact, tokens of solutions that a model writes or reads for it), from the length budgets.

    Solutions may end before their budget. Not counted: prompts, and the Monte-Carlo continuations of methods
    that need values, whose number depends on the steps that solutions have.
    """
    for artifact in plan.artifacts.values():
        p = artifact.params
        if artifact.stage == "train":
            recorder = artifact.inputs.get("rollouts")
            of = p if recorder is None else recorder.params
            batch = of["problems_per_step"] * of["solutions_per_problem"] * of["max_tokens"]
            passes = p["epochs"] if recorder is not None else 1 + p["epochs"] + (p["kl_coefficient"] > 0)
            yield artifact, of["steps"] * batch * passes
        elif artifact.stage == "overhead":
            batch = p["problems_per_step"] * p["solutions_per_problem"] * p["max_tokens"]
            yield artifact, p["repeats"] * batch * 3
        elif artifact.stage == "sample":
            yield artifact, _solutions(p) * p["max_tokens"]
        elif artifact.stage == "force":
            sampled = artifact.inputs["samples"].params
            yield artifact, _solutions(sampled) * len(p["budgets"]) * p["answer_tokens"]
        elif artifact.stage == "score":
            read = artifact.inputs["samples"]
            cut = read.stage == "force"
            sampled = read.inputs["samples"].params if cut else read.params
            times = len(read.params["budgets"]) if cut else 1
            yield artifact, _solutions(sampled) * times * sampled["max_tokens"]
        else:
            yield artifact, 0


def _solutions(shard: Mapping[str, Any]) -> int:
    (first_problem, last_problem), (first_sample, last_sample) = shard["problems"], shard["samples"]
    return (last_problem - first_problem) * (last_sample - first_sample)
