"""What one job asks SLURM for, from the estimate of its artifact, the site, and how often it was tried.

Exactly one copy of our program runs a job and sees all its GPUs. So GPUs are asked for by node
(`--gres=gpu:T:N`), never through the executor's own resource `gpu`, which imposes tasks on GPUs as soon as
tasks are named. A job of one node is one task. A training on several has as many tasks as ranks, but the
program's own `srun` starts them, and the resource `mpi` keeps the executor from starting the program by one.

A retry asks for more: memory and runtime grow, up to what the partition's nodes have. A training that its
time limit stopped has not failed; it asks for more only after tries that came no further, and then keeps
asking for that (rlv/training/tries.py). Left out on purpose: GPU memory, which rlv/estimate/preflight checks.
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
from rlv.estimate.jobs import Estimate
from rlv.run.devices import gpus_of
from rlv.run.stages import STAGES
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
# Minutes if no limit is known.
_LONGEST = 24 * 60
# The slowest GPU that is used for large models, for a site that does not name its own.
_CAREFUL_GPU = "A100-40"
# The share of a node's memory that its own system leaves.
_NODE_SHARE = 0.95
# A try asks for this many times what the one before it asked for.
_MORE_MEMORY, _MORE_TIME = 1.5, 2.0
# Retries of a training beyond those that its length needs.
_SPARE_RETRIES = MOST + 2


@dataclass(frozen=True)
class Asked:
    """Options of sbatch: memory of a node in MB, runtime in minutes, GPUs of each node, tasks of all nodes.

    `threads`: the rule's own, which count if `cpus_per_task` is None. `as_resources` has the executor
    plug-in's names.
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
        said = [self.on.extra or ""]
        if self.signal_seconds:
            # SIGTERM, to all processes of the job's steps: Snakemake waits for its job, which saves. SIGUSR1
            # would end Snakemake itself.
            said.append(f"--signal=TERM@{self.signal_seconds}")
        if self.nodes > 1:
            said.append(f"--ntasks-per-node={self.tasks // self.nodes}")
        return " ".join(word for word in said if word) or None

    def as_resources(self, site: Site) -> dict[str, int | str | None]:
        """Every resource of Snakemake that becomes an option of sbatch; None: the option is not set."""
        several = self.nodes > 1
        return {
            # Not None: Snakemake converts sizes. For 0 the plug-in sets no option.
            "mem_mb": self.mem_mb if site.ask_memory else 0,
            "runtime": self.runtime,
            "nodes": self.nodes,
            "gres": self.gres,
            "cpus_per_task": self.cpus_per_task,
            "mpi": "srun" if several else None,
            "tasks": self.tasks if several else None,
            # Not 1: if tasks are named, the plug-in would ask for as many on each GPU.
            "tasks_per_gpu": 0 if several else None,
            "slurm_partition": self.on.partition,
            "slurm_account": site.account,
            "qos": site.qos,
            "constraint": self.on.constraint,
            "slurm_extra": self.extra,
        }


# The names of resources, the same for every rule.
NAMES = tuple(Asked(1, 1, Kind()).as_resources(Site()))


@dataclass(frozen=True)
class Limits:
    """The most that a job of a kind may ask for: minutes (None: no limit), and MB of the largest node."""

    longest: int | None = _LONGEST
    memory_mb: int | None = None


@dataclass(frozen=True)
class Planner:
    """Answers for every artifact of a plan. `partitions`: None if SLURM was not asked."""

    site: Site
    estimated: Mapping[str, Estimate] = field(default_factory=dict)
    partitions: Sequence[Partition] | None = None

    def _layout(self, artifact: Artifact | None) -> tuple[int, int, int]:
        """(nodes, processes of all nodes, GPUs of each node)."""
        if artifact is None:
            return 1, 1, 0
        stage, gpus = STAGES[artifact.stage], gpus_of(artifact) if self.site.gpu.use else 0
        return stage.nodes(artifact), stage.threads(artifact), gpus

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

        `mem_mb`, `runtime`: the least, of its rule; without GPUs each process has `mem_mb`. `attempt` counts
        from 1. `in_vain`: tries of a job that goes on where the one before it stopped.
        """
        failed = attempt - 1
        stage = None if artifact is None else artifact.stage
        resumes = stage is not None and STAGES[stage].resumes
        if resumes:
            failed = min(failed, in_vain.latest + in_vain.before, MOST - 1)
            if in_vain.latest >= MOST:
                return Asked(mem_mb=1000, runtime=5, on=self.site.cpu)  # it is going to refuse at once
        said, (nodes, ranks, gpus) = self.site.of_stage(stage), self._layout(artifact)
        kind, local, several = self.site.kind(stage, gpu=gpus > 0), max(1, ranks // nodes), nodes > 1
        limits = self.limits(kind, gpus, self.site.gpu.type)
        estimate = None if artifact is None else self.estimated.get(artifact.path)
        on_gpus = max(mem_mb, gpus * _RANK_MB + _host_mb(estimate, nodes))
        needed = max(said.memory or 0, on_gpus if gpus else mem_mb * local)
        length = _length(max(runtime, said.runtime or 0), _minutes(estimate, gpus))
        minutes = _grown(length, failed, _MORE_TIME, limits.longest)
        cores = self.site.gpu.cpus_each * (1 if several else gpus)
        # A node needs as many cores as there are ranks on all nodes together: the rule has so many threads,
        # and the Snakemake in the job runs no rule with more than its node has.
        cores = max(cores if gpus else 1, ceil(ranks / local) if several else local)
        return Asked(
            mem_mb=_grown(needed, failed, _MORE_MEMORY, limits.memory_mb),
            runtime=minutes,
            on=kind,
            nodes=nodes,
            gpus_per_node=gpus,
            gpu_type=self.site.gpu.type if gpus else None,
            cpus_per_task=cores if gpus or several else None,
            tasks=ranks if several else 1,
            signal_seconds=self._signal(minutes) if resumes else 0,
            threads=1 if several else ranks,
        )

    def limits(self, kind: Kind, gpus: int = 0, gpu_type: str | None = None) -> Limits:
        """Limits of jobs of a kind, on nodes with so many GPUs."""
        found = chosen(kind, self.partitions or ())
        if not found:
            return Limits(longest=kind.max_runtime or _LONGEST)
        allowed = longest_of(found)
        if kind.max_runtime is not None:
            allowed = kind.max_runtime if allowed is None else min(allowed, kind.max_runtime)
        fitting = nodes_with(found, gpus, gpu_type) or [node for p in found for node in p.nodes]
        largest = max((node.memory_mb for node in fitting), default=0)
        return Limits(allowed, int(largest * _NODE_SHARE) or None)

    def retries(self, resuming: Sequence[Artifact], *, runtime: int) -> int:
        """Retries with which the longest of some jobs that resume ends, if each try stops at the limit."""
        needed = 1
        for artifact in resuming:
            (_, _, gpus), estimate = self._layout(artifact), self.estimated.get(artifact.path)
            longest = self.limits(self.site.kind(artifact.stage, gpu=gpus > 0), gpus).longest
            if longest is not None and estimate is not None:
                # Part of each job is spent on starting, and on the time left after the signal to save.
                useful = max(longest - self._signal(longest) / 60, longest / 2)
                needed = max(needed, ceil(_length(runtime, _minutes(estimate, gpus)) / useful))
        return needed - 1 + _SPARE_RETRIES

    def _signal(self, runtime: int) -> int:
        """Seconds before the time limit; of a short job, at most a third of it."""
        return min(self.site.save_minutes * 60, runtime * 20)


def chosen(kind: Kind, partitions: Sequence[Partition]) -> list[Partition]:
    """The partitions that a kind of job goes to, in the cluster's order."""
    if kind.partition is None:
        return [p for p in partitions if p.default] or list(partitions[:1])
    wanted = kind.partition.split(",")
    return [p for p in partitions if p.name in wanted]


def longest_of(partitions: Sequence[Partition]) -> int | None:
    """Minutes that a job may run in one of these partitions; None: no limit."""
    limits = [p.longest for p in partitions if p.longest is not None]
    return max(limits) if len(limits) == len(partitions) else None


def nodes_with(partitions: Sequence[Partition], gpus: int, gpu_type: str | None) -> list[Node]:
    """Nodes with at least so many GPUs of a type, each once."""
    found = {node.name: node for p in partitions for node in p.nodes if node.gpus_of(gpu_type) >= gpus}
    return list(found.values())


def gpu_for_estimates(site: Site, configured: str | None) -> Gpu:
    """The GPU of runtimes: `known_gpu`, or an old one. Raises StudyError as that does."""
    return known_gpu(site, configured) or find_gpu(_CAREFUL_GPU)


def known_gpu(site: Site, configured: str | None) -> Gpu | None:
    """The site's model, the configured one, or a guess from its type; None if none of them names it.

    Raises StudyError if the site names a model that is not known.
    """
    for name in (site.gpu.model, configured, site.gpu.type):
        if name is not None:
            try:
                return find_gpu(name)
            except StudyError:
                if name == site.gpu.model:
                    raise
    return None


def _minutes(estimate: Estimate | None, gpus: int) -> float:
    """How long a job runs, by its estimate; 0 if there is none."""
    if estimate is None:
        return 0.0
    if not gpus:
        return estimate.flops / _PROCESSOR_FLOPS / 60
    return estimate.gpu_seconds / max(1, estimate.gpus) / 60


def _host_mb(estimate: Estimate | None, nodes: int) -> int:
    """Weights of a node's ranks on their way through its memory, and the optimizer's states (offload)."""
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
