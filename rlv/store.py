"""The content-addressed store: what has been computed, found again by what decides its content.

    <store>/<stage>/<name>-<12 hex>/            files and manifest.json
    <store>/.work/<stage>/<name>-<12 hex>/      checkpoints of jobs in progress; removed when they publish
    <store>/.damaged/<...>                     what no longer matched its manifest, kept to be looked at

An artifact's key is the SHA-256 of canonical JSON of its stage, recipe version, parameters and its inputs'
keys. A job writes beside its place and publishes with one rename; manifest.json comes with the rename and
without it there is no artifact. Readers go through `Store.open`, which verifies the digests of what it
hands out. Left out on purpose: what artifacts there should be (plan/) and who computes them (stages).
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rlv.errors import DamagedArtifactError, StoreError

MANIFEST = "manifest.json"
KEY_DIGITS = 12


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; floats as Python's shortest repr; NaN and infinity refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@dataclass(frozen=True, eq=False)
class Artifact:
    """One node of the DAG: what decides its content, and the artifacts it is made from.

    `params` hold what decides content; `how` only what decides how it is computed (micro-batch, threads,
    labels) and stays out of the key. `inputs` are named by role; a role with many parts numbers them.
    """

    stage: str
    name: str
    recipe: int
    params: Mapping[str, Any]
    inputs: Mapping[str, Artifact] = field(default_factory=dict)
    how: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def spec(self) -> dict[str, Any]:
        """What the key is the hash of."""
        return {
            "stage": self.stage,
            "recipe": self.recipe,
            "params": dict(self.params),
            "inputs": {role: parent.key for role, parent in self.inputs.items()},
        }

    @cached_property
    def key(self) -> str:
        """SHA-256 over the canonical spec, as hex. The readable name is no part of it."""
        return hashlib.sha256(canonical(self.spec).encode()).hexdigest()

    @cached_property
    def directory(self) -> str:
        """`<name>-<12 hex>`; the stage's folder comes before it."""
        return f"{self.name}-{self.key[:KEY_DIGITS]}"

    @property
    def path(self) -> str:
        """`<stage>/<name>-<12 hex>`, how an artifact is named everywhere."""
        return f"{self.stage}/{self.directory}"


class Store:
    """A folder of published artifacts. Cheap to make; touches nothing until something is published."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def location(self, artifact: Artifact) -> Path:
        return self.root / artifact.stage / artifact.directory

    def manifest_path(self, artifact: Artifact) -> Path:
        return self.location(artifact) / MANIFEST

    def exists(self, artifact: Artifact) -> bool:
        """Published? (Says nothing of its health: see `problems_of`.)"""
        return self.manifest_path(artifact).is_file()

    def manifest(self, artifact: Artifact) -> dict[str, Any]:
        """The manifest; DamagedArtifactError where it is no JSON or belongs to another key."""
        return read_manifest(self.location(artifact), artifact.key)

    # ---- reading

    def open(self, artifact: Artifact, file: str) -> Path:
        """The path of one file of a published artifact, after its digest has been verified.

        Raises StoreError where nothing is published, DamagedArtifactError where the file differs from the
        manifest; the damaged artifact is set aside, so that the next run makes it again.
        """
        self._verify(artifact, [file])
        return self.location(artifact) / file

    def open_all(self, artifact: Artifact) -> Path:
        """The artifact's folder, after every file of it has been verified."""
        self._verify(artifact, None)
        return self.location(artifact)

    def _verify(self, artifact: Artifact, files: list[str] | None) -> None:
        if not self.exists(artifact):
            raise StoreError(f"{self.location(artifact)}: not published; run the workflow for it first")
        try:
            known = self.manifest(artifact)["files"]
            for name in known if files is None else files:
                if name not in known:
                    raise StoreError(f"{artifact.path}: has no file {name!r}; it has {', '.join(known)}")
                _verify_file(self.location(artifact), name, known[name])
        except DamagedArtifactError as error:
            aside = self.set_aside(artifact)
            raise DamagedArtifactError(f"{error}; set aside as {aside}; run again to remake it") from None

    # ---- publishing

    @contextmanager
    def publishing(self, artifact: Artifact) -> Iterator[Publication]:
        """A folder to write into; published as one artifact when the block ends without an error.

        The block puts what it measured into `Publication.facts`. After an error nothing is left behind.
        If somebody else has published the same key meanwhile, theirs stays and ours is dropped.
        """
        parent = self.root / artifact.stage
        self._remove_dead_drafts(parent, artifact)
        draft = parent / f"{_draft_prefix(artifact)}{os.getpid()}-{secrets.token_hex(4)}"
        try:
            draft.mkdir(parents=True)
            publication = Publication(draft)
            yield publication
            manifest = {
                "key": artifact.key,
                "name": artifact.name,
                "spec": artifact.spec,
                "input_paths": {role: parent.path for role, parent in artifact.inputs.items()},
                "files": {
                    name: {
                        "sha256": file_digest(draft / name),
                        "bytes": stat.st_size,
                        "mtime_ns": stat.st_mtime_ns,
                    }
                    for name, stat in _files_of(draft)
                },
                **publication.facts,
            }
            (draft / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
            _sync_tree(draft)
            self._publish(draft, artifact)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StoreError(f"{parent}: no space left while writing {artifact.path}") from error
            raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _publish(self, draft: Path, artifact: Artifact) -> None:
        place = self.location(artifact)
        for _ in range(3):
            try:
                draft.rename(place)  # replaces an empty folder, refuses a full one
                sync(place.parent)
                return
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            if self.exists(artifact) and not self.problems_of(artifact):
                return
            self.set_aside(artifact)
        raise StoreError(f"{place}: could not be published; another process keeps writing there")

    def _remove_dead_drafts(self, parent: Path, artifact: Artifact) -> None:
        """What a killed job of this key on this host has left half-written."""
        prefix = _draft_prefix(artifact)
        for draft in parent.glob(f"{prefix}*"):
            process = draft.name.removeprefix(prefix).split("-")[0]
            if not Path(f"/proc/{process}").exists():
                shutil.rmtree(draft, ignore_errors=True)

    @contextmanager
    def working(self, artifact: Artifact) -> Iterator[Path]:
        """Where a long job keeps its checkpoints; the next attempt at the same key finds it again.

        One process at a time: whoever comes second gets a folder of its own. Removed after publishing.
        """
        place = self.root / ".work" / artifact.stage / artifact.directory
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(place.with_name(f"{place.name}.lock"), "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                place = place.with_name(f"{place.name}-{secrets.token_hex(4)}")
            yield place
            if self.exists(artifact):
                shutil.rmtree(place, ignore_errors=True)

    # ---- health

    def problems_of(self, artifact: Artifact, *, quick: bool = False) -> list[str]:
        """What is wrong with a published artifact, one line each; empty when it is sound.

        `quick` compares sizes and times and reads a file only where its time differs.
        """
        return folder_problems(self.location(artifact), artifact.key, quick=quick)

    def set_aside(self, artifact: Artifact) -> Path:
        """Move a damaged artifact out of its place, so that it is made again; nothing is deleted."""
        return self.set_aside_folder(self.location(artifact))

    def set_aside_folder(self, folder: Path) -> Path:
        aside = self.root / ".damaged" / folder.parent.name / f"{folder.name}-{secrets.token_hex(4)}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        # Where it is gone already, somebody else was faster.
        with suppress(FileNotFoundError):
            folder.rename(aside)
        return aside

    def folders(self) -> Iterator[Path]:
        """All published folders, of any study, sorted by path."""
        for stage in sorted(p for p in self.root.iterdir() if not p.name.startswith(".")):
            if stage.is_dir():
                yield from sorted(
                    p for p in stage.iterdir() if not p.name.startswith(".") and (p / MANIFEST).is_file()
                )


@dataclass
class Publication:
    """An artifact being written: its folder, and the facts that go into the manifest."""

    path: Path
    facts: dict[str, Any] = field(default_factory=dict)


def _draft_prefix(artifact: Artifact) -> str:
    return f".draft-{artifact.directory}-{socket.gethostname()}-"


def read_manifest(folder: Path, key: str | None = None) -> dict[str, Any]:
    """A folder's manifest. Raises DamagedArtifactError where it is unreadable or another key's."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text())
        found = manifest["key"]
        _ = manifest["files"], manifest["spec"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedArtifactError(f"{path}: not a readable manifest ({error})") from error
    if hashlib.sha256(canonical(manifest["spec"]).encode()).hexdigest() != found or key not in (None, found):
        raise DamagedArtifactError(f"{path}: the manifest's spec does not belong to its key")
    return manifest


def folder_problems(folder: Path, key: str | None = None, *, quick: bool = False) -> list[str]:
    """What differs between a published folder and its manifest, one line each."""
    try:
        files = read_manifest(folder, key)["files"]
    except DamagedArtifactError as error:
        return [str(error)]
    found = []
    for name, entry in files.items():
        try:
            if quick:
                stat = (folder / name).stat()
                if (stat.st_size, stat.st_mtime_ns) == (entry["bytes"], entry["mtime_ns"]):
                    continue
            _verify_file(folder, name, entry)
        except FileNotFoundError:
            found.append(f"{folder / name}: missing")
        except DamagedArtifactError as error:
            found.append(str(error))
    if not quick:
        unknown = {name for name, _ in _files_of(folder)} - {*files, MANIFEST}
        found += [f"{folder / name}: not in the manifest" for name in sorted(unknown)]
    return found


def _verify_file(folder: Path, name: str, entry: Mapping[str, Any]) -> None:
    path = folder / name
    if not path.is_file():
        raise DamagedArtifactError(f"{path}: missing")
    size = path.stat().st_size
    if size != entry["bytes"]:
        raise DamagedArtifactError(f"{path}: has {size} bytes, published with {entry['bytes']}")
    if file_digest(path) != entry["sha256"]:
        raise DamagedArtifactError(f"{path}: its content differs from what was published")


def _files_of(folder: Path) -> list[tuple[str, os.stat_result]]:
    return [
        (str(path.relative_to(folder)), path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()
    ]


def sync(path: Path) -> None:
    """Wait until a file or folder is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_tree(folder: Path) -> None:
    """Bytes first, then the folders that name them: a rename must never outlive its content."""
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)
