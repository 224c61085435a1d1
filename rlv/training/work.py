"""What the stages `train` and `overhead` have a model do, before they run. Imports no torch.

What a GPU must hold for it is in memory.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlv.job.work import Memory, Pass, Positions, Size, Texts, Work, budget_of
from rlv.store import Artifact
from rlv.training import memory
from rlv.training.objectives import OBJECTIVES

# The shortest step that is counted as one, in tokens.
SHORTEST_STEP = 8
# Checkpoints that stand at the same time: the last two, and the one being written (checkpoints.py).
_CHECKPOINTS = 3


def _rollout(p: Mapping[str, Any], how: Mapping[str, Any], times: int, updates: int, t: Texts) -> list[Pass]:
    """`times` batches sampled, valued, and learned from `updates` times each."""
    batch = p["problems_per_step"] * p["solutions_per_problem"]
    length = t.length(p["max_tokens"])
    end = t.prompt + length
    made = [
        Pass("read", times * p["problems_per_step"], 0, t.prompt, p["problems_per_step"]),
        Pass("written", times * batch, t.prompt, end, batch),
    ]
    if "continuations" in p:
        # A step begins anywhere in a solution, so half of it is left to write on average.
        steps = min(t.steps, p.get("valued_steps") or t.steps)
        written = batch * max(1, min(steps, length // SHORTEST_STEP)) * p["continuations"]
        made.append(Pass("written", times * written, t.prompt + length // 2, end, written))
    if p["kl_coefficient"] > 0:
        made.append(Pass("read", times * batch, 0, end, batch))
    if p["epochs"] * p["minibatches"] > 1:
        made.append(Pass("read", times * batch, 0, end, batch))  # by the policy that sampled
    return [*made, _learned(p, how, times * batch * updates, length, batch, t)]


def _learned(
    p: Mapping[str, Any], how: Mapping[str, Any], sequences: int, length: int, together: int, t: Texts
) -> Pass:
    stop = t.prompt + length + (t.instruction if p["verification_coefficient"] > 0 else 0)
    return Pass("learned", sequences, 0, stop, together, bool(how.get("gradient_checkpointing")))


def _train(artifact: Artifact, texts: Texts) -> list[Pass]:
    p, how, recorder = artifact.params, artifact.how, artifact.inputs.get("rollouts")
    if recorder is None:
        return _rollout(p, how, p["steps"], p["epochs"], texts)
    of = recorder.params
    batch = of["problems_per_step"] * of["solutions_per_problem"]
    length = texts.length(of["max_tokens"])
    return [_learned(p, how, of["steps"] * batch * p["epochs"], length, batch, texts)]


def _overhead(artifact: Artifact, texts: Texts) -> list[Pass]:
    # Every batch is learned from twice: with the verification objective and without.
    p = artifact.params
    return _rollout(p, artifact.how, p["repeats"], 2 * p["epochs"], texts)


def _train_memory(artifact: Artifact, size: Size, texts: Texts, device: float | None) -> list[Memory]:
    params, how = {**artifact.params, "max_tokens": budget_of(artifact)}, artifact.how
    recorded = "rollouts" in artifact.inputs
    made = memory.training_memory(size, params, how, texts.prompt, recorded=recorded, device=device)
    return memory.with_help(made, how)


def _overhead_memory(artifact: Artifact, size: Size, texts: Texts, device: float | None) -> list[Memory]:
    params, how = {**artifact.params, "max_tokens": budget_of(artifact)}, {**artifact.how, "ranks": 1}
    second = memory.second_learner_bytes(size, how)
    made = memory.training_memory(size, params, how, texts.prompt, device=device, second_learner=second)
    return memory.with_help(made, how, one_gpu=True)


def _stored(artifact: Artifact, passes: list[Pass], size: Size, texts: Texts) -> float:
    """Weights and, of a run that samples, the token ids of its solutions, without their text."""
    recorded = 0
    if "rollouts" not in artifact.inputs:
        # The first are the solutions themselves; continuations for values are not kept.
        recorded = next((p.tokens for p in passes if p.kind == "written"), 0)
    return size.weights + recorded * texts.token_bytes / 2


def _checkpoints(artifact: Artifact, size: Size) -> float:
    """Weights, and AdamW's moments and float32 copy."""
    optimizer = 12 if memory.running_stage(artifact.how, size.dtype) >= 1 else 8
    return _CHECKPOINTS * size.parameters * (size.element + optimizer)


def _positions(artifact: Artifact) -> Positions:
    p = artifact.params
    verifies = p.get("verification_coefficient", 0) > 0
    instructed = verifies and OBJECTIVES[p["verification_objective"]].instructed
    return Positions(budget_of(artifact), instructed=instructed)


def _keys(artifact: Artifact, setting: str) -> tuple[str, ...]:
    if setting == "verification":
        return (f"reasoners.{artifact.name}.verification",)
    if setting == "max_tokens" and "rollouts" in artifact.inputs:
        return (f"reasoners.{artifact.inputs['rollouts'].name}.training.max_tokens",)
    return (f"reasoners.{artifact.name}.training.{setting}", f"training.{setting}")


TRAIN = Work(_train, _train_memory, _stored, _checkpoints, _positions, _keys)
OVERHEAD = Work(_overhead, _overhead_memory, positions=_positions, keys=_keys)
