"""Jobs that SLURM would refuse, or queue for ever, found before the first is submitted.

Each complaint names the key of the site file to change. Jobs are compared with the inventory. For the rest
(quality of service, limits of an account, site policy) sbatch itself is asked, with the largest and the
longest job of each kind, without submitting one. Jobs wait for a node that is down or drained, so such a
node only makes a remark. Left out: whether a node is free.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rlv.cluster import inventory
from rlv.cluster.inventory import NO_MEMORY_MB, Accounts, Partition, Records
from rlv.cluster.resources import Asked, chosen, longest_of, nodes_with
from rlv.cluster.site import FILE, Kind, Site
from rlv.errors import SiteError
from rlv.run.stages import STAGES

# FLOPs that are too many for processors: a day at 100 GFLOP/s.
FLOPS_ON_PROCESSORS = 1e16
# Options that `extra` may not set, in the plug-in's words -> the key that sets them.
_INSTEAD = {
    "account": "slurm.account",
    "quality of service": "slurm.qos",
    "memory": "slurm.stages.STAGE.memory",
    "partition": "partition",
    "node constraints": "constraint",
    "runtime/time limit": "max_runtime",
}

# SLURM's words (slurm_errno.c), and the keys that they are about.
_ABOUT = (
    (r"partition name|default partition|permitted to use this partition", ("partition",)),
    (r"account or account/partition", ("slurm.account", "partition")),
    (r"invalid account", ("slurm.account",)),
    (r"invalid qos", ("slurm.qos",)),
    (r"requested time limit|wall ?(clock|duration)", ("max_runtime", "slurm.qos")),
    (r"invalid feature", ("constraint",)),
    (r"memory specification", ("partition", "slurm.stages.STAGE.memory", "slurm.ask_memory")),
    (r"accounting/qos policy|qos|assoc", ("slurm.account", "slurm.qos")),
    (r"gres|generic resource", ("slurm.gpu.type", "partition")),
)
_ANY = ("slurm.account", "slurm.qos", "partition", "constraint", "max_runtime", "extra")
# If nodes are away, `sbatch --test-only` refuses with these words; a submitted job waits (job_mgr.c).
_WAITS = re.compile(
    r"node configuration is not available|node not available|nodes are busy|configuration not available now"
    r"|nodes required for (this )?job are down",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Wanted:
    """One job still to do: its artifact's path, what it asks for, and its FLOPs if done on processors."""

    path: str
    asked: Asked
    flops_on_cpu: float = 0.0

    @property
    def stage(self) -> str:
        return self.path.split("/")[0]


@dataclass(frozen=True)
class Known:
    """What SLURM reports, asked once; `accounts`: None if it keeps none."""

    partitions: Sequence[Partition]
    records: Records
    accounts: Accounts | None

    @classmethod
    def ask(cls) -> Known:
        """Ask SLURM. Raises SiteError if there is none here, or it does not answer."""
        if not inventory.installed():
            raise SiteError(
                "no SLURM on this machine: `sbatch` is not on the PATH; start the workflow on a login node, "
                "or run it here with `--profile profiles/local`"
            )
        return cls(inventory.partitions(), inventory.records(), inventory.accounts())


def require(
    site: Site,
    wanted: Sequence[Wanted],
    known: Known,
    forbidden: Mapping[str, str],
    file: str = FILE,
    refusal: Callable[[Sequence[str]], str | None] | None = inventory.refusal,
) -> list[str]:
    """Raise SiteError with a line for each reason why SLURM would not run the jobs. Returns remarks.

    `forbidden`: patterns of the sbatch options that the executor sets itself -> its names for them.
    `refusal`: from options to sbatch's error about them; None: sbatch is not asked. It is not asked either if
    something is wrong already.
    """
    found = list(dict.fromkeys(complaints(site, wanted, known, forbidden)))
    if not found and refusal is not None:
        found = list(_refused(site, wanted, known, refusal))
    if found:
        raise SiteError("\n".join(f"{file}: {line}" for line in found))
    return list(dict.fromkeys(remarks(site, wanted, known)))


def remarks(site: Site, wanted: Sequence[Wanted], known: Known) -> Iterator[str]:
    """Lines about nodes that take no jobs at the moment, in the partitions that jobs go to."""
    for place, _ in _places(site, wanted):
        found = chosen(place.kind, known.partitions)
        nodes = {node.name: node for p in found for node in p.nodes}
        away = sorted(name for name, node in nodes.items() if node.away)
        if away:
            where = ", ".join(p.name for p in found)
            yield (
                f"{len(away)} of {len(nodes)} nodes of {where} are down or drained ({', '.join(away[:3])}); "
                "jobs that need them wait in the queue"
            )


def complaints(
    site: Site, wanted: Sequence[Wanted], known: Known, forbidden: Mapping[str, str]
) -> Iterator[str]:
    """Lines with the key path, what was found and what would do; `forbidden` as for `require`."""
    yield from _account(site, known)
    for place, jobs in _places(site, wanted):
        yield from _partition(place, jobs, known.partitions)
        yield from _extra(place, jobs, forbidden)
    if not site.gpu.use:
        yield from _on_processors(wanted)


@dataclass(frozen=True)
class Place:
    """A destination of jobs, and the keys that decide it: those of one stage, or of all others."""

    site: Site
    stage: str | None
    gpu: bool

    @property
    def kind(self) -> Kind:
        return self.site.kind(self.stage, gpu=self.gpu)

    def key(self, name: str) -> str:
        return self.site.place_of(self.stage, name, gpu=self.gpu)


def _places(site: Site, wanted: Sequence[Wanted]) -> list[tuple[Place, list[Wanted]]]:
    """The jobs, grouped by their destination."""
    found: dict[tuple[str | None, bool], list[Wanted]] = {}
    for job in sorted(wanted, key=lambda job: job.asked.gpus_per_node > 0):
        place = (job.stage if job.stage in site.stages else None, job.asked.gpus_per_node > 0)
        found.setdefault(place, []).append(job)
    return [(Place(site, *place), jobs) for place, jobs in found.items()]


def _account(site: Site, known: Known) -> Iterator[str]:
    accounts = known.accounts
    if accounts is None:
        return
    has = f"this user has {', '.join(accounts.names)}" if accounts.names else "this user has none"
    if site.account is not None:
        # SLURM spells accounts in small letters.
        if accounts.names and site.account.lower() not in (name.lower() for name in accounts.names):
            yield f"slurm.account: {site.account!r} is not an account of this user; {has}"
        elif not accounts.names and known.records.enforced:
            yield f"slurm.account: {site.account!r}: {has}, and this cluster demands one; ask its operators"
    elif known.records.enforced and accounts.default is None:
        yield f"slurm.account: not set, and this cluster demands one; {has}"


def _partition(place: Place, jobs: Sequence[Wanted], partitions: Sequence[Partition]) -> Iterator[str]:
    kind, key = place.kind, place.key
    listed = ", ".join(p.name for p in partitions) or "none that this user sees"
    found = chosen(kind, partitions)
    unknown = set((kind.partition or "").split(",")) - {""} - {p.name for p in partitions}
    if unknown:
        yield f"{key('partition')}: no partition {', '.join(sorted(unknown))}; the cluster has {listed}"
        return
    if not found or (kind.partition is None and not any(p.default for p in found)):
        yield f"{key('partition')}: not set, and the cluster has no default partition; it has {listed}"
        return
    where = ", ".join(p.name for p in found)
    longest = longest_of(found)
    if kind.max_runtime is not None and longest is not None and kind.max_runtime > longest:
        yield (
            f"{key('max_runtime')}: {kind.max_runtime} minutes are more than {where} allows ({longest}); "
            "lower it, or leave it out"
        )
    if kind.constraint is not None and kind.constraint.isidentifier():
        features = {feature for p in found for node in p.nodes for feature in node.features}
        if kind.constraint not in features:
            yield (
                f"{key('constraint')}: no node of {where} has {kind.constraint!r}; "
                f"features: {', '.join(sorted(features)) or 'none'}"
            )
    yield from _memory(place, where, jobs, found)
    yield from _least(place, where, jobs)
    if place.gpu:
        yield from _gpus(place, where, jobs, found)
    yield from _cores(place, where, jobs, found)


def _extra(place: Place, jobs: Sequence[Wanted], forbidden: Mapping[str, str]) -> Iterator[str]:
    """sbatch options that the executor sets itself. It would refuse them too, but only when it submits."""
    asked = {job.asked.extra or "" for job in jobs}
    for pattern, option in forbidden.items():
        if any(re.search(pattern, extra) for extra in asked):
            key = _INSTEAD.get(option)
            instead = "" if key is None else f"; use {key if '.' in key else place.key(key)}"
            extra = place.kind.extra or ""
            yield f"{place.key('extra')}: {extra!r} sets the {option}, which the workflow does{instead}"


def _least(place: Place, where: str, jobs: Sequence[Wanted]) -> Iterator[str]:
    """Complaints about a stage's settings above the limits, which no job can ask for."""
    said = place.site.of_stage(place.stage)
    if (memory := said.memory) is not None and (short := [job for job in jobs if job.asked.mem_mb < memory]):
        yield (
            f"slurm.stages.{place.stage}.memory: {memory} MB are more than {short[0].asked.mem_mb}, which a "
            f"job can have in {where}"
        )
    if (runtime := said.runtime) is not None and (
        short := [job for job in jobs if job.asked.runtime < runtime]
    ):
        yield (
            f"slurm.stages.{place.stage}.runtime: {runtime} minutes are more than {where} or "
            f"{place.key('max_runtime')} allows ({short[0].asked.runtime})"
        )


def _memory(place: Place, where: str, jobs: Sequence[Wanted], found: Sequence[Partition]) -> Iterator[str]:
    """Complaints if jobs ask for memory and SLURM does not know that of its nodes: it refuses such jobs."""
    site, key = place.site, "slurm.ask_memory"
    if not site.ask_memory:
        if site.of_stage(place.stage).memory is not None:
            yield f"{key}: false, so slurm.stages.{place.stage}.memory is not asked for; drop one of them"
        return
    if all(node.memory_mb <= NO_MEMORY_MB for p in found for node in p.nodes):
        most = max(jobs, key=lambda job: job.asked.mem_mb)
        yield (
            f"{key}: true, and SLURM knows no memory of the nodes of {where} (no RealMemory in slurm.conf); "
            f"it refuses {most.path}, which asks for {most.asked.mem_mb} MB; set it to false"
        )


def _gpus(place: Place, where: str, jobs: Sequence[Wanted], found: Sequence[Partition]) -> Iterator[str]:
    partition = place.key("partition")
    types = sorted({kind for p in found for kind in p.gpu_types})
    asked_type = jobs[0].asked.gpu_type
    if not types:
        yield (
            f"{partition}: no node of {where} has GPUs; name a partition that has some, or set "
            "slurm.gpu.use to false (jobs then compute on processors, which is enough for the mini studies)"
        )
        return
    if asked_type is not None and asked_type not in types:
        named = ", ".join(kind for kind in types if kind) or "none with a type: leave slurm.gpu.type out"
        yield f"slurm.gpu.type: no node of {where} has GPUs {asked_type!r}; it has {named}"
        return
    for needed, nodes in sorted({(job.asked.gpus_per_node, job.asked.nodes) for job in jobs}):
        fitting = nodes_with(found, needed, asked_type)
        example = next(j for j in jobs if (j.asked.gpus_per_node, j.asked.nodes) == (needed, nodes))
        most = max((node.gpus_of(asked_type) for p in found for node in p.nodes), default=0)
        way = "training.ranks, training.nodes" if STAGES[example.stage].trains else "tensor_parallel"
        if not fitting:
            yield (
                f"{partition}: {example.path} needs {needed} GPUs on one node, and nodes of {where} "
                f"have at most {most}; name another partition (or slurm.gpu.type), or change {way}"
            )
        elif len(fitting) < nodes:
            yield (
                f"{partition}: {example.path} needs {nodes} nodes with {needed} GPUs each, and "
                f"{where} has {len(fitting)}; name another partition, or lower training.nodes in the study"
            )


def _cores(place: Place, where: str, jobs: Sequence[Wanted], found: Sequence[Partition]) -> Iterator[str]:
    largest = max((node.cpus for p in found for node in p.nodes), default=0)
    for job in jobs:
        asked = job.asked
        needed = asked.cores * max(1, asked.tasks // asked.nodes)
        if largest and needed > largest:
            key = "slurm.gpu.cpus_each" if place.gpu else place.key("partition")
            if not place.gpu and STAGES[job.stage].trains:
                key += " (or training.ranks in the study)"
            yield f"{key}: {job.path} asks for {needed} cores on a node, and nodes of {where} have {largest}"
            return


def _on_processors(wanted: Sequence[Wanted]) -> Iterator[str]:
    heavy = [job for job in wanted if job.flops_on_cpu > FLOPS_ON_PROCESSORS]
    if heavy:
        job = max(heavy, key=lambda one: one.flops_on_cpu)
        yield (
            f"slurm.gpu.use: false, and {len(heavy)} jobs would take more than a day on processors, such as "
            f"{job.path} ({job.flops_on_cpu:.0e} FLOPs); set it to true"
        )


def _refused(
    site: Site, wanted: Sequence[Wanted], known: Known, refusal: Callable[[Sequence[str]], str | None]
) -> Iterator[str]:
    """Complaints of sbatch about the largest job of each kind, and the longest."""
    for place, jobs in _places(site, wanted):
        away = any(node.away for p in chosen(place.kind, known.partitions) for node in p.nodes)
        most = max(jobs, key=lambda job: (job.asked.nodes, job.asked.gpus_per_node, job.asked.mem_mb))
        longest = max(jobs, key=lambda job: job.asked.runtime)
        for job in [most, longest] if longest.asked.runtime > most.asked.runtime else [most]:
            said = refusal(options(site, job.asked))
            if said is not None and not (away and only_waits(said)):
                named = (key if "." in key else place.key(key) for key in keys_behind(said))
                told = ", ".join(key.replace("STAGE", job.stage) for key in named)
                yield f"{told}: sbatch would refuse {job.path}: {said}"


def only_waits(said: str) -> bool:
    """Whether a job that `sbatch --test-only` refuses in these words would only wait for a node."""
    return _WAITS.search(said) is not None


def keys_behind(said: str) -> tuple[str, ...]:
    """The keys of the site file that a refusal of sbatch is about; all that there are for other words.

    Names without a dot are those of a `Kind`.
    """
    return next((keys for words, keys in _ABOUT if re.search(words, said, re.IGNORECASE)), _ANY)


def options(site: Site, asked: Asked) -> list[str]:
    """The options that the executor gives sbatch."""
    said = [f"--mem={asked.mem_mb}"] if site.ask_memory else []
    said += [f"--time={asked.runtime}", f"--nodes={asked.nodes}"]
    said += [f"--account={site.account}"] if site.account else []
    said += [f"--partition={asked.on.partition}"] if asked.on.partition else []
    said += [f"--qos={site.qos}"] if site.qos else []
    said += [f"--constraint={asked.on.constraint}"] if asked.on.constraint else []
    said += [f"--gres={asked.gres}"] if asked.gres else []
    said.append(f"--cpus-per-task={asked.cores}")
    said += [f"--ntasks={asked.tasks}"] if asked.nodes > 1 or not asked.gres else []
    return said + (asked.extra.split() if asked.extra else [])
