"""Where a job's output lies: what the stage printed, and what SLURM wrote around it.

    logs/<stage>/<artifact>.log                           of `rlv make`, written anew by each try
    logs/slurm/rule_<stage>/<artifact>/<SLURM job>.log    of the job around it, a file a try

The latter is removed when the job succeeds. Left out on purpose: what SLURM itself remembers
(`sacct -j JOB`).
"""

from __future__ import annotations

from pathlib import Path

LOGS = Path("logs")
# As profiles/slurm/config.yaml sets it for the executor.
SLURM_LOGS = LOGS / "slurm"


def logs_of(path: str, root: Path = Path()) -> list[Path]:
    """The logs that there are of an artifact `<stage>/<directory>`, the latest SLURM job's last."""
    stage, directory = path.split("/")
    own = root / LOGS / stage / f"{directory}.log"
    around = (root / SLURM_LOGS / f"rule_{stage}" / directory).glob("*.log")
    jobs = sorted(around, key=lambda file: (len(file.stem), file.stem))
    return [file for file in (own, *jobs) if file.is_file()]
