"""What SLURM would refuse, or queue for ever, said before the first job is submitted.

Each complaint names the key of the site file to change. What the inventory tells is compared here; what is
left (quality of service, limits of an account, site policy) sbatch itself is asked, once for each kind of
job, without submitting one. Left out on purpose: whether a node is free or down at the moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rlv.cluster import inventory
from rlv.cluster.inventory import Accounts, Partition, Records
from rlv.cluster.resources import Asked, chosen, nodes_with
from rlv.cluster.site import FILE, Kind, Site
from rlv.errors import SiteError

# A job on processors that computes more than this is not meant for them: a day at 100 GFLOP/s.
FLOPS_ON_PROCESSORS = 1e16


@dataclass(frozen=True)
class Wanted:
    """One job still to do: its artifact's path, what it asks for, and its work if done on processors.

    `together`: how many of its stage share one of SLURM's jobs.
    """

    path: str
    asked: Asked
    flops_on_cpu: float = 0.0
    together: int = 1


@dataclass(frozen=True)
class Known:
    """What SLURM says, asked once; `accounts`: None where it keeps none."""

    partitions: Sequence[Partition]
    records: Records
    accounts: Accounts | None

    @classmethod
    def ask(cls) -> Known:
        """Raises SiteError where there is no SLURM here, or none that answers."""
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
    file: str = FILE,
    refusal: Callable[[Sequence[str]], str | None] | None = inventory.refusal,
) -> None:
    """Raises SiteError with everything that speaks against the jobs, one line each.

    `refusal`: what sbatch says against options; None: it is not asked. It is not asked either where something
    is wrong already.
    """
    found = list(dict.fromkeys(complaints(site, wanted, known)))
    if not found and refusal is not None:
        found = list(_refused(site, wanted, refusal))
    if found:
        raise SiteError("\n".join(f"{file}: {line}" for line in found))


def complaints(site: Site, wanted: Sequence[Wanted], known: Known) -> Iterator[str]:
    """Key path, what was found and what would do."""
    yield from _account(site, known)
    for name, kind in (("cpu", site.cpu), ("gpu", site.gpu)):
        jobs = [job for job in wanted if job.asked.on is kind]
        if jobs:
            yield from _partition(name, kind, jobs, known.partitions)
    if not site.gpu.use:
        yield from _on_processors(wanted)


def _account(site: Site, known: Known) -> Iterator[str]:
    accounts = known.accounts
    if accounts is None:
        return
    has = f"this user has {', '.join(accounts.names)}" if accounts.names else "this user has none"
    if site.account is not None:
        # SLURM spells accounts in small letters.
        if accounts.names and site.account.lower() not in (name.lower() for name in accounts.names):
            yield f"slurm.account: {site.account!r} is none of this user's; {has}"
        elif not accounts.names and known.records.enforced:
            yield f"slurm.account: {site.account!r}: {has}, and this cluster demands one; ask its operators"
    elif known.records.enforced and accounts.default is None:
        yield f"slurm.account: not set, and this cluster demands one; {has}"


def _partition(
    name: str, kind: Kind, jobs: Sequence[Wanted], partitions: Sequence[Partition]
) -> Iterator[str]:
    listed = ", ".join(p.name for p in partitions) or "none that this user sees"
    found = chosen(kind, partitions)
    unknown = set((kind.partition or "").split(",")) - {""} - {p.name for p in partitions}
    if unknown:
        yield f"slurm.{name}.partition: no partition {', '.join(sorted(unknown))}; the cluster has {listed}"
        return
    if not found or (kind.partition is None and not any(p.default for p in found) and len(partitions) > 1):
        yield f"slurm.{name}.partition: not set, and the cluster has no default partition; it has {listed}"
        return
    where = ", ".join(p.name for p in found)
    limits = [p.longest for p in found]
    longest = None if None in limits else max(limit for limit in limits if limit is not None)
    if kind.max_runtime is not None and longest is not None and kind.max_runtime > longest:
        yield (
            f"slurm.{name}.max_runtime: {kind.max_runtime} minutes are more than {where} allows ({longest}); "
            "lower it, or leave it out"
        )
    if kind.constraint is not None and kind.constraint.isidentifier():
        features = {feature for p in found for node in p.nodes for feature in node.features}
        if kind.constraint not in features:
            yield (
                f"slurm.{name}.constraint: no node of {where} has {kind.constraint!r}; "
                f"features: {', '.join(sorted(features)) or 'none'}"
            )
    if name == "gpu":
        yield from _gpus(where, jobs, found)
    yield from _cores(name, where, jobs, found)


def _gpus(where: str, jobs: Sequence[Wanted], found: Sequence[Partition]) -> Iterator[str]:
    types = sorted({kind for p in found for kind in p.gpu_types})
    asked_type = jobs[0].asked.gpu_type
    if not types:
        yield (
            f"slurm.gpu.partition: no node of {where} has GPUs; name a partition that has some, or set "
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
        way = "training.ranks, training.nodes" if example.path.startswith("train/") else "tensor_parallel"
        if not fitting:
            yield (
                f"slurm.gpu.partition: {example.path} needs {needed} GPUs on one node, and nodes of {where} "
                f"have at most {most}; name another partition (or slurm.gpu.type), or change {way}"
            )
        elif len(fitting) < nodes:
            yield (
                f"slurm.gpu.partition: {example.path} needs {nodes} nodes with {needed} GPUs each, and "
                f"{where} has {len(fitting)}; name another partition, or lower training.nodes in the study"
            )


def _cores(name: str, where: str, jobs: Sequence[Wanted], found: Sequence[Partition]) -> Iterator[str]:
    largest = max((node.cpus for p in found for node in p.nodes), default=0)
    for job in jobs:
        asked = job.asked
        needed = asked.cores * max(1, asked.tasks // asked.nodes) * job.together
        if largest and needed > largest:
            key = "slurm.gpu.cpus_each" if name == "gpu" else f"slurm.{name}.partition"
            if name == "cpu" and job.path.startswith("train/"):
                key += " (or training.ranks in the study)"
            if job.together > 1:
                key += " (or group-components in config.yaml beside it)"
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
    site: Site, wanted: Sequence[Wanted], refusal: Callable[[Sequence[str]], str | None]
) -> Iterator[str]:
    """One job of each kind, the one that asks for most, is shown to sbatch."""
    for name, kind in (("cpu", site.cpu), ("gpu", site.gpu)):
        jobs = [job for job in wanted if job.asked.on is kind]
        if not jobs:
            continue
        most = max(jobs, key=lambda job: (job.asked.nodes, job.asked.gpus_per_node, job.asked.mem_mb))
        said = refusal(options(site, most.asked))
        if said is not None:
            keys = "slurm.account, slurm.qos" + "".join(
                f", slurm.{name}.{key}" for key in ("partition", "constraint", "max_runtime", "extra")
            )
            yield f"{keys}: sbatch would refuse {most.path}: {said}"


def options(site: Site, asked: Asked) -> list[str]:
    """What sbatch will be told, as the executor does."""
    said = [f"--mem={asked.mem_mb}", f"--time={asked.runtime}", f"--nodes={asked.nodes}"]
    said += [f"--account={site.account}"] if site.account else []
    said += [f"--partition={asked.on.partition}"] if asked.on.partition else []
    said += [f"--qos={site.qos}"] if site.qos else []
    said += [f"--constraint={asked.on.constraint}"] if asked.on.constraint else []
    said += [f"--gres={asked.gres}"] if asked.gres else []
    said.append(f"--cpus-per-task={asked.cores}")
    said += [f"--ntasks={asked.tasks}"] if asked.nodes > 1 or not asked.gres else []
    return said + (asked.extra.split() if asked.extra else [])
