"""Training on several ranks: start them, pass on their log and signals, and report which one failed and how.

One node: torchrun, which finds a free port by itself, so that two jobs on a machine never meet. Several:
`srun` within the job's allocation, and the ranks find the first one through a file in the work folder, which
all nodes share, in which it writes its port. Ranks keep their files in <work>/ranks/: job.json,
rank-N.log (what libraries print, and tracebacks), rank-N.json (how it ended), launcher.log.

When a rank dies the others are ended, within seconds if they notice it, otherwise when the launcher's grace
is over; checkpoints stand, and the next try goes on from the last one. Left out on purpose: going on with
fewer ranks, restarting by itself (the workflow's retries do that).
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from rlv import errors
from rlv.errors import LostRankError, ModelError, RlvError, StoppedError, StudyError
from rlv.job.stop import SIGNALS, listening
from rlv.training.origin import SourceFiles
from rlv.training.run import Run

# Seconds that ranks get to end by themselves after one has died, before they are killed.
GRACE = 20
_POLL_SECONDS = 0.2
_SHOWN_LINES = 8
# Variables of a launcher around this process; our launcher sets its own.
_NOT_FOR_RANKS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def train_on_ranks(
    run: Run,
    *,
    model_dir: Path,
    source: SourceFiles,
    work_dir: Path,
    out_dir: Path,
    log: Callable[[str], None],
) -> dict[str, Any]:
    """`train` (loop.py) on `training.ranks` processes; `run.threads` are those of all ranks of a node
    together.

    Raises the error that a rank raised; StoppedError if a signal asked to stop; LostRankError, naming the
    rank and the last lines of its log, if one died otherwise; StudyError for several nodes without SLURM.
    """
    refuse_launchers()
    folder = work_dir.absolute() / "ranks"
    # Of an earlier try; a network file system may keep what a dying rank still holds open.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    ranks, nodes = run.training.ranks, run.training.nodes
    local = ranks // nodes
    run = run.but(threads=max(1, run.threads // local))
    spec = {
        "settings": run.settings(),
        "model_dir": str(model_dir.absolute()),
        "source": source.as_json(),
        "work_dir": str(work_dir.absolute()),
        "out_dir": str(out_dir.absolute()),
        "by_file": nodes > 1,
    }
    (folder / "job.json").write_text(json.dumps(spec))
    command = _torchrun(local, folder) if nodes == 1 else _srun(run, folder)
    log(f"starting {ranks} ranks" + (f" on {nodes} nodes" if nodes > 1 else ""))
    status = _until_its_end(command, folder, run.threads, log)
    return _outcome(status, folder, ranks)


def refuse_launchers() -> None:
    """Raises ModelError if a launcher started several processes: training starts its own ranks."""
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started > 1:
        raise ModelError(
            f"WORLD_SIZE is {started}: training starts its own ranks; run the command without a launcher and "
            f"set training.ranks to {started}"
        )


def _torchrun(n_ranks: int, folder: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1"),
        f"--nproc-per-node={n_ranks}",
        # Signals that ask to stop are for the ranks, which save and end by themselves; torchrun would give
        # them seconds. It must be given some signal to handle.
        "--signals-to-handle=SIGQUIT",
        f"--shutdown-timeout={GRACE}",
        *("-m", "rlv.training.worker", str(folder / "job.json")),
    ]


def _srun(run: Run, folder: Path) -> list[str]:
    ranks, nodes = run.training.ranks, run.training.nodes
    if "SLURM_JOB_ID" not in os.environ or shutil.which("srun") is None:
        raise StudyError(
            f"nodes: {nodes} is more than one, which needs an allocation of SLURM and its srun; "
            "submit the job with the slurm profile, or set training.nodes to 1"
        )
    return [
        *("srun", f"--nodes={nodes}", f"--ntasks={ranks}", f"--ntasks-per-node={ranks // nodes}"),
        # The step that runs this very process holds the allocation's cores already.
        *("--overlap", f"--cpus-per-task={run.threads}", "--kill-on-bad-exit=1", "--unbuffered"),
        *(sys.executable, "-m", "rlv.training.worker", str(folder / "job.json")),
    ]


def _until_its_end(command: list[str], folder: Path, threads: int, log: Callable[[str], None]) -> int:
    """Run the launcher to its end; its exit status."""
    environment = {k: v for k, v in os.environ.items() if k not in _NOT_FOR_RANKS}
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
        environment[name] = str(threads)
    with open(folder / "launcher.log", "w") as printed, listening() as stop:
        launcher = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=printed,
            stdin=subprocess.DEVNULL,
            text=True,
            # srun hands signals on in its own way; torchrun must outlive its ranks.
            preexec_fn=partial(_before, () if command[0] == "srun" else SIGNALS),
        )
        assert launcher.stdout is not None
        reader = threading.Thread(target=_pass_on, args=(launcher.stdout, log), daemon=True)
        reader.start()
        try:
            passed_on = False
            while True:
                with suppress(subprocess.TimeoutExpired):
                    status = launcher.wait(_POLL_SECONDS)
                    break
                if stop.requested and not passed_on:
                    passed_on = True
                    log("asked to stop: the ranks finish what they are at and save")
                    if command[0] == "srun":  # passes it on, but for SIGTERM, which ends it
                        launcher.send_signal(signal.SIGUSR1)
                    else:
                        _tell(folder)
        finally:
            launcher.kill()  # a no-op after its end; ranks follow it (worker.py)
            launcher.wait()
        reader.join(timeout=5)
    return status


def _before(ignored: Iterable[signal.Signals]) -> None:
    """In the launcher's process: signals to all of a job's processes must not end it before its ranks."""
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it does not outlive its watcher


def _pass_on(lines: Iterable[str], log: Callable[[str], None]) -> None:
    for line in lines:
        log(line.rstrip("\n"))


def _tell(folder: Path) -> None:
    """Ask the ranks of this machine to stop."""
    for path in folder.glob("rank-*.json"):
        pid = json.loads(path.read_text()).get("pid")
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def _outcome(status: int, folder: Path, n_ranks: int) -> dict[str, Any]:
    """The facts of the first rank. Raises the error of the rank that failed."""
    reports = {}
    for rank in range(n_ranks):
        path = folder / f"rank-{rank}.json"
        reports[rank] = json.loads(path.read_text()) if path.is_file() else {}
    if status == 0 and "facts" in reports[0]:
        return reports[0]["facts"]
    raised = {rank: report for rank, report in reports.items() if "error" in report}
    for report in raised.values():
        if report["error"] == StoppedError.__name__:
            raise StoppedError(report["message"])
    if raised:
        rank, report = min(raised.items())
        kind = getattr(errors, report["error"], RlvError)
        # The cause is known by its name only; it decides whether to try again.
        raise kind(report["message"]) from (RuntimeError(report["behind"]) if report.get("behind") else None)
    rank, ended = _first_failure(folder, status)
    where = "its ranks" if rank is None else f"rank {rank} of {n_ranks}"
    named = folder / ("launcher.log" if rank is None else f"rank-{rank}.log")
    raise LostRankError(
        f"{where} {ended}; the others were ended. The last checkpoint stands, and a rerun goes on from it. "
        f"{named}:\n{_last_lines(named)}"
    )


def _first_failure(folder: Path, status: int) -> tuple[int | None, str]:
    """(Rank, how it ended) of the failure behind the others; no rank if the launcher names none."""
    said = (folder / "launcher.log").read_text(errors="replace")
    # torchrun's report; the first failure that it observed stands last, under "Root Cause".
    # Only lines of its table: the log before it names local ranks and exit codes, too.
    found = re.findall(r"^\s+rank\s*:\s*(\d+)[^\n]*\n\s+exitcode\s*:\s*(-?\d+)", said, re.MULTILINE)
    if found:
        failed = [(int(rank), int(code)) for rank, code in reversed(found)]
        # torchrun polls its ranks: one whose peer was killed may have failed, too, before the next poll.
        ending = (*SIGNALS, signal.SIGINT)
        killed = [(rank, code) for rank, code in failed if code < 0 and -code not in ending]
        rank, code = (killed or failed)[0]
        if code < 0:
            return rank, f"was ended by signal {-code} ({signal.Signals(-code).name})"
        return rank, f"failed with exit status {code}"
    # srun: error: node1: task 3: Killed
    found = re.findall(r"task (\d+): (.+)", said)
    if found:
        return int(found[0][0]), f"ended ({found[0][1].strip()})"
    return None, f"could not be run (exit status {status})"


def _last_lines(path: Path) -> str:
    """The end of a log, indented, without empty lines."""
    text = path.read_text(errors="replace") if path.is_file() else ""
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(f"  {line}" for line in lines[-_SHOWN_LINES:]) or "  (empty)"
