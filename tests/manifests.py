"""Manifests as a run writes them, and as somebody rewrites them who states their digest anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rlv.store.manifests import manifest_text
from tests.unsealed import unseal


def how_made(**changes: Any) -> dict[str, Any]:
    """What a run adds to a manifest (rlv/run/make.py)."""
    made = {"at": "2026-01-02T03:04:05+00:00", "host": "h", "device": "d", "python": "3.11", "code": None}
    measured = {"seconds": 1.5, "cpu_seconds": 1.0, "peak_memory_mib": 7, "threads": 1}
    return {"made": {**made, "packages": {}}, **measured, "facts": {}, "how": {}, **changes}


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Edit the manifest of a published folder and give it the digest of what it is then."""
    path = unseal(folder) / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(manifest_text(manifest))
