"""Packages that bring methods, installed on the spot: a folder of modules and metadata on the path."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from rlv import registry


def install(
    folder: Path, group: str, points: str, code: str = "", name: str = "squares", version: str = "1.2"
) -> None:
    """A package in a folder of the path, with entry points of a group and the module `<name>_module`."""
    sys.modules.pop(f"{name}_module", None)  # of another test
    (folder / f"{name}_module.py").write_text(code)
    metadata = folder / f"{name}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{points}\n")
    importlib.invalidate_caches()
    registry._brought.cache_clear()
