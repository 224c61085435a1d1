"""SLURM's commands as little scripts, for tests that need no cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

# What `sinfo -h -N -o "%P|%N|%c|%m|%G|%l|%f"` printed, partitions and nodes made up.
SINFO = """\
cpu*|c1|64|64000+|(null)|infinite|rome,ib
cpu*|c2|64|64000|(null)|infinite|rome,ib
gpu|n1|8|16000|gpu:h100:4|1-00:00:00|(null)
gpu|n2|8|16000|gpu:h100:2|1-00:00:00|(null)
brief|n1|8|16000|gpu:h100:4|2:00|(null)
old|l1|16|128000|gpu:l4:8(S:0-1)|2-12:00:00|(null)
"""


def put(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """Put commands in front of the PATH: name -> what the shell does for it."""
    for name, script in scripts.items():
        file = folder / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
