"""GPUs of this machine: which there are, and a job's share of them if no scheduler assigns them.

A scheduler assigns a job its devices (CUDA_VISIBLE_DEVICES). Snakemake on one machine counts GPUs and assigns
none, so all jobs would compute on the first. Here a job takes as many as it asks for, by locks that the
system releases when its process ends, however it ends. Left out on purpose: devices of other makers.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rlv.run.stages import STAGES
from rlv.store import Artifact

VISIBLE = "CUDA_VISIBLE_DEVICES"
_POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Device:
    """A GPU by its identity, which no restart changes, its name, and its memory if the driver reports it."""

    identity: str
    name: str
    memory_gib: float | None = None


@cache
def local_gpus() -> tuple[Device, ...]:
    """The NVIDIA GPUs of this machine, as their driver lists them; none without a driver."""
    command = ["nvidia-smi", "--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = [[cell.strip() for cell in line.split(",")] for line in listed.splitlines() if "," in line]
    return tuple(Device(uuid, name, float(mib) / 1024 if mib.isdigit() else None) for uuid, name, mib in rows)


def gpus_of(artifact: Artifact) -> int:
    """How many GPUs of one machine the job that makes an artifact computes on."""
    stage = STAGES[artifact.stage]
    return stage.gpus(artifact) // stage.nodes(artifact)


@contextmanager
def leased(wanted: int, log: Callable[[str], None], folder: Path | None = None) -> Iterator[None]:
    """Have CUDA_VISIBLE_DEVICES name, within the block, `wanted` GPUs that no other process has leased.

    Waits for them. Does nothing if none are wanted, if the variable is set already (by a scheduler or the
    user), or if the machine has fewer than two GPUs: jobs share a single one. `folder` holds the locks;
    default: the machine's folder for temporary files.
    """
    gpus = local_gpus()
    if wanted == 0 or VISIBLE in os.environ or len(gpus) < 2:
        yield
        return
    wanted = min(wanted, len(gpus))
    with ExitStack() as stack:
        taken = _take(gpus, wanted, folder or Path(tempfile.gettempdir()), stack, log)
        os.environ[VISIBLE] = ",".join(device.identity for device in taken)
        try:
            yield
        finally:
            del os.environ[VISIBLE]


def _take(
    gpus: tuple[Device, ...], wanted: int, folder: Path, stack: ExitStack, log: Callable[[str], None]
) -> list[Device]:
    reported = False
    while True:
        with ExitStack() as attempt:
            taken: list[Device] = []
            for gpu in gpus:
                if len(taken) < wanted and _lock(folder / f"rlv-{gpu.identity}.lock", attempt):
                    taken.append(gpu)
            if len(taken) == wanted:
                stack.push(attempt.pop_all())
                return taken
        # All or none: two jobs that each held half of the GPUs would wait for ever.
        if not reported:
            log(f"waiting for {wanted} of {len(gpus)} GPUs")
            reported = True
        time.sleep(_POLL_SECONDS)


def _lock(path: Path, stack: ExitStack) -> bool:
    """Take a lock until the stack closes; returns whether it was free."""
    # Only the process that makes the file needs to write it: in a folder that users share, others may not.
    create = 0 if path.exists() else os.O_CREAT
    descriptor = os.open(path, os.O_RDONLY | create, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    stack.callback(os.close, descriptor)
    return True
