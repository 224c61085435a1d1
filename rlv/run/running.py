"""Jobs that run now, wherever they run, and how far they are: their leases in the store, and their logs.

A job under Snakemake or SLURM writes its progress into its log, which its lease names. So any process that
sees the store and the logs sees the progress. A log that cannot be read from here is no error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rlv.errors import StoreError
from rlv.job.progress import Progress, progress_in
from rlv.outside.files import open_regular
from rlv.store import Store
from rlv.store.leases import Lease

# Bytes that are read of a log: of its beginning, where a training says where it goes on, and of its end.
_HEAD, _TAIL = 2**14, 2**16
_DIGITS = re.compile(r"-[0-9a-f]{12}$")


@dataclass(frozen=True)
class Running:
    """A job that runs: its artifact's path, seconds since its start, and its progress as its log has it.

    `written`: seconds from its start to the last line of its log.
    """

    path: str
    seconds: float
    progress: Progress | None = None
    written: float = 0.0

    @property
    def per_second(self) -> float | None:
        """Its mean speed until the last line of its log; None if that is not known."""
        return None if self.progress is None else self.progress.per_second(self.written)

    @property
    def seconds_left(self) -> float | None:
        """Until its end at that speed; None if that is not known."""
        left = None if self.progress is None else self.progress.seconds_left(self.written)
        return None if left is None else max(0.0, left - (self.seconds - self.written))


def running(store: Store, of: Container[str]) -> list[Running]:
    """Jobs that compute artifacts whose paths are in `of`; [] if that cannot be read."""
    try:
        leases = [lease for lease in store.all_leases() if lease.target in of]
    except StoreError:
        return []
    return [look(lease) for lease in leases if not lease.released and lease.content and not lease.gone()]


def look(lease: Lease) -> Running:
    """The job of a lease, by the clocks of its machine, of the server of its log and of this machine."""
    try:
        began = datetime.fromisoformat(str(lease.content.get("started"))).timestamp()
        seconds = max(0.0, datetime.now(UTC).timestamp() - began)
    except (ValueError, OverflowError):
        return Running(lease.target, 0.0, (_read(lease) or (None, 0))[0])
    found = _read(lease)
    if found is None:
        return Running(lease.target, seconds)
    progress, time = found
    return Running(lease.target, seconds, progress, min(max(0.0, time - began), seconds))


def _read(lease: Lease) -> tuple[Progress | None, float] | None:
    """(What the log of a job says, when it was written); None if it cannot be read from here."""
    log = lease.content.get("log")
    if not isinstance(log, str):
        return None
    try:
        with open_regular(Path(log)) as file:
            time, size = os.fstat(file.fileno()).st_mtime, file.seek(0, 2)
            file.seek(0)
            parts = [file.read(_HEAD)]
            file.seek(max(_HEAD, size - _TAIL))
            parts.append(file.read(_TAIL))
    except (OSError, ValueError):
        return None
    # Bars that libraries draw end in returns, not in lines.
    return progress_in(b"\n".join(parts).decode("utf-8", "replace").replace("\r", "\n")), time


def bar(job: Running, width: int, *, ascii: bool = False) -> str:
    """A job in one line of at most `width` characters: its name, a bar, steps, speed and time left."""
    from tqdm import tqdm

    name, found = _DIGITS.sub("", job.path), job.progress
    if found is None or not found.total:
        return f"{name}: {tqdm.format_interval(job.seconds)} so far"[:width]
    left = "?" if job.seconds_left is None else tqdm.format_interval(job.seconds_left)
    facts = f"{found.done}/{found.total} {found.what}{found.speed(job.written)}, {left} left"
    most = max(8, width - len(facts) - 12)  # a share in percent and the shortest bar
    name = name if len(name) <= most else f"{name[: most - 1]}…"
    line = tqdm.format_meter(
        *(found.done, found.total, job.seconds),
        ncols=width,
        prefix=name,
        ascii=ascii,
        bar_format=f"{{l_bar}}{{bar}}| {facts}",
    )
    return line[:width]
