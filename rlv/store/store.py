"""The content-addressed store: artifacts that have been computed, found by all that decides their content.

    <store>/<stage>/<name>-<12 hex>/            files and manifest.json, read-only
    <store>/.work/<stage>/<name>-<12 hex>/      checkpoints of jobs in progress; removed when they publish
    <store>/.work/<stage>/....lease-<n>         which process computes it (leases.py)
    <store>/.damaged/<...>                      artifacts that no longer match their manifests
    <store>/.passed-over/<...>                  damaged artifacts of upstreams, which are made here instead
    <store>/.log/computed.jsonl                 the artifacts that were computed, and the users

A job writes beside its place and publishes with one rename; manifest.json comes with the rename and without
it there is no artifact. Readers go through `Store.open`, which verifies the digests of what it hands out. A
store may have upstreams, other stores from which it only reads: nothing in them is ever made, moved or
removed, but for the mark of a job that reads there (readers.py).
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlv.errors import DamagedArtifactError, StoreError
from rlv.outside.names import below
from rlv.store import permissions, readers
from rlv.store.artifacts import Artifact, is_directory_of
from rlv.store.computed import log_computed
from rlv.store.folders import (
    copy_file,
    described,
    folder_problems,
    is_published,
    place_fault,
    sync,
    sync_tree,
    verify_file,
)
from rlv.store.leases import Lease, lease_of, leases_in
from rlv.store.leasing import Timing, leasing
from rlv.store.manifests import (
    MANIFEST,
    manifest_bytes,
    manifest_text,
    origin_fault,
    parsed_manifest,
    read_manifest,
    reading,
)
from rlv.store.passed_over import PassedOver
from rlv.store.processes import machine_name, process_alive, signature


class Store:
    """A folder of published artifacts. Cheap to make; touches nothing until something is published.

    `upstreams` are asked, in their order, for what is not in the store itself.
    """

    def __init__(
        self,
        root: Path | str,
        upstreams: Iterable[Path | str] = (),
        *,
        timing: Timing | None = None,
    ) -> None:
        self.root = Path(root)
        self.upstreams = tuple(Path(upstream) for upstream in upstreams)
        self._timing = timing
        self._passed_over = PassedOver(self.root)

    # ---- places

    def own_location(self, artifact: Artifact) -> Path:
        """The place of an artifact in the store itself, whether it is published or not."""
        return self.root / artifact.path

    def location(self, artifact: Artifact) -> Path:
        """The place where an artifact is published, here or in an upstream; else its place here."""
        own = self.own_location(artifact)
        if self.upstreams and not is_published(own):
            for upstream in self.upstreams:
                folder = upstream / artifact.path
                if is_published(folder) and folder not in self._passed_over:
                    return folder
        return own

    def manifest_path(self, artifact: Artifact) -> Path:
        return self.location(artifact) / MANIFEST

    def exists(self, artifact: Artifact) -> bool:
        """Whether it is published, here or in an upstream, damaged or not (see `problems_of`)."""
        return is_published(self.location(artifact))

    def is_own(self, folder: Path) -> bool:
        """Whether a folder is one of this store, not of an upstream."""
        return self.root in folder.parents and not any(
            upstream in folder.parents for upstream in self.upstreams if self.root in upstream.parents
        )

    def manifest(self, artifact: Artifact) -> dict[str, Any]:
        """The manifest. Raises DamagedArtifactError if it is no JSON or belongs to another key."""
        return read_manifest(self.location(artifact), artifact.key)

    # ---- reading

    def open(self, artifact: Artifact, file: str) -> Path:
        """The path of one file of a published artifact, after its digest has been verified.

        Raises StoreError if nothing is published, DamagedArtifactError if the file differs from the
        manifest; the damaged artifact is set aside, so that the next run makes it again.
        """
        return below(self._verify(artifact, [file]), file, nested=True)

    def open_all(self, artifact: Artifact) -> Path:
        """The artifact's folder, after every file of it has been verified."""
        return self._verify(artifact, None)

    def _verify(self, artifact: Artifact, files: list[str] | None) -> Path:
        folder = self.location(artifact)
        if not is_published(folder):
            raise StoreError(f"{folder}: not published; run the workflow for it first")
        try:
            known = read_manifest(folder, artifact.key)["files"]
            for name in known if files is None else files:
                if name not in known:
                    raise StoreError(f"{artifact.path}: has no file {name!r}; it has {', '.join(known)}")
                verify_file(folder, name, known[name])
        except DamagedArtifactError as error:
            aside = self.set_aside(artifact)
            raise DamagedArtifactError(f"{error}; {aside}; run again to remake it") from None
        return folder

    # ---- publishing

    def leasing(self, artifact: Artifact, log: Callable[[str], None] = print) -> AbstractContextManager[bool]:
        """Within the block no other process computes this key; False: it was published while we waited.

        Upstreams that inputs are read from get a mark meanwhile, if we may write there. Raises StoreError if
        the lease cannot be written.
        """
        about = {"key": artifact.key, "inputs": sorted({parent.path for parent in artifact.inputs.values()})}
        timing = self._timing or Timing.of_environment()
        lease = leasing(
            self._work(artifact),
            self.root,
            published=lambda: self.exists(artifact),
            about=about,
            timing=timing,
            log=log,
        )
        return readers.marked(lease, artifact, self.root, lambda: self._borrowed(artifact), timing)

    def _borrowed(self, artifact: Artifact) -> dict[Path, set[str]]:
        """Paths of the inputs that lie in upstreams, by upstream."""
        found: dict[Path, set[str]] = {}
        for parent in artifact.inputs.values():
            folder = self.location(parent)
            if not self.is_own(folder):
                found.setdefault(folder.parents[1], set()).add(parent.path)
        return found

    def lease_of(self, artifact: Artifact) -> Lease | None:
        """The last lease of a key, or None."""
        return lease_of(self._work(artifact))

    def all_leases(self) -> Iterator[Lease]:
        """The last lease of every key, of any study, sorted by path; not the marks of readers."""
        work = self.root / ".work"
        if work.is_dir():
            for folder in sorted(work.iterdir()):
                if folder.is_dir() and not folder.name.startswith("."):
                    yield from leases_in(folder)

    @contextmanager
    def publishing(self, artifact: Artifact) -> Iterator[Publication]:
        """A folder to write into; published as one artifact when the block ends without an error.

        The block puts what it measured into `Publication.facts`. After an error nothing is left behind.
        If another process has published the same key meanwhile, its artifact stays and ours is dropped
        (`Publication.won`).
        """
        with self.drafting(artifact.path) as publication:
            yield publication
            draft = publication.path
            if (draft / MANIFEST).exists():
                raise StoreError(
                    f"{artifact.path}: its stage wrote a file named {MANIFEST}, which only the store writes; "
                    "use another name"
                )
            manifest = {
                "key": artifact.key,
                "name": artifact.name,
                "spec": artifact.spec,
                "input_paths": {role: parent.path for role, parent in artifact.inputs.items()},
                "files": described(draft),
                **publication.facts,
            }
            (draft / MANIFEST).write_text(manifest_text(manifest))

    @contextmanager
    def drafting(self, path: str) -> Iterator[Publication]:
        """A folder to write into, manifest included; published at its path when the block ends.

        For callers that have a manifest already; `publishing` writes one.
        """
        place = below(self.root, path, nested=True)
        parent = place.parent
        prefix = f".draft-{place.name}-{machine_name()}-"
        draft = parent / f"{prefix}{os.getpid()}-{secrets.token_hex(4)}"
        try:
            permissions.make_folder(parent, self.root)
            _remove_dead_drafts(parent, prefix)
            permissions.make_folder(draft, self.root)
            publication = Publication(draft)
            yield publication
            permissions.seal(draft, self.root)
            sync_tree(draft)
            publication.won = self._publish(draft, place)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StoreError(f"{parent}: no space left while writing {path}") from error
            raise
        finally:
            permissions.remove_tree(draft)

    def _publish(self, draft: Path, place: Path) -> bool:
        """Whether the draft went to its place; False: a sound artifact was there before."""
        key = read_manifest(draft)["key"]
        for _ in range(3):
            try:
                draft.rename(place)  # replaces an empty folder, refuses a full one
                sync(place.parent)
                return True
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise
            if is_published(place) and not folder_problems(place, key):
                return False
            self.set_aside_folder(place, key)
        raise StoreError(f"{place}: could not be published; another process keeps writing there")

    def copy_from_upstream(self, artifact: Artifact) -> bool:
        """Publish an upstream's artifact here, byte for byte; returns whether it is here now.

        For a run that began before the upstream had it, and expects it in its own store. An upstream is not
        trusted: names stay below the draft, and a file is there only with the manifest's digest. As from an
        archive, nothing is taken that does not state how it was made.
        """
        source = self.location(artifact)
        if self.is_own(source):
            return False
        try:
            text = manifest_bytes(source)
            manifest = parsed_manifest(text, source / MANIFEST, artifact.key)
            why = origin_fault(manifest)
            if why is not None:
                raise DamagedArtifactError(f"{source}: does not state how it was made ({why})")
            with self.drafting(artifact.path) as publication:
                for name, entry in manifest["files"].items():
                    copy = copy_file(source, name, publication.path, entry["sha256"], entry["bytes"])
                    os.utime(copy, ns=(entry["mtime_ns"], entry["mtime_ns"]))
                (publication.path / MANIFEST).write_bytes(text)
        except (DamagedArtifactError, FileNotFoundError, NotADirectoryError):
            self.set_aside(artifact)
            return False
        except OSError as error:
            raise StoreError(f"{source}: cannot be copied to {self.root} ({error.strerror})") from error
        return True

    def log_computed(self, artifact: Artifact, seconds: float, *, won: bool = True) -> None:
        """Write down that this process computed an artifact; `won`: and published it. Raises OSError."""
        line = {
            "path": artifact.path,
            "key": artifact.key,
            "seconds": round(seconds, 3),
            "won": won,
            **signature(),
        }
        log_computed(self.root, line)

    def group_umask(self) -> AbstractContextManager[None]:
        """Within the block, what this process writes is as open as the store's folder (permissions.py)."""
        self.root.mkdir(parents=True, exist_ok=True)
        return permissions.group_umask(self.root)

    def _work(self, artifact: Artifact) -> Path:
        return self.root / ".work" / artifact.path

    @contextmanager
    def working(self, artifact: Artifact) -> Iterator[Path]:
        """Where a long job keeps its checkpoints; the next attempt at the same key finds it again.

        For the process that has the lease. Removed after publishing.
        """
        place = self._work(artifact)
        permissions.make_folder(place.parent, self.root)
        yield place
        if is_published(self.own_location(artifact)):
            permissions.remove_tree(place)

    # ---- health

    def problems_of(self, artifact: Artifact, *, quick: bool = False) -> list[str]:
        """The faults of a published artifact, one line each; none if it is sound.

        `quick` compares sizes and times and reads a file only if its time differs.
        """
        return folder_problems(self.location(artifact), artifact.key, quick=quick)

    def obstacle(self, artifact: Artifact) -> str | None:
        """Why the store's own place of an artifact is taken, such as by a file; None if it is not."""
        return place_fault(self.own_location(artifact))

    def set_aside(self, artifact: Artifact) -> str:
        """Move a damaged artifact out of its place, so that it is made again; returns a report for people.

        Nothing is deleted, and an artifact of an upstream is only remembered as damaged. If nothing is
        published, anything else in its place is moved (`obstacle`). Raises StoreError if this user may not.
        """
        folder = self.location(artifact)
        if self.is_own(folder):
            return self.set_aside_folder(folder, artifact.key)
        self._passed_over.add(folder)
        return f"an upstream's, which stays as it is and is passed over: {self.root} gets its own"

    def set_aside_folder(self, folder: Path, key: str | None = None) -> str:
        """Move a damaged folder of this store to `.damaged`; returns a report for people.

        Others may have found the damage, too, and have published anew since the caller looked, or nothing was
        wrong but that the folder could not be entered: a sound folder goes back. Raises
        StoreError if this user may not move it.
        """
        aside = self.root / ".damaged" / folder.parent.name / f"{folder.name}-{secrets.token_hex(4)}"
        try:
            moved = permissions.move(folder, aside, self.root)
        except FileNotFoundError as error:
            if place_fault(folder) is None:
                return "which another process has set aside"
            raise StoreError(f"{folder}: cannot be set aside ({error})") from error
        except (OSError, StoreError) as error:
            raise StoreError(f"{folder}: damaged, and cannot be set aside ({error})") from error
        with suppress(OSError, StoreError):  # not to be read now, or published once more: it stays there
            if not folder_problems(moved, key, place=folder):
                moved.rename(folder)
                permissions.close(folder, self.root)
                return "and sound after all: mended, or published anew by another process meanwhile"
        return f"set aside as {moved}"

    def folders(self) -> Iterator[Path]:
        """All folders published in this store, of any study, sorted by path, as far as they can be listed."""
        for stage in self.stages():
            with suppress(StoreError):  # `rlv fsck` names those
                yield from filter(is_published, self.places(stage))

    def stages(self) -> list[Path]:
        """The folders of stages, sorted. Raises StoreError if the store cannot be listed."""
        with reading(self.root):
            return sorted(p for p in self.root.iterdir() if not p.name.startswith(".") and p.is_dir())

    def places(self, stage: Path) -> list[Path]:
        """The places of artifacts in a stage's folder that are not empty, published or not, sorted.

        Raises StoreError if the folder cannot be listed.
        """
        with reading(stage):
            return sorted(p for p in stage.iterdir() if is_directory_of(p.name))


@dataclass
class Publication:
    """An artifact being written: its folder, the facts that go into the manifest, and how it ended.

    `won`: whether it was published; False until the block ends, and if a sound one was there before.
    """

    path: Path
    facts: dict[str, Any] = field(default_factory=dict)
    won: bool = False


def _remove_dead_drafts(parent: Path, prefix: str) -> None:
    """Remove the drafts of a key that killed jobs left on this machine since it was started."""
    for draft in parent.glob(f"{prefix}*"):
        ours = re.fullmatch(r"(\d+)-[0-9a-f]{8}", draft.name.removeprefix(prefix))
        if ours and not process_alive(int(ours[1])):
            permissions.remove_tree(draft)
