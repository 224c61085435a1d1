"""What the stages `score` and `trace` have a model do, before they run. Imports no torch."""

from __future__ import annotations

from dataclasses import replace

from rlv.job.assumptions import Assumptions
from rlv.job.work import Memory, Pass, Positions, Size, Work, budget_of
from rlv.models.work import layer_bytes
from rlv.sampling import work as sampling
from rlv.scoring import PLACES, SCORES, Score
from rlv.store import Artifact

_ROW_BYTES = 16
_PLACE_BYTES = 12


def gpus(artifact: Artifact) -> int:
    """GPUs of one job: those that share the model, none if there is no model."""
    return 0 if _reads_nothing(artifact) else sampling.gpus(artifact)


def _score(artifact: Artifact) -> Score:
    return SCORES[artifact.params["score"]]


def _reads_nothing(artifact: Artifact) -> bool:
    """Whether tables are all that a job reads: also those of a trace, for which a model has read before."""
    return _score(artifact).loads_no_model or "aggregate" in artifact.params


def _is_imported(artifact: Artifact) -> bool:
    """Whether others sampled the solutions: how many and how long they are is known once they are read."""
    read = artifact.inputs["samples"]
    return "max_tokens" not in read.inputs.get("samples", read).params


def _passes(artifact: Artifact, assumed: Assumptions) -> list[Pass]:
    score = _score(artifact)
    if _reads_nothing(artifact) or _is_imported(artifact):
        return []
    places = PLACES[artifact.params["places"]] if "places" in artifact.params else None
    read = artifact.inputs["samples"]
    sampled = read.inputs.get("samples", read)  # cut solutions are made from whole ones
    _, n = sampling.shard_size(sampled.params)
    budgets = read.params.get("budgets", [sampled.params["max_tokens"]])
    more = _instruction(score, assumed) + read.params.get("answer_tokens", 0)
    made = []
    for end in sampling.ends(sampled, budgets, assumed):
        if score.writes:
            made += _chains(artifact, n, end + more, assumed)
            continue
        sequences = n * score.readings(end - assumed.prompt_tokens, assumed, places)
        made.append(Pass("read", sequences, 0, end + more, n))
    return made


def _chains(artifact: Artifact, solutions: int, start: int, assumed: Assumptions) -> list[Pass]:
    """Chains that follow `start` positions: these are read, chains written, and read where they end."""
    n = solutions * artifact.params["draws"]
    stop = start + assumed.solution_tokens(artifact.params["chain_tokens"])
    return [
        Pass("read", solutions, 0, start, solutions),
        Pass("written", n, start, stop, n),
        Pass("read", n, 0, stop, n),
    ]


def _instruction(score: Score, assumed: Assumptions) -> int:
    return assumed.chain_instruction_tokens if score.writes else assumed.instruction_tokens


def _memory(artifact: Artifact, size: Size, assumed: Assumptions, device: float | None) -> list[Memory]:
    if _reads_nothing(artifact) or _is_imported(artifact):
        return []
    if artifact.params.get("engine") == "vllm":  # it keeps a cache also of tokens that are only read
        return sampling.engine_memory(artifact, size, assumed, device)
    score = _score(artifact)
    longest = assumed.prompt_tokens + budget_of(artifact) + _instruction(score, assumed)
    longest += artifact.params.get("chain_tokens", 0)
    written = sampling.engine_memory(artifact, size, assumed, device) if score.writes else []
    return [*written, scoring_memory(size, score.padded_tokens["cuda"], longest)]


def scoring_memory(size: Size, padded_tokens: int, longest: int) -> Memory:
    """Scoring with transformers: one pass at a time over `padded_tokens` (Score), which keeps no cache."""
    tokens = max(padded_tokens, longest)
    held = {"engine weights": size.weights, "activations": tokens * layer_bytes(size)}
    return Memory("scoring", held, helps=sampling.HELPS)


def _stored(artifact: Artifact, passes: list[Pass], size: Size, assumed: Assumptions) -> float:
    # A row a solution, however often it is read, and whatever else is read or written for it.
    rows = passes[::3] if _score(artifact).writes else passes
    places = sum(p.sequences for p in rows) * _PLACE_BYTES if "places" in artifact.params else 0
    return sum(p.together for p in rows) * _ROW_BYTES + places


def _positions(artifact: Artifact) -> Positions | None:
    if _reads_nothing(artifact) or _is_imported(artifact):
        return None
    solutions = sampling.positions(artifact.inputs["samples"])
    score, chain = _score(artifact), artifact.params.get("chain_tokens", 0)
    return replace(solutions, instructed=score.asks, chain=chain)


def _keys(artifact: Artifact, setting: str) -> tuple[str, ...]:
    if setting == "max_tokens":
        return sampling.keys(artifact.inputs["samples"], setting)
    verifier = f"verifiers.{artifact.name.split('-')[2]}"  # REASONER-DATASET-VERIFIER-…
    return (f"{verifier}.engine" if setting == "engine" else verifier,)


# Of both stages: a trace has the parameter `places`.
SCORE = Work(_passes, _memory, _stored, positions=_positions, keys=_keys)
