"""What the stages `train` and `overhead` have a model do, before they run. Imports no torch.

What a GPU must hold for it is in memory.py.
"""

from __future__ import annotations

from rlv.job.assumptions import Assumptions
from rlv.job.work import Memory, Pass, Positions, Size, Work, budget_of
from rlv.store import Artifact
from rlv.training import memory
from rlv.training.objectives import OBJECTIVES
from rlv.training.origin import Origin

# The shortest step that is counted as one, in tokens.
SHORTEST_STEP = 8
# Checkpoints that stand at the same time: the last two, and the one being written (checkpoints.py).
_CHECKPOINTS = 3


def _rollout(artifact: Artifact, times: int, updates: int, assumed: Assumptions) -> list[Pass]:
    """`times` batches sampled, valued, and learned from `updates` times each."""
    p, prompt = artifact.params, assumed.prompt_tokens
    batch = p["problems_per_step"] * p["solutions_per_problem"]
    length = assumed.solution_tokens(p["max_tokens"])
    end = prompt + length
    made = [
        Pass("read", times * p["problems_per_step"], 0, prompt, p["problems_per_step"]),
        Pass("written", times * batch, prompt, end, batch),
    ]
    if "continuations" in p:
        # A step begins anywhere in a solution, so half of it is left to write on average.
        steps = min(assumed.steps_per_solution, p.get("valued_steps") or assumed.steps_per_solution)
        written = batch * max(1, min(steps, length // SHORTEST_STEP)) * p["continuations"]
        made.append(Pass("written", times * written, prompt + length // 2, end, written))
    if p["kl_coefficient"] > 0:
        made.append(Pass("read", times * batch, 0, end, batch))
    if Origin.of(artifact).policy_learns and p["epochs"] * p["minibatches"] > 1:
        made.append(Pass("read", times * batch, 0, end, batch))  # by the policy that sampled
    return [*made, _learned(artifact, times * updates, batch, assumed)]


def _learned(artifact: Artifact, times: int, batch: int, assumed: Assumptions) -> Pass:
    stop = assumed.prompt_tokens + assumed.solution_tokens(budget_of(artifact))
    if artifact.params["verification_coefficient"] > 0:
        stop += assumed.instruction_tokens
    return Pass("learned", times * batch, 0, stop, batch, bool(artifact.how.get("gradient_checkpointing")))


def _train(artifact: Artifact, assumed: Assumptions) -> list[Pass]:
    epochs, of = artifact.params["epochs"], artifact.inputs.get("rollouts", artifact).params
    if Origin.of(artifact).sampled:
        return _rollout(artifact, of["steps"], epochs, assumed)
    batch = of["problems_per_step"] * of["solutions_per_problem"]
    return [_learned(artifact, of["steps"] * epochs, batch, assumed)]


def _overhead(artifact: Artifact, assumed: Assumptions) -> list[Pass]:
    # Every batch is learned from twice: with the verification objective and without.
    p = artifact.params
    return _rollout(artifact, p["repeats"], 2 * p["epochs"], assumed)


def _train_memory(artifact: Artifact, size: Size, assumed: Assumptions, device: float | None) -> list[Memory]:
    params, how = {**artifact.params, "max_tokens": budget_of(artifact)}, artifact.how
    origin, prompt = Origin.of(artifact), assumed.prompt_tokens
    made = memory.training_memory(size, params, how, prompt, origin=origin, device=device)
    return memory.with_help(made, how)


def _overhead_memory(
    artifact: Artifact, size: Size, assumed: Assumptions, device: float | None
) -> list[Memory]:
    params, how = {**artifact.params, "max_tokens": budget_of(artifact)}, {**artifact.how, "ranks": 1}
    second, prompt = memory.second_learner_bytes(size, how), assumed.prompt_tokens
    made = memory.training_memory(size, params, how, prompt, device=device, second_learner=second)
    return memory.with_help(made, how, one_gpu=True)


def _stored(artifact: Artifact, passes: list[Pass], size: Size, assumed: Assumptions) -> float:
    """Weights and, of a run that samples, the token ids of its solutions, without their text."""
    recorded = 0
    if Origin.of(artifact).sampled:
        # The first are the solutions themselves; continuations for values are not kept.
        recorded = next((p.tokens for p in passes if p.kind == "written"), 0)
    return size.weights + recorded * assumed.text_bytes_per_token / 2


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
    if setting == "max_tokens" and not Origin.of(artifact).sampled:
        return (f"reasoners.{artifact.inputs['rollouts'].name}.training.max_tokens",)
    return (f"reasoners.{artifact.name}.training.{setting}", f"training.{setting}")


TRAIN = Work(_train, _train_memory, _stored, _checkpoints, _positions, _keys)
OVERHEAD = Work(_overhead, _overhead_memory, positions=_positions, keys=_keys)
