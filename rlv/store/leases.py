"""Leases: of all processes that want to compute a key, on whatever machine, one does and the others wait.

    <store>/.work/<stage>/<name>-<12 hex>.lease-<generation>     JSON: user, machine, process, since when

The highest generation owns the key. Its process touches the file every few seconds. A lease that was released
without a result stays as the mark of its generation, so that no number is used twice for a key that is not
published. How a process gets and keeps one: leasing.py. Older versions called a lease a claim, and so its
file, which is still read.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from rlv.errors import StoreError
from rlv.store.processes import process_alive, process_identity

MARK = ".lease-"
_NAME = re.compile(r"([^.].*)\.(?:lease|claim)-([0-9]{1,18})", re.DOTALL)


@dataclass(frozen=True)
class Lease:
    """A lease as its file has it; `content` is empty if that is no lease.

    `touched`: the file's modification time in ns, to be compared only with an earlier one of the same file.
    """

    path: Path
    generation: int
    content: dict[str, Any]
    touched: int

    @property
    def released(self) -> bool:
        return "released" in self.content

    @property
    def in_vain(self) -> bool:
        """Whether it was released after an error that another try would only meet again."""
        return self.released and self.content.get("in_vain") is True

    @property
    def target(self) -> str:
        """`<stage>/<name>-<12 hex>` of the artifact that is being computed."""
        named = _NAME.fullmatch(self.path.name)
        return f"{self.path.parent.name}/{named[1] if named else self.path.name}"

    def gone(self) -> bool:
        """Whether its process is known to have ended: it ran on this machine, and does not any more."""
        here = process_identity()
        if any(self.content.get(name) != here[name] for name in ("host", "boot", "pids")):
            return False
        return not process_alive(self.content["pid"], self.content.get("pid_started"))

    def owner(self) -> str:
        """The user, machine and process, for people."""
        found = self.content
        if not found:
            return f"an unknown process ({self.path} cannot be read)"
        job = f"SLURM job {found['slurm_job']}, " if found.get("slurm_job") else ""
        log = f", log {found['log']}" if found.get("log") else ""
        process = f"({job}process {found['pid']})"
        return f"{found['user']} on {found['host']} {process} since {found['started']}{log}"


def leases_in(folder: Path) -> Iterator[Lease]:
    """The highest lease of every key that has one, in a stage's folder of `.work`, sorted by name."""
    highest: dict[str, tuple[int, Path]] = {}
    for name, generation, path in _files(folder):
        highest[name] = max(highest.get(name, (0, path)), (generation, path))
    for _, (generation, path) in sorted(highest.items()):
        lease = _read(path, generation)
        if lease is not None:
            yield lease


def lease_of(place: Path) -> Lease | None:
    """The lease that owns the key whose work folder is `place`; None if there never was one."""
    while True:
        highest = max(leases_of(place), default=None)
        if highest is None:
            return None
        lease = _read(highest[1], highest[0])
        if lease is not None:  # else it was removed in between
            return lease


def leases_of(place: Path) -> list[tuple[int, Path]]:
    """(Generation, file) of every lease of the key whose work folder is `place`."""
    return [(generation, path) for name, generation, path in _files(place.parent) if name == place.name]


def remove_leases(place: Path, up_to: int) -> None:
    """Remove a key's leases up to a generation: a process that has taken over since keeps its own."""
    for generation, path in leases_of(place):
        if generation <= up_to:
            path.unlink(missing_ok=True)


def _files(folder: Path) -> list[tuple[str, int, Path]]:
    """(Name of the work folder, generation, file) of every lease in a stage's folder of `.work`."""
    try:
        paths = list(folder.iterdir())
    except FileNotFoundError:
        return []
    except PermissionError as error:
        raise StoreError(
            f"{folder}: cannot be read ({error.strerror}), so the keys that are being computed are unknown"
        ) from error
    named = ((_NAME.fullmatch(path.name), path) for path in paths)
    return [(found[1], int(found[2]), path) for found, path in named if found]


def _read(path: Path, generation: int) -> Lease | None:
    try:
        # Opening is what makes a network file system ask its server how old the file is.
        with open(path) as handle:
            touched = os.fstat(handle.fileno()).st_mtime_ns
            try:
                content = json.load(handle)
            except (ValueError, RecursionError):
                content = None
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ESTALE:
            return None
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from error
    return Lease(path, generation, content if _is_lease(content) else {}, touched)


def _is_lease(content: object) -> TypeGuard[dict[str, Any]]:
    """Whether the content of a lease, which any user may write, has the form that leasing.py writes."""
    if not isinstance(content, dict) or not isinstance(inputs := content.get("inputs", []), list):
        return False
    texts = [*(content.get(name) for name in ("host", "user", "started")), *inputs]
    pid, heartbeat = content.get("pid"), content.get("heartbeat", 0)
    numbers = isinstance(pid, int) and 0 < pid < 2**31 and isinstance(heartbeat, int | float)
    return numbers and all(isinstance(text, str) for text in texts)
