"""Artifacts by a key, a path, a name, or the beginning of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from rlv.errors import StoreError, StudyError
from rlv.plan import Plan
from rlv.store import Artifact, Store
from rlv.store.folders import is_published
from rlv.store.manifests import read_manifest


def find(plan: Plan, store: Store, wanted: str) -> tuple[str, dict[str, Any], Artifact | None]:
    """(path, spec, the study's artifact or None) of the artifact with a key, path or name (or its beginning).

    Looks in the study first, then in the store. Raises StudyError if nothing or several things fit.
    """
    planned = [a for a in plan.artifacts.values() if _fits(wanted, a.path, a.key)]
    exact = [a for a in planned if wanted in (a.path, a.key, a.name, a.directory)]
    for found in (exact, planned):
        if len(found) == 1:
            return found[0].path, found[0].spec, found[0]
    if len(planned) > 1:
        raise StudyError(f"{wanted!r} could be {', '.join(a.path for a in planned)}")
    stored: dict[str, dict[str, Any]] = {}
    for root in (*reversed(store.upstreams), store.root):
        for folder, manifest in readable(Store(root).folders()) if root.is_dir() else ():
            path = str(folder.relative_to(root))
            if _fits(wanted, path, manifest["key"]):
                stored[path] = manifest
    if len(stored) != 1:
        names = ", ".join(stored) or "nothing in study or store"
        raise StudyError(f"{wanted!r}: found {names}; see `rlv study show`")
    (path, manifest), *_ = stored.items()
    return path, manifest["spec"], None


def _fits(wanted: str, path: str, key: str) -> bool:
    directory = path.split("/")[1]
    digits = directory.rsplit("-", 1)[-1]
    return (
        key.startswith(wanted) or path.startswith(wanted) or directory.startswith(wanted) or digits == wanted
    )


def readable(folders: Iterable[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Folders with their manifests; those without a readable one are left to `rlv fsck`."""
    for folder in folders:
        with suppress(StoreError):
            yield folder, read_manifest(folder)


def namesakes(artifact: Artifact, store: Store) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Published artifacts of the same stage and name but another key: other settings or older code."""
    for folder in everywhere(store, f"{artifact.stage}/{artifact.name}-*"):
        if is_published(folder) and len(folder.name) == len(artifact.directory):
            with suppress(StoreError):  # `rlv fsck` names those
                manifest = read_manifest(folder)
                if manifest["key"] != artifact.key:
                    yield folder, manifest


def everywhere(store: Store, pattern: str) -> list[Path]:
    """Folders of the store and of its upstreams, each sorted."""
    return [path for root in (store.root, *store.upstreams) for path in sorted(root.glob(pattern))]
