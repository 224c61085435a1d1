"""The content-addressed store: keys (artifacts.py), places and publishing (store.py).

Of one artifact: its manifest (manifests.py) and its files (folders.py).

What makes it safe to share: claims.py with processes.py, readers.py, permissions.py, probe.py, computed.py.
Tidying up and moving house: garbage.py, archive.py.
"""

from __future__ import annotations

from rlv.store.artifacts import KEY_DIGITS, Artifact, canonical, is_path_of, key_of
from rlv.store.claims import Claim, Timing
from rlv.store.computed import computed
from rlv.store.folders import (
    copy_file,
    file_digest,
    folder_problems,
    is_published,
    no_folder,
    place_fault,
    sync,
)
from rlv.store.manifests import DIGEST, MANIFEST, origin_fault, read_manifest, unsealed_lines
from rlv.store.probe import require_rules
from rlv.store.store import Publication, Store

__all__ = [
    "DIGEST",
    "KEY_DIGITS",
    "MANIFEST",
    "Artifact",
    "Claim",
    "Publication",
    "Store",
    "Timing",
    "canonical",
    "computed",
    "copy_file",
    "file_digest",
    "folder_problems",
    "is_path_of",
    "is_published",
    "key_of",
    "no_folder",
    "origin_fault",
    "place_fault",
    "read_manifest",
    "require_rules",
    "sync",
    "unsealed_lines",
]
