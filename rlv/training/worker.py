"""One rank of a training run: the process that the launcher starts.

    python -m rlv.training.worker JOB/job.json

The job's file contains what to train and where to write (launch.py writes it). Whatever libraries print goes
into a file a rank, beside it; the first rank's log lines go to standard output, where the launcher reads
them. How a rank ended, if by itself, stands in rank-N.json. Left out on purpose: starting and ending ranks.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from rlv.errors import RlvError, in_vain
from rlv.outside.logs import escape_logs

# prctl(2): which signal this process gets when the one that started it is gone.
_PR_SET_PDEATHSIG = 1


def main(job_file: Path) -> int:
    """Train; the exit status is 0, that of an error of this project, or 1."""
    # A rank without its launcher would go on writing into the folder of the next try.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    escape_logs()
    spec = json.loads(job_file.read_text())
    folder = job_file.parent
    rank = int(os.environ.get("RANK", os.environ.get("SLURM_PROCID", "0")))
    report = folder / f"rank-{rank}.json"
    _write(report, {"pid": os.getpid(), "host": os.uname().nodename})
    lines = _lines_of_its_own(folder / f"rank-{rank}.log")

    def log(line: str) -> None:
        print(line, file=lines, flush=True)

    try:
        facts = _train(spec, folder, log)
    except RlvError as error:
        behind = "" if error.__cause__ is None or in_vain(error) else repr(error.__cause__)
        _write(report, {"error": type(error).__name__, "message": str(error), "behind": behind})
        return error.status
    except BaseException:
        traceback.print_exc()
        return 1
    _write(report, {"facts": facts})
    return 0


def _train(spec: dict[str, Any], folder: Path, log: Any) -> dict[str, Any]:
    from rlv.job.machine import device_name
    from rlv.training.loop import train
    from rlv.training.origin import SourceFiles
    from rlv.training.ranks import join
    from rlv.training.recorded import read_source
    from rlv.training.run import Run

    facts = train(
        Run.of(**spec["settings"]),
        read_source(SourceFiles.of_json(spec["source"])),
        **{name: Path(spec[name]) for name in ("model_dir", "work_dir", "out_dir")},
        log=log,
        ranks=join(folder / "rendezvous.json" if spec["by_file"] else None),
    )
    # The process that started the ranks does not see their devices.
    return {**facts, "device": device_name()}


def _lines_of_its_own(path: Path) -> Any:
    """Standard output as it was, only for log lines; everything else goes to the file from here on."""
    lines = os.fdopen(os.dup(1), "w")
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    return lines


def _write(path: Path, content: dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content))
    partial.rename(path)


if __name__ == "__main__":
    status = main(Path(sys.argv[1]))
    # Threads of libraries may wait for ranks that are gone.
    sys.stdout.flush()
    os._exit(status)
