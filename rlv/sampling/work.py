"""What the stages `sample` and `force` have a model do, before they run. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rlv.job.assumptions import Assumptions
from rlv.job.work import Memory, Pass, Positions, Size, Work, budget_of, first_model, tokens
from rlv.store import Artifact

# Keys of a study that make a part smaller.
HELPS = {
    "engine weights": ("tensor_parallel (engine vllm)",),
    "KV cache": ("max_batch", "max_tokens", "tensor_parallel (engine vllm)"),
}


def gpus(artifact: Artifact) -> int:
    """GPUs that share one model: only vLLM divides it."""
    return int(artifact.how["tensor_parallel"]) if artifact.params.get("engine") == "vllm" else 1


def shard_size(params: Mapping[str, Any]) -> tuple[int, int]:
    """(problems, solutions) of one shard of samples."""
    (first_problem, last_problem), (first_sample, last_sample) = params["problems"], params["samples"]
    problems = last_problem - first_problem
    return problems, problems * (last_sample - first_sample)


def ends(sampled: Artifact, budgets: Sequence[int], assumed: Assumptions) -> list[int]:
    """The positions where solutions end at each budget."""
    length = assumed.solution_tokens(sampled.params["max_tokens"])
    return [assumed.prompt_tokens + min(budget, length) for budget in budgets]


def _sample(artifact: Artifact, assumed: Assumptions) -> list[Pass]:
    problems, solutions = shard_size(artifact.params)
    end = assumed.prompt_tokens + assumed.solution_tokens(artifact.params["max_tokens"])
    return [
        Pass("read", problems, 0, assumed.prompt_tokens, problems),
        Pass("written", solutions, assumed.prompt_tokens, end, solutions),
    ]


def _force(artifact: Artifact, assumed: Assumptions) -> list[Pass]:
    p, sampled = artifact.params, artifact.inputs["samples"]
    _, n = shard_size(sampled.params)
    made = []
    for end in ends(sampled, p["budgets"], assumed):
        made.append(Pass("read", n, 0, end, n))
        made.append(Pass("written", n, end, end + p["answer_tokens"], n))
    return made


def slots_bytes(size: Size, rows: int, positions: int) -> float:
    """The transformers engine's cache: all rows at full length, and one spare buffer (kv_slots.py)."""
    return rows * positions * size.kv_bytes * (1 + 1 / (2 * size.layers))


def engine_memory(artifact: Artifact, size: Size, assumed: Assumptions, device: float | None) -> list[Memory]:
    """Memory of a job that runs an engine, on each of the GPUs that share the model."""
    parts, p, how = gpus(artifact), artifact.params, artifact.how
    longest = assumed.prompt_tokens + budget_of(artifact) + p.get("answer_tokens", 0)
    chain = p.get("chain_tokens", 0)  # of a judge that writes them
    longest += assumed.chain_instruction_tokens + chain if chain else assumed.instruction_tokens
    if p.get("engine") == "vllm":
        # It runs the sequences that fit and lets the rest wait; one is what it cannot do without.
        cache = longest * size.kv_bytes / parts
    else:
        cache = slots_bytes(size, int(how.get("max_batch", 1)), longest)
    held = {"engine weights": size.weights / parts, "KV cache": cache}
    return [Memory("sampling", held, helps=HELPS)]


def _stored(artifact: Artifact, passes: list[Pass], size: Size, assumed: Assumptions) -> float:
    return tokens(passes, "written") * assumed.text_bytes_per_token


def _sampled(artifact: Artifact, passes: list[Pass], size: Size, assumed: Assumptions) -> float:
    kept = tokens(passes, "written") * assumed.logprob_bytes_per_token
    return _stored(artifact, passes, size, assumed) + kept


def positions(artifact: Artifact) -> Positions:
    """Positions of the solutions that a shard holds: as sampled, or cut at budgets with a forced answer."""
    p = artifact.params
    if "budgets" in p:
        return Positions(max(p["budgets"]) + int(p["answer_tokens"]), forced=p["answer_format"])
    return Positions(int(p["max_tokens"]))


def keys(artifact: Artifact, setting: str) -> tuple[str, ...]:
    """Keys of a setting (see `Work`): the model's own, else the study's; budgets replace `max_tokens`."""
    if setting == "max_tokens" and "budgets" in artifact.params:
        return ("lengths.budgets",)
    return (f"models.{first_model(artifact).name}.sampling.{setting}", f"sampling.{setting}")


SAMPLE = Work(_sample, engine_memory, _sampled, positions=positions, keys=keys)
FORCE = Work(_force, engine_memory, _stored, positions=positions, keys=keys)
