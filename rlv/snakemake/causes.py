"""Why jobs of a run failed, as the last thing on the terminal: each cause once, its jobs, and their logs.

Snakemake prints a report of each failed job when it fails, and three lines of its own after `onerror`. So the
causes are printed when its process ends. They are read from the logs: a job has failed if its log was written
during the run and its output is not there. Times are compared with those of the same files at the start and
never with a clock: the logs of a cluster's jobs are written by other machines.
"""

from __future__ import annotations

import atexit
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rlv.cluster.logs import LOGS, logs_of
from rlv.outside.files import open_regular
from rlv.plan import Plan
from rlv.snakemake.copies import Copies
from rlv.snakemake.receipts import Receipts

# Bytes of a log's end that are read, lines of a cause and names of jobs that are shown.
_TAIL, _LINES, _NAMES = 2**16, 12, 6
_OURS = "rlv: "
# The last line of Python's report of an exception, and what the system, a shell or SLURM say of a job's end.
_RAISED = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit)\b.*")
_WORDS = r"Killed|oom[-_ ]kill|OUT_OF_MEMORY|out of memory|DUE TO TIME LIMIT|CANCELLED"
_ENDED = re.compile(rf".*\b({_WORDS})\b.*", re.IGNORECASE)
_SILENT = "its log does not state why; it may have been ended from outside (memory, time limit)"


@dataclass(frozen=True)
class _Job:
    """What a job leaves, and where its messages are. `logs`: those that there are now."""

    name: str
    outputs: tuple[Path, ...]
    logs: Callable[[], list[Path]]


class Causes:
    """The failed jobs of one run of the workflow."""

    def __init__(self, plan: Plan, receipts: Receipts, copies: Mapping[str, Copies], results: Path) -> None:
        self._jobs = [
            _Job(path, (receipts.path(artifact),), lambda path=path: logs_of(path))
            for path, artifact in plan.artifacts.items()
        ]
        for name, target in copies.items():
            log = LOGS / "publish" / f"{plan.study.name}-{name}.log"
            self._jobs.append(_Job(f"publishing {name}", tuple(map(Path, target.files)), _one(log)))
        report = LOGS / "report" / f"{plan.study.name}.log"
        self._jobs.append(_Job("report", (results / "report.html",), _one(report)))
        self._before: dict[Path, tuple[int, int]] = {}

    def start(self) -> None:
        """Remember the logs of before this run."""
        self._before = {log: _state(log) for job in self._jobs for log in job.logs()}

    def tell_at_exit(self, say: Callable[[str], None]) -> None:
        """Have the causes printed when this process ends."""
        atexit.register(lambda: [say(line) for line in self.lines()])

    def lines(self) -> list[str]:
        """Each cause with its jobs; [] if no log of this run states a failure."""
        jobs: dict[str, list[tuple[str, Path]]] = {}
        for name, log, cause in self._failed():
            jobs.setdefault(cause, []).append((name, log))
        lines: list[str] = []
        for cause, failed in jobs.items():
            names = ", ".join(name for name, _ in failed[:_NAMES])
            more = f" and {len(failed) - _NAMES} more" if len(failed) > _NAMES else ""
            lines += ["", f"failed: {names}{more}", *(f"  {line}" for line in cause.split("\n"))]
            lines.append(f"  log: {failed[0][1]}")
        if lines:
            lines += [
                "",
                "What was finished stays: when this is mended, the same command goes on from there.",
            ]
        return lines

    def _failed(self) -> Iterator[tuple[str, Path, str]]:
        """(Job, its log, the cause) of every job that failed in this run."""
        for job in self._jobs:
            if all(file.exists() for file in job.outputs):
                continue
            written = [log for log in job.logs() if self._before.get(log) != _state(log)]
            if written:
                # The stage's own log comes first; SLURM's, the latest last, say how a job was ended.
                texts = [(log, _tail(log)) for log in (written[0], *reversed(written[1:]))]
                found = ((log, cause) for log, text in texts if (cause := cause_in(text)) is not None)
                log, cause = next(found, (written[0], _SILENT))
                yield job.name, log, cause


def cause_in(text: str) -> str | None:
    """The cause in a job's log; None if it states none.

    This project's own message, which stands at the end; else the last exception; else the last line that
    speaks of a job that was ended.
    """
    lines = text.rstrip().splitlines()
    ours = max((at for at, line in enumerate(lines) if line.startswith(_OURS)), default=None)
    if ours is not None:
        cause = [lines[ours].removeprefix(_OURS), *lines[ours + 1 :]]
        more = [f"… {len(cause) - _LINES} more lines"] if len(cause) > _LINES else []
        return "\n".join([*cause[:_LINES], *more])
    for known in (_RAISED, _ENDED):
        found = next((line.strip() for line in reversed(lines) if known.fullmatch(line.strip())), None)
        if found is not None:
            return found
    return None


def _tail(log: Path) -> str:
    try:
        with open_regular(log) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _TAIL))
            return file.read().decode("utf-8", "replace")
    except OSError as error:
        return f"{_OURS}{log}: cannot be read ({error.strerror})"


def _one(log: Path) -> Callable[[], list[Path]]:
    return lambda: [log] if log.is_file() else []


def _state(log: Path) -> tuple[int, int]:
    try:
        found = log.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
