"""Running the workflow in a folder of its own, as a user would, for the tests beside this file."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
STUDY = "smoke"


def snakemake(folder: Path, *arguments: str, study: str = STUDY, check: bool = True) -> str:
    """Run Snakemake in a folder with its own store and records; returns what it printed."""
    done = subprocess.run(
        command(folder, *arguments, study=study), cwd=folder, capture_output=True, text=True, timeout=900
    )
    if check:
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout + done.stderr


def command(folder: Path, *arguments: str, study: str = STUDY) -> list[str]:
    config = ["--config", f"study={study}", f"store={folder / 'store'}"]
    return [
        sys.executable,
        "-m",
        "snakemake",
        *config,
        "--profile",
        "profiles/local",
        "--cores",
        "2",
        *arguments,
    ]


def workspace(folder: Path) -> Path:
    """A folder with the workflow in it, so that a test never touches the checkout's own results."""
    for name in ("workflow", "config", "profiles", "envs"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def rlv(folder: Path, *arguments: str, study: str = STUDY) -> subprocess.CompletedProcess[str]:
    start = [sys.executable, "-m", "rlv", *arguments, "--study", study, "--store", str(folder / "store")]
    return subprocess.run(start, cwd=folder, capture_output=True, text=True)


def planned(output: str) -> dict[str, int]:
    """Jobs by rule from the table that Snakemake prints before it starts."""
    return {
        rule: int(n) for rule, n in re.findall(r"^(\w+)\s+(\d+)$", output, re.MULTILINE) if rule != "total"
    }


def claims(folder: Path, study: str = STUDY) -> list[dict]:
    """The scoreboard but for what is measured in seconds, which every run measures anew."""
    rows = json.loads((folder / "results" / study / "claims.json").read_text())
    return [row for row in rows if row["id"] != "overhead"]
