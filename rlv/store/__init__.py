"""The content-addressed store: keys (artifacts.py), places and publishing (store.py).

One artifact: its manifest (manifests.py) and its files (folders.py). What makes a store safe to share:
leases.py, leasing.py, processes.py, readers.py, passed_over.py, permissions.py, probe.py and computed.py.
Tidying up and moving house: garbage.py, archive.py.
"""

from __future__ import annotations

from rlv.store.artifacts import KEY_DIGITS, Artifact
from rlv.store.folders import copy_file, file_digest, sync
from rlv.store.manifests import DIGEST, MANIFEST, origin_fault, unsealed_lines
from rlv.store.probe import require_rules
from rlv.store.store import Store

__all__ = [
    "DIGEST",
    "KEY_DIGITS",
    "MANIFEST",
    "Artifact",
    "Store",
    "copy_file",
    "file_digest",
    "origin_fault",
    "require_rules",
    "sync",
    "unsealed_lines",
]
