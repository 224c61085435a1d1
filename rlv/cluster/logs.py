"""Where a job's output lies: what the stage printed, and what SLURM wrote around it.

    logs/<stage>/<artifact>.log                           of `rlv make`, written anew by each try
    logs/slurm/rule_<stage>/<artifact>/<SLURM job>.log    of the job around it, a file a try
    logs/slurm/group_<group>_<rules>/<SLURM job>.log      of a job that made several artifacts

The latter two are removed when the job succeeds. Left out on purpose: what SLURM
itself remembers (`sacct -j JOB`).
"""

from __future__ import annotations

from pathlib import Path

LOGS = Path("logs")
# profiles/slurm/config.yaml tells the executor.
SLURM_LOGS = LOGS / "slurm"
# A group's log names its artifacts when it starts them, near its beginning or after each other's output.
_READ = 2**20


def logs_of(path: str, root: Path = Path()) -> list[Path]:
    """The logs that there are of an artifact `<stage>/<directory>`, the latest SLURM job's last."""
    stage, directory = path.split("/")
    own = root / LOGS / stage / f"{directory}.log"
    alone = (root / SLURM_LOGS / f"rule_{stage}" / directory).glob("*.log")
    grouped = (f for f in (root / SLURM_LOGS).glob(f"group_*{stage}*/*.log") if _names(f, directory))
    jobs = sorted((*alone, *grouped), key=lambda file: (len(file.stem), file.stem))
    return [file for file in (own, *jobs) if file.is_file()]


def log_lines(path: str, root: Path = Path()) -> list[str]:
    """The same as indented lines for a report."""
    return [f"{'':20s}  log: {file}" for file in logs_of(path, root)]


def _names(file: Path, directory: str) -> bool:
    try:
        with open(file, errors="replace") as handle:
            return directory in handle.read(_READ)
    except OSError:
        return False
