"""Identities of processes, by machine, boot, namespace, number and start, and whether one is alive.

Of processes of other machines nothing can be known from here.
"""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from rlv.store.permissions import user_name


def process_identity() -> dict[str, Any]:
    """The identity of this process: host, boot, process namespace, number and start."""
    pid = os.getpid()
    return {**_machine(), "pid": pid, "pid_started": _started(pid)[0]}


def machine_name() -> str:
    """The host's name, and a digest of its boot and process namespace."""
    found = _machine()
    digest = hashlib.sha256("\0".join(found.values()).encode()).hexdigest()
    return f"{found['host']}-{digest[:8]}"


def signature() -> dict[str, Any]:
    """Host, user, SLURM job and time, for people."""
    return {
        "host": socket.gethostname(),
        "user": user_name(os.getuid()),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@cache
def _machine() -> dict[str, str]:
    found = {"host": socket.gethostname()}
    with suppress(OSError):
        found["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # Containers of one machine number their processes each on its own.
        found["pids"] = str(Path("/proc/self/ns/pid").readlink())
    return {"boot": "", "pids": "", **found}


def _started(pid: int) -> tuple[int | None, str]:
    """(Clock ticks from boot to the start of a process, its state); (None, "") if it cannot be seen."""
    try:
        # The name in brackets may hold anything, brackets and blanks included.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[19]), fields[0]
    except (OSError, ValueError, IndexError):
        return None, ""


def process_alive(pid: int, started: int | None = None) -> bool:
    """Whether a process of this machine lives; with `started`, whether it is still the same one."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # another user's
    found, state = _started(pid)
    if state in ("Z", "X"):
        return False
    return started is None or found is None or found == started
