"""What SLURM reports: partitions with their nodes and limits, accounts, and how it keeps records.

Each question is one command with a time limit, and each answer a pure function of its output. A node that
takes no jobs at the moment (down, drained) counts, too: jobs wait for it. Left out on purpose: what is free,
and several clusters behind one.
"""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rlv.cluster.site import minutes
from rlv.errors import SiteError

# Seconds. A controller under load answers late.
TIMEOUT = 30
# Of partitions and their nodes: a line a node in each.
SINFO_FORMAT = "%P|%N|%c|%m|%G|%l|%f|%T"
# States in which a node starts no job until an operator, or SLURM itself, brings it back.
_AWAY = re.compile(r"down|drain|fail|inval|maint|reboot|unknown|future|error|perfctrs", re.IGNORECASE)
# The MB that SLURM assumes of a node if slurm.conf has no RealMemory.
NO_MEMORY_MB = 1
# sinfo prints these for a partition without GPUs or features.
_NOTHING = ("(null)", "", "N/A")


@dataclass(frozen=True)
class Node:
    """One node: processors, memory in MB, GPUs by type ("" if SLURM has none for them), features.

    `away`: it is down or drained.
    """

    name: str
    cpus: int
    memory_mb: int
    gpus: Mapping[str, int]
    features: frozenset[str] = frozenset()
    away: bool = False

    def gpus_of(self, kind: str | None) -> int:
        """GPUs of a type; None: of the type with the most, since a job's are all of one type."""
        return max(self.gpus.values(), default=0) if kind is None else self.gpus.get(kind, 0)


@dataclass(frozen=True)
class Partition:
    """A queue: its nodes, and the longest that a job may run there in minutes (None: for ever)."""

    name: str
    default: bool
    longest: int | None
    nodes: tuple[Node, ...]

    @property
    def gpu_types(self) -> list[str]:
        return sorted({kind for node in self.nodes for kind in node.gpus})


def installed() -> bool:
    """Whether this machine has SLURM's commands."""
    return shutil.which("sbatch") is not None and shutil.which("sinfo") is not None


def partitions() -> list[Partition]:
    """All partitions that this user sees. Raises SiteError if SLURM does not answer."""
    return parse_partitions(_ask("sinfo", "-h", "-N", "-o", SINFO_FORMAT))


def parse_partitions(said: str) -> list[Partition]:
    """From `sinfo -h -N -o` with `SINFO_FORMAT`; the default partition has a star."""
    found: dict[str, tuple[bool, int | None, list[Node]]] = {}
    for line in said.splitlines():
        parts = line.strip().split("|")
        if len(parts) != 8:
            continue
        name, node, cpus, memory, gres, longest, features, state = parts
        entry = found.setdefault(name.rstrip("*"), (name.endswith("*"), minutes(longest), []))
        listed = frozenset() if features in _NOTHING else frozenset(features.split(","))
        away = _AWAY.match(state) is not None
        entry[2].append(Node(node, _number(cpus), _number(memory), parse_gpus(gres), listed, away))
    return [Partition(name, star, longest, tuple(nodes)) for name, (star, longest, nodes) in found.items()]


def parse_gpus(gres: str) -> dict[str, int]:
    """GPUs by type in a node's generic resources: "gpu:h100:4(S:0-1),shard:8" is {"h100": 4}."""
    found: dict[str, int] = {}
    for entry in re.sub(r"\([^)]*\)", "", "" if gres in _NOTHING else gres).split(","):
        name, *rest = entry.split(":")
        if name == "gpu":
            count = int(rest[-1]) if rest and rest[-1].isdigit() else 1
            kind = ":".join(rest[:-1] if rest and rest[-1].isdigit() else rest)
            found[kind] = found.get(kind, 0) + count
    return found


def _number(said: str) -> int:
    found = re.match(r"\d+", said)
    return int(found[0]) if found else 0


@dataclass(frozen=True)
class Records:
    """How the cluster keeps records. `kept`: sacct can answer; `enforced`: jobs need an account that exists.

    `finished_seconds`: how long squeue still lists a job that has ended; 0: for ever.
    """

    kept: bool
    enforced: bool
    finished_seconds: int


def records() -> Records:
    """How this cluster keeps records. Raises SiteError if the controller does not answer."""
    return parse_records(_ask("scontrol", "show", "config"))


def parse_records(said: str) -> Records:
    """From `scontrol show config`."""
    settings = {k.strip(): v.strip() for k, _, v in (line.partition("=") for line in said.splitlines())}
    storage = settings.get("AccountingStorageType", "")
    enforced = settings.get("AccountingStorageEnforce", "none").lower()
    return Records(
        kept=bool(storage) and not storage.endswith("none") and storage != "(null)",
        enforced="associations" in enforced or "limits" in enforced or "qos" in enforced,
        finished_seconds=_number(settings.get("MinJobAge", "300")),
    )


@dataclass(frozen=True)
class Accounts:
    """Accounts of this user, in the order that SLURM lists them, and the one that jobs have by default."""

    names: tuple[str, ...]
    default: str | None


def accounts() -> Accounts | None:
    """This user's accounts; None if SLURM lists none, as on a cluster that keeps no accounts."""
    user = getpass.getuser()
    try:
        listed = _ask("sacctmgr", "-n", "-P", "show", "assoc", f"user={user}", "format=account")
        default = _ask("sacctmgr", "-n", "-P", "show", "user", user, "format=defaultaccount")
    except SiteError:
        return None
    names = tuple(dict.fromkeys(line.strip() for line in listed.splitlines() if line.strip()))
    return Accounts(names, default.strip() or None)


def sacct_answers() -> bool:
    """Whether `sacct` answers about jobs: its exit status is 0, and it does not report that none are kept."""
    try:
        done = _run("sacct", "-X", "-n", "--parsable2", "--format=JobIdRaw,State")
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0 and "disabled" not in done.stderr


def refusal(options: Sequence[str]) -> str | None:
    """sbatch's error about a job with these options, which is not submitted; None: it would take it."""
    try:
        done = _run("sbatch", "--test-only", *options, "--wrap", "true")
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    said = [line for line in done.stderr.splitlines() if "error" in line.lower() or "failure" in line.lower()]
    return None if done.returncode == 0 else " ".join(said or [done.stderr.strip()])


def _ask(*command: str) -> str:
    try:
        done = _run(*command)
    except (OSError, subprocess.SubprocessError) as error:
        raise SiteError(f"SLURM: `{' '.join(command[:2])}` cannot be run: {error}") from None
    if done.returncode != 0:
        raise SiteError(f"SLURM: `{' '.join(command[:2])}` failed: {' '.join(done.stderr.split())}")
    return done.stdout


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
