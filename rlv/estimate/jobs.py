"""One estimate an artifact: work, time, memory and disk, with the size of the model that it needs.

A trained model has its start model's size. If a model's size is not known, nothing is guessed: its jobs name
the key that would state it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rlv.estimate import hours
from rlv.estimate.gpus import Gpu
from rlv.estimate.hours import Machine
from rlv.job.assumptions import Assumptions
from rlv.job.work import Memory, Pass, Size, budget_of, first_model, tokens
from rlv.models.folders import read_config
from rlv.models.sources import at_hand
from rlv.models.work import pass_flops, size_from_config
from rlv.plan import Plan
from rlv.run.stages import STAGES
from rlv.store import Artifact, Store
from rlv.study.types import Architecture


@dataclass(frozen=True)
class Estimate:
    """One artifact's estimate: bytes, FLOPs and GPU seconds of the whole job, `memory` of one of its GPUs.

    `unknown`: the key that would state the model's size; everything but tokens is 0 then.
    """

    artifact: Artifact
    passes: tuple[Pass, ...]
    gpus: int = 0
    flops: float = 0.0
    gpu_seconds: float = 0.0
    disk: float = 0.0
    checkpoints: float = 0.0
    memory: tuple[Memory, ...] = ()
    unknown: str | None = None
    too_large: tuple[str, ...] = ()

    @property
    def written(self) -> int:
        """Tokens generated."""
        return tokens(self.passes, "written")

    @property
    def read(self) -> int:
        """Tokens read and learned from."""
        return tokens(self.passes, "read", "learned")


def size_of(artifact: Artifact, architecture: Architecture | None, store: Store | None) -> Size | None:
    """A start model's size: of its files if they are at hand, else of the study; None if neither has one."""
    folder = at_hand(artifact, store)
    config = read_config(folder) if folder is not None else None
    if config is not None:
        try:
            return size_from_config(config)
        except (KeyError, TypeError, ValueError, ArithmeticError):
            pass  # another kind of model: the study may state one that comes near it
    return size_from_config(architecture.model_dump()) if architecture is not None else None


def start_model(artifact: Artifact) -> Artifact | None:
    """The model that a job's model started from, the artifact itself if it is one; None without a model."""
    first = first_model(artifact)
    return first if STAGES[first.stage].brings_model else None


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
            sizes[model.path] = size_of(model, plan.study.models[model.name].architecture, store)
        size = None if model is None else sizes[model.path]
        made.append(_estimate(artifact, model, size, gpu, assumed))
    return made


def passes_of(artifact: Artifact, assumed: Assumptions) -> list[Pass]:
    """The passes that make an artifact, without those over no token; none if it needs no model."""
    made = STAGES[artifact.stage].work.passes(artifact, assumed)
    return [p for p in made if p.sequences and p.stop > p.start]


def _estimate(
    artifact: Artifact, model: Artifact | None, size: Size | None, gpu: Gpu | None, assumed: Assumptions
) -> Estimate:
    stage = STAGES[artifact.stage]
    if size is not None:
        # No prompt is longer than what the longest solution leaves of the model's positions.
        room = size.positions - budget_of(artifact) - assumed.instruction_tokens
        assumed = replace(assumed, prompt_tokens=max(1, min(assumed.prompt_tokens, room)))
    passes = passes_of(artifact, assumed)
    if size is None:
        unknown = None if model is None else f"models.{model.name}.architecture"
        return Estimate(artifact, tuple(passes), unknown=unknown)
    gpus, size = stage.gpus(artifact), replace(size, dtype=_dtype(artifact, size))
    device = None if gpu is None else gpu.memory_bytes
    done = Estimate(
        artifact,
        tuple(passes),
        gpus=gpus,
        flops=sum(pass_flops(p, size) for p in passes),
        disk=stage.work.stored(artifact, passes, size, assumed),
        checkpoints=stage.work.checkpoints(artifact, size),
        memory=tuple(stage.work.memory(artifact, size, assumed, device)),
    )
    if gpu is None or not gpus:
        return done
    machine = _machine(artifact, gpu)
    spent = sum(hours.seconds(p, size, machine, assumed) for p in passes) + assumed.start_seconds
    return replace(done, gpu_seconds=spent * gpus, too_large=tuple(_too_large(done, gpu, assumed)))


def _machine(artifact: Artifact, gpu: Gpu) -> Machine:
    """Training copies the model to every rank, engines divide it."""
    stage, engine = STAGES[artifact.stage], str(artifact.params.get("engine", "transformers"))
    n, batch = stage.gpus(artifact), int(artifact.how.get("max_batch", 256))
    replicas, parts = (n, 1) if stage.trains else (1, n)
    return Machine(gpu, engine, replicas, parts, batch)


def _dtype(artifact: Artifact, size: Size) -> str:
    """Of the weights that a job computes with: as trained, else as the start model is stored."""
    trained = artifact if STAGES[artifact.stage].trains else artifact.inputs.get("model", artifact)
    if STAGES[trained.stage].trains:
        return str(trained.params.get("dtype", "float32"))
    return "float32" if "gguf" in trained.params else size.dtype


def _too_large(done: Estimate, gpu: Gpu, assumed: Assumptions) -> Iterator[str]:
    for needed in done.memory:
        room = gpu.memory_bytes * assumed.memory_share
        room = room if needed.room is None else min(needed.room, room)
        if needed.total > room:
            yield _complaint(done.artifact, needed, gpu, room)


def _complaint(artifact: Artifact, needed: Memory, gpu: Gpu, room: float) -> str:
    """The job, the phase, the memory that it needs, and the keys that would help."""
    parts = sorted(needed.parts.items(), key=lambda part: -part[1])
    large = [name for name, size in parts if size > 0.05 * needed.total]
    keys = dict.fromkeys(key for name in large for key in needed.helps.get(name, ()))
    gives = f"{gpu.name} has {room / 2**30:.1f} GiB to give"
    if needed.room is not None:
        gives = f"the share of {gpu.name} that it may take beside the trainer is {room / 2**30:.1f} GiB"
    return (
        f"{artifact.path}: {needed.when} needs {needed.total / 2**30:.1f} GiB on each GPU "
        f"({', '.join(f'{name} {size / 2**30:.1f}' for name, size in parts)}), and {gives}; "
        f"what helps: {', '.join(keys)}"
    )
