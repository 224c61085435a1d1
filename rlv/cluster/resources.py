"""What one job asks SLURM for, from the estimate of its artifact, the site, and how often it was tried.

Exactly one copy of our program runs a job and sees all its GPUs. So GPUs are asked for a node
(`--gres=gpu:T:N`), never through the executor's own resource `gpu`: that one imposes tasks on GPUs as soon as
tasks are named. A job of one node is one task; a training on several has as many tasks as ranks, but they are
started by the program's own `srun`, and the executor is told (`mpi`) to start the program itself by none.

A retry asks for more: memory and runtime grow, up to what the partition's nodes have. A training that was
stopped by its time limit is no failure; it asks for more only after tries that came no further, and goes on
asking for that (training/tries.py).
Left out on purpose: GPU memory, which preflight.py looks at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from rlv.cluster.inventory import Node, Partition
from rlv.cluster.site import Kind, Site
from rlv.errors import StudyError
from rlv.estimate.gpus import Gpu, find_gpu
from rlv.estimate.jobs import ON_GPU, Estimate
from rlv.run.devices import gpus_of
from rlv.store import Artifact
from rlv.training.tries import MOST, NONE_IN_VAIN, InVain

MIB = 2.0**20
# A rank's own memory on the host beside weights: interpreter, libraries, the driver's context.
_RANK_MB = 4000
# Weights are read into the host's memory on their way to the GPU, and gathered there when they are saved.
_COPIES = 1.5
# Gradients, float32 weights and two moments, as multiples of bfloat16 weights.
_OFFLOADED = 8
# An upper bound of the work is known, not how well it runs.
_SAFETY = 1.5
# Small models on processors, in FLOP/s; large ones are not for processors.
_PROCESSOR_FLOPS = 1e10
# Minutes where no limit is known and none can be asked for.
_LONGEST = 24 * 60
# The slowest GPU that would be used for large models, where the site does not say which it has.
_CAREFUL_GPU = "A100-40"
# Of a node's memory, what its own system leaves.
_NODE_SHARE = 0.95
# A try asks for this many times what the one before it asked for.
_MORE_MEMORY, _MORE_TIME = 1.5, 2.0
# Retries of a training beyond those that its length needs.
_SPARE_RETRIES = MOST + 2


@dataclass(frozen=True)
class Asked:
    """What sbatch is asked for: memory of a node in MB, runtime in minutes, GPUs and tasks of all nodes.

    `threads`: the rule's own, which count where `cpus_per_task` is not said. `as_resources` are the executor
    plug-in's names of it.
    """

    mem_mb: int
    runtime: int
    on: Kind
    nodes: int = 1
    gpus_per_node: int = 0
    gpu_type: str | None = None
    cpus_per_task: int | None = None
    tasks: int = 1
    signal_seconds: int = 0
    threads: int = 1

    @property
    def cores(self) -> int:
        """Of each task."""
        return self.cpus_per_task or self.threads

    @property
    def gres(self) -> str | None:
        if not self.gpus_per_node:
            return None
        return ":".join(["gpu", *([self.gpu_type] if self.gpu_type else []), str(self.gpus_per_node)])

    @property
    def extra(self) -> str | None:
        """Options that the plug-in has no name for."""
        said = [self.on.extra]
        if self.signal_seconds:
            # SIGTERM, to all processes of the job's steps: Snakemake lets its job end, which saves. SIGUSR1
            # would end Snakemake itself.
            said.append(f"--signal=TERM@{self.signal_seconds}")
        if self.nodes > 1:
            said.append(f"--ntasks-per-node={self.tasks // self.nodes}")
        return " ".join(word for word in said if word) or None

    def as_resources(self, site: Site) -> dict[str, int | str | None]:
        """Every resource of Snakemake that decides what sbatch is told; None: it is not told."""
        several = self.nodes > 1
        return {
            # Not None: Snakemake converts sizes. Of 0 the plug-in tells sbatch nothing.
            "mem_mb": self.mem_mb if site.ask_memory else 0,
            "runtime": self.runtime,
            "nodes": self.nodes,
            "gres": self.gres,
            "cpus_per_task": self.cpus_per_task,
            "mpi": "srun" if several else None,
            "tasks": self.tasks if several else None,
            # Not 1: with a number of tasks named the plug-in would ask for as many on each GPU.
            "tasks_per_gpu": 0 if several else None,
            "slurm_partition": self.on.partition,
            "slurm_account": site.account,
            "qos": site.qos,
            "constraint": self.on.constraint,
            "slurm_extra": self.extra,
        }


# The names under which rules ask; the same for every rule, so that none is forgotten.
NAMES = tuple(Asked(1, 1, Kind()).as_resources(Site()))


@dataclass(frozen=True)
class Limits:
    """What no job of a kind may exceed: minutes (None: no limit), MB and cores of the largest node."""

    longest: int | None = _LONGEST
    memory_mb: int | None = None


@dataclass(frozen=True)
class Planner:
    """Answers for every artifact of a plan. `partitions`: None where SLURM was not asked."""

    site: Site
    estimated: Mapping[str, Estimate] = field(default_factory=dict)
    partitions: Sequence[Partition] | None = None

    def on_gpus(self, artifact: Artifact | None) -> bool:
        """Whether a job asks for GPUs."""
        return self.site.gpu.use and artifact is not None and artifact.stage in ON_GPU

    def asked(
        self,
        artifact: Artifact | None,
        *,
        mem_mb: int,
        runtime: int,
        attempt: int = 1,
        in_vain: InVain = NONE_IN_VAIN,
    ) -> Asked:
        """What the job of an artifact (None: one that makes none) asks for.

        `mem_mb`, `runtime`: the least, of its rule. `attempt` counts from 1. `in_vain`: tries of a training.
        """
        failed = attempt - 1
        if artifact is not None and artifact.stage == "train":
            failed = min(failed, in_vain.latest + in_vain.before, MOST - 1)
            if in_vain.latest >= MOST:
                return Asked(mem_mb=1000, runtime=5, on=self.site.cpu)  # it is going to refuse at once
        stage = None if artifact is None else artifact.stage
        said = self.site.of_stage(stage)
        runtime = max(runtime, said.runtime or 0)
        if artifact is None or not self.on_gpus(artifact):
            return self._on_cpus(artifact, mem_mb, runtime, failed, said.memory or 0)
        kind = self.site.kind(stage, gpu=True)
        gpus, nodes, ranks = gpus_of(artifact), _nodes(artifact), _ranks(artifact)
        local = ranks // nodes
        limits = self.limits(kind, gpus, self.site.gpu.type)
        estimate = self.estimated.get(artifact.path)
        needed = max(mem_mb, said.memory or 0, gpus * _RANK_MB + _host_mb(estimate, nodes))
        cores = self.site.gpu.cpus_each
        if nodes == 1:
            cores = max(cores * gpus, local)
        minutes = _grown(_length(runtime, _gpu_minutes(estimate)), failed, _MORE_TIME, limits.longest)
        return Asked(
            mem_mb=_grown(needed, failed, _MORE_MEMORY, limits.memory_mb),
            runtime=minutes,
            on=kind,
            nodes=nodes,
            gpus_per_node=gpus,
            gpu_type=self.site.gpu.type,
            cpus_per_task=max(cores, _for_threads(ranks, nodes)) if nodes > 1 else cores,
            tasks=ranks if nodes > 1 else 1,
            signal_seconds=self._signal(artifact, minutes),
        )

    def _on_cpus(
        self, artifact: Artifact | None, mem_mb: int, runtime: int, failed: int, least_mb: int
    ) -> Asked:
        """`mem_mb`: of a rank; `least_mb`: of a node."""
        kind = self.site.kind(None if artifact is None else artifact.stage, gpu=False)
        limits = self.limits(kind)
        nodes, ranks = (1, 1) if artifact is None else (_nodes(artifact), _ranks(artifact))
        estimate = None if artifact is None else self.estimated.get(artifact.path)
        spent = 0.0 if estimate is None or estimate.artifact.stage not in ON_GPU else estimate.flops
        minutes = _grown(_length(runtime, spent / _PROCESSOR_FLOPS / 60), failed, _MORE_TIME, limits.longest)
        needed = max(least_mb, mem_mb * max(1, ranks // nodes))
        return Asked(
            mem_mb=_grown(needed, failed, _MORE_MEMORY, limits.memory_mb),
            runtime=minutes,
            on=kind,
            nodes=nodes,
            cpus_per_task=_for_threads(ranks, nodes) if nodes > 1 else None,
            tasks=ranks if nodes > 1 else 1,
            signal_seconds=0 if artifact is None else self._signal(artifact, minutes),
            threads=ranks if nodes == 1 else 1,
        )

    def limits(self, kind: Kind, gpus: int = 0, gpu_type: str | None = None) -> Limits:
        """Of the nodes that have so many GPUs in the partitions of a kind."""
        found = chosen(kind, self.partitions or ())
        if not found:
            return Limits(longest=kind.max_runtime or _LONGEST)
        longest = [p.longest for p in found]
        endless = any(limit is None for limit in longest)
        allowed = None if endless else max(limit for limit in longest if limit is not None)
        if kind.max_runtime is not None:
            allowed = kind.max_runtime if allowed is None else min(allowed, kind.max_runtime)
        fitting = nodes_with(found, gpus, gpu_type) or [node for p in found for node in p.nodes]
        largest = max((node.memory_mb for node in fitting), default=0)
        return Limits(allowed, int(largest * _NODE_SHARE) or None)

    def retries(self, trainings: Sequence[Artifact], *, runtime: int) -> int:
        """Retries with which the longest of some trainings ends, each try being stopped at the limit."""
        needed = 1
        for artifact in trainings:
            on_gpus = self.on_gpus(artifact)
            kind = self.site.kind(artifact.stage, gpu=on_gpus)
            estimate = self.estimated.get(artifact.path)
            longest = self.limits(kind, gpus_of(artifact) if on_gpus else 0).longest
            if longest is None or estimate is None:
                continue
            spent = _gpu_minutes(estimate) if on_gpus else estimate.flops / _PROCESSOR_FLOPS / 60
            # Something of each job goes to starting, and to what is left when it is told to save.
            useful = max(longest - self._signal(artifact, longest) / 60, longest / 2)
            needed = max(needed, ceil(_length(runtime, spent) / useful))
        return needed - 1 + _SPARE_RETRIES

    def _signal(self, artifact: Artifact, runtime: int) -> int:
        """Seconds before the time limit; of a short job, at most a third of it."""
        return min(self.site.save_minutes * 60, runtime * 20) if artifact.stage == "train" else 0


def chosen(kind: Kind, partitions: Sequence[Partition]) -> list[Partition]:
    """The partitions that a kind of job goes to, in the cluster's order."""
    if kind.partition is None:
        return [p for p in partitions if p.default] or list(partitions[:1])
    wanted = kind.partition.split(",")
    return [p for p in partitions if p.name in wanted]


def nodes_with(partitions: Sequence[Partition], gpus: int, gpu_type: str | None) -> list[Node]:
    """Nodes with at least so many GPUs of a type, each once."""
    found = {node.name: node for p in partitions for node in p.nodes if node.gpus_of(gpu_type) >= gpus}
    return list(found.values())


def gpu_for_estimates(site: Site, configured: str | None) -> Gpu:
    """What runtimes are for: `known_gpu`, or an old one. Raises StudyError as that does."""
    return known_gpu(site, configured) or find_gpu(_CAREFUL_GPU)


def known_gpu(site: Site, configured: str | None) -> Gpu | None:
    """The site's model, the configured one, or a guess from its type; None where none of them says it.

    Raises StudyError where the site names a model that is not known.
    """
    for name in (site.gpu.model, configured, site.gpu.type):
        if name is not None:
            try:
                return find_gpu(name)
            except StudyError:
                if name == site.gpu.model:
                    raise
    return None


def _for_threads(ranks: int, nodes: int) -> int:
    """Cores of each rank with which a node has as many as there are ranks on all nodes together.

    These are the rule's threads, and the Snakemake in the job takes on none with more than its node has.
    """
    return ceil(ranks / (ranks // nodes))


def _nodes(artifact: Artifact) -> int:
    return int(artifact.how.get("nodes", 1)) if artifact.stage == "train" else 1


def _ranks(artifact: Artifact) -> int:
    return int(artifact.how.get("ranks", 1)) if artifact.stage == "train" else 1


def _gpu_minutes(estimate: Estimate | None) -> float:
    return 0.0 if estimate is None or not estimate.gpus else estimate.gpu_seconds / estimate.gpus / 60


def _host_mb(estimate: Estimate | None, nodes: int) -> int:
    """Weights of all ranks of a node on their way through its memory, and what is kept there (offload)."""
    if estimate is None:
        return 0
    parts: list[Mapping[str, Any]] = [memory.parts for memory in estimate.memory]
    weights = max((p.get("weights", 0) + p.get("engine weights", 0) for p in parts), default=0.0)
    total = _COPIES * weights * estimate.gpus / nodes
    if estimate.artifact.how.get("offload"):
        total += _OFFLOADED * weights
    return ceil(total / MIB)


def _length(least: int, estimated: float) -> int:
    return max(least, ceil(estimated * _SAFETY))


def _grown(first: int, failed: int, factor: float, most: int | None) -> int:
    grown = ceil(first * factor**failed)
    return grown if most is None else max(1, min(grown, most))
