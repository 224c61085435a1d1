"""SLURM's commands as little scripts, for tests that need no cluster."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# What `sinfo -h -N -o "%P|%N|%c|%m|%G|%l|%f|%T"` printed, partitions and nodes made up.
SINFO = """\
cpu*|c1|64|64000+|(null)|infinite|rome,ib|idle
cpu*|c2|64|64000|(null)|infinite|rome,ib|idle
gpu|n1|8|16000|gpu:h100:4|1-00:00:00|(null)|mixed
gpu|n2|8|16000|gpu:h100:2|1-00:00:00|(null)|idle
brief|n1|8|16000|gpu:h100:4|2:00|(null)|idle
old|l1|16|128000|gpu:l4:8(S:0-1)|2-12:00:00|(null)|idle
"""


def put(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """Put commands in front of the PATH: name -> what the shell does for it."""
    for name, script in scripts.items():
        file = folder / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


# Starts what it is told to wrap at once, in the background, and writes down how that ended.
_SBATCH = """\
import os, pathlib, subprocess, sys
jobs = pathlib.Path({jobs!r})
said = sys.argv[1:]
if "--test-only" in said:
    sys.exit()
while True:  # two may be submitted at the same time
    number = str(len(list(jobs.glob("*.said"))) + 1)
    try:
        (jobs / (number + ".said")).touch(exist_ok=False)
        break
    except FileExistsError:
        pass
(jobs / (number + ".said")).write_text(" ".join(word for word in said if not word.startswith("--wrap")))
log = said[said.index("--output") + 1].replace("%j", number)
(wrapped,) = [word.removeprefix("--wrap=") for word in said if word.startswith("--wrap=")]
(jobs / (number + ".state")).write_text("RUNNING")
run = "({{ " + wrapped + "; }}) > " + log + " 2>&1 && s=COMPLETED || s=FAILED; "
run += "echo $s > {jobs}/" + number + ".state"
environment = {{**os.environ, "SLURM_JOB_ID": number}}
quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
subprocess.Popen(["/bin/sh", "-c", run], env=environment, start_new_session=True, **quiet)
print(number)
"""


def running(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a SLURM in front of the PATH that runs its jobs here; the folder where each has a file `N.said`."""
    jobs = folder / "jobs"
    jobs.mkdir(parents=True)
    (folder / "sbatch.py").write_text(_SBATCH.format(jobs=str(jobs)))
    put(
        folder,
        monkeypatch,
        sbatch=f'exec {sys.executable} {folder}/sbatch.py "$@"',
        srun='while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"',
        sacct=f'cd {jobs}; for f in *.state; do [ -f "$f" ] && echo "${{f%.state}}|$(cat "$f")"; done; true',
        scontrol="echo 'AccountingStorageType = accounting_storage/slurmdbd'; echo 'MinJobAge = 300 sec'",
        sinfo=f"cat <<'END'\n{SINFO}END",
        sacctmgr="echo lab",
        scancel="true",
    )
    return jobs
