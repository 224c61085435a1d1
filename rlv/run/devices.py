"""GPUs of this machine: which there are, and a job's share of them where nobody else hands them out.

A scheduler gives a job its devices (CUDA_VISIBLE_DEVICES). On one machine Snakemake counts GPUs and gives
none, so that all jobs would compute on the first; here a job takes as many as it asked for, by locks that the
system releases when its process ends, however it ends. Left out on purpose: memory of a device shared by
several jobs, and devices of other makers.
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
    """A GPU by its identity, which no restart changes, and its name."""

    identity: str
    name: str


@cache
def local_gpus() -> tuple[Device, ...]:
    """The NVIDIA GPUs of this machine, as their driver lists them; none where there is no driver."""
    command = ["nvidia-smi", "--query-gpu=uuid,name", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = [line.partition(",") for line in listed.splitlines() if line.strip()]
    return tuple(Device(identity.strip(), name.strip()) for identity, _, name in rows)


def gpus_of(artifact: Artifact) -> int:
    """How many GPUs of one machine the job that makes an artifact computes on."""
    stage = STAGES[artifact.stage]
    return stage.gpus(artifact) // stage.nodes(artifact)


@contextmanager
def leased(wanted: int, log: Callable[[str], None], folder: Path | None = None) -> Iterator[None]:
    """Within the block CUDA_VISIBLE_DEVICES names `wanted` GPUs that no other lease of this machine has.

    Waits for them. Does nothing where none are wanted, where the variable is set already (a scheduler's or
    the user's word), and where the machine has fewer than two GPUs: a single one is shared by who asks.
    `folder` holds the locks; default: the machine's folder for temporary files.
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
    said = False
    while True:
        with ExitStack() as attempt:
            taken: list[Device] = []
            for gpu in gpus:
                if len(taken) < wanted and _lock(folder / f"rlv-{gpu.identity}.lock", attempt):
                    taken.append(gpu)
            if len(taken) == wanted:
                stack.push(attempt.pop_all())
                return taken
        # All or none: two jobs that each held half of what they need would wait for ever.
        if not said:
            log(f"waiting for {wanted} of {len(gpus)} GPUs")
            said = True
        time.sleep(_POLL_SECONDS)


def _lock(path: Path, stack: ExitStack) -> bool:
    """Whether the lock was free; it is held until the stack closes."""
    # Only who makes the file needs to write it: in a folder that users share, others may not.
    create = 0 if path.exists() else os.O_CREAT
    descriptor = os.open(path, os.O_RDONLY | create, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    stack.callback(os.close, descriptor)
    return True
