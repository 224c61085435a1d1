"""One estimate an artifact: work, time, memory and disk, with the size of the model that it needs.

A trained model has its start model's size. Where a model's size is not known, nothing is guessed: its jobs
say which key would tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rlv.estimate import disk, hours, memory, work
from rlv.estimate.assumptions import Assumptions
from rlv.estimate.gpus import Gpu
from rlv.estimate.hours import Machine
from rlv.estimate.memory import Memory
from rlv.estimate.sizes import Size, size_of
from rlv.plan import Plan
from rlv.scoring import SCORES
from rlv.store import Artifact, Store

# Stages whose jobs need a GPU.
ON_GPU = ("train", "overhead", "sample", "force", "score")


@dataclass(frozen=True)
class Estimate:
    """Of one artifact: bytes, FLOPs and GPU seconds are of the whole job, `memory` of one of its GPUs.

    `unknown`: the key that would tell the model's size; all but tokens is 0 then.
    """

    artifact: Artifact
    passes: tuple[work.Pass, ...]
    gpus: int = 0
    flops: float = 0.0
    gpu_seconds: float = 0.0
    disk: float = 0.0
    checkpoints: float = 0.0
    memory: tuple[Memory, ...] = ()
    unknown: str | None = None
    too_large: tuple[str, ...] = field(default=())

    @property
    def written(self) -> int:
        return work.tokens(self.passes, "written")

    @property
    def read(self) -> int:
        """Tokens read and learned from."""
        return work.tokens(self.passes, "read", "learned")


def start_model(artifact: Artifact) -> Artifact | None:
    """The model that a job's model started from; the artifact itself where it is one."""
    while artifact.stage not in ("model", "pretrain"):
        if "model" not in artifact.inputs:
            return None
        artifact = artifact.inputs["model"]
    return artifact


def estimates(
    plan: Plan, store: Store | None, gpu: Gpu | None, assumed: Assumptions | None = None
) -> list[Estimate]:
    """All artifacts of a plan, in its order; without a GPU there are no hours."""
    assumed = assumed or Assumptions()
    sizes: dict[str, Size | None] = {}
    made = []
    for artifact in plan.artifacts.values():
        model = start_model(artifact)
        if model is not None and model.path not in sizes:
            entry = plan.study.models.get(model.name)
            architecture = entry.architecture if entry is not None else None
            sizes[model.path] = size_of(model, architecture, store)
        made.append(_estimate(artifact, model, sizes, gpu, assumed))
    return made


def _estimate(
    artifact: Artifact,
    model: Artifact | None,
    sizes: Mapping[str, Size | None],
    gpu: Gpu | None,
    assumed: Assumptions,
) -> Estimate:
    size = None if model is None else sizes[model.path]
    if size is not None:
        # No prompt is longer than what the longest solution leaves of the model's positions.
        assumed = replace(assumed, prompt_tokens=_prompt_tokens(artifact, size, assumed))
    passes = work.passes(artifact, assumed)
    if model is None or size is None:
        unknown = None if model is None or model.stage == "pretrain" else f"models.{model.name}.architecture"
        return Estimate(artifact, tuple(passes), unknown=unknown)
    done = Estimate(
        artifact,
        tuple(passes),
        disk=disk.published_bytes(artifact, passes, size, assumed),
        flops=sum(p.flops(size.shape) for p in passes),
    )
    if artifact.stage not in ON_GPU:
        return done
    device = None if gpu is None else gpu.memory_bytes
    done = replace(done, memory=tuple(_memory(artifact, size, assumed, device)), gpus=_gpus(artifact))
    if artifact.stage == "train":
        done = replace(done, checkpoints=disk.checkpoint_bytes(artifact, size))
    if gpu is None:
        return done
    machine, dtype = _machine(artifact, gpu), _dtype(artifact, size)
    spent = sum(hours.seconds(p, size, dtype, machine, assumed) for p in passes) + assumed.start_seconds
    return replace(
        done, gpu_seconds=spent * done.gpus, too_large=_too_large(artifact, done.memory, gpu, assumed)
    )


def _prompt_tokens(artifact: Artifact, size: Size, assumed: Assumptions) -> int:
    longest = _longest(artifact)
    room = size.positions - longest - assumed.instruction_tokens
    return max(1, min(assumed.prompt_tokens, room))


def _longest(artifact: Artifact) -> int:
    """The budget of the solutions that a job writes or reads, in tokens."""
    for role in ("rollouts", "samples"):
        if role in artifact.inputs:
            return _longest(artifact.inputs[role])
    return int(artifact.params.get("max_tokens", 0))


def _gpus(artifact: Artifact) -> int:
    if artifact.stage == "train":
        return int(artifact.how["ranks"])
    if artifact.stage == "overhead" or _engine(artifact) != "vllm":
        return 1
    return int(artifact.how["tensor_parallel"])


def _engine(artifact: Artifact) -> str:
    return str(artifact.params.get("engine", "transformers"))


def _machine(artifact: Artifact, gpu: Gpu) -> Machine:
    """Training copies the model to every rank, engines divide it."""
    n, batch = _gpus(artifact), int(artifact.how.get("max_batch", 256))
    if artifact.stage in ("train", "overhead"):
        return Machine(gpu, _engine(artifact), replicas=n, max_batch=batch)
    return Machine(gpu, _engine(artifact), parts=n, max_batch=batch)


def _dtype(artifact: Artifact, size: Size) -> str:
    """Of the weights that a job computes with: as trained, else as the start model is stored."""
    if artifact.stage in ("train", "overhead"):
        return str(artifact.params.get("dtype", "float32"))
    model = artifact.inputs["model"]
    if model.stage == "train":
        return str(model.params.get("dtype", "float32"))
    return "float32" if "gguf" in model.params else size.dtype


def _memory(artifact: Artifact, size: Size, assumed: Assumptions, device: float | None) -> list[Memory]:
    how, p, prompt = artifact.how, artifact.params, assumed.prompt_tokens
    if artifact.stage in ("train", "overhead"):
        recorded = "rollouts" in artifact.inputs
        params = {**p, "max_tokens": _longest(artifact)}
        if artifact.stage == "overhead":
            return _overhead_memory(size, params, {**how, "ranks": 1}, prompt, device)
        return memory.training_memory(size, params, how, prompt, recorded=recorded, device=device)
    longest = prompt + _longest(artifact) + assumed.instruction_tokens + p.get("answer_tokens", 0)
    dtype, engine = _dtype(artifact, size), _engine(artifact)
    # What transformers reads in one pass keeps no cache; vLLM keeps one in any case.
    if artifact.stage == "score" and engine != "vllm":
        padded_tokens = SCORES[p["score"]].padded_tokens["cuda"]
        return [memory.scoring_memory(size, dtype, padded_tokens, longest)]
    return [memory.engine_memory(size, engine, dtype, int(how.get("max_batch", 1)), longest, _gpus(artifact))]


def _overhead_memory(
    size: Size, params: Mapping[str, Any], how: Mapping[str, Any], prompt: int, device: float | None
) -> list[Memory]:
    """Two learners on one GPU, and the weights that both start from (training/measure.py)."""
    dtype = str(params.get("dtype", "float32"))
    state = memory.state_bytes(size, how, dtype, reference=False)
    second = sum(memory.resting_bytes(state, how, dtype).values()) + state["weights"]
    return memory.training_memory(size, params, how, prompt, device=device, second_learner=second)


def _too_large(
    artifact: Artifact, needed: tuple[Memory, ...], gpu: Gpu, assumed: Assumptions
) -> tuple[str, ...]:
    room = gpu.memory_bytes * assumed.memory_share
    rooms = [room if one.room is None else min(one.room, room) for one in needed]
    return tuple(
        _complaint(artifact, one, gpu, r) for one, r in zip(needed, rooms, strict=True) if one.total > r
    )


def _complaint(artifact: Artifact, needed: Memory, gpu: Gpu, room: float) -> str:
    """Who needs what, how much of it, and which keys would help."""
    parts = sorted(needed.parts.items(), key=lambda part: -part[1])
    large = [name for name, size in parts if size > 0.05 * needed.total]
    keys = dict.fromkeys(key for name in large for key in memory.helps(name, artifact.stage, artifact.how))
    gives = f"{gpu.name} has {room / 2**30:.1f} GiB to give"
    if needed.room is not None:
        gives = f"the share of {gpu.name} that it may take beside the trainer is {room / 2**30:.1f} GiB"
    return (
        f"{artifact.path}: {needed.when} needs {needed.total / 2**30:.1f} GiB on each GPU "
        f"({', '.join(f'{name} {size / 2**30:.1f}' for name, size in parts)}), and {gives}; "
        f"what helps: {', '.join(keys)}"
    )
