"""A study's artifacts as one archive that is verified when it is read: `rlv export`, `rlv import`.

A tar archive without compression (tables and weights have none left to gain). Its first member,
index.json, names every member that follows, in order, with size and SHA-256; then come the artifacts by
path, the files of each by name, its manifest last. Times and owners are not stored, so that the same
artifacts give the same bytes. Nothing is taken from an archive that its index does not name, and an
artifact is published, by the same rename as everywhere, only if all of its files agree with the index and
its manifest. Archives are not signed: compare the index's digest, which both commands print.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from rlv.errors import DamagedArtifactError, StoreError
from rlv.outside.files import parse_json
from rlv.outside.names import below, fault_of, opened
from rlv.store.artifacts import KEY_DIGITS, Artifact, is_path_of
from rlv.store.folders import folder_problems, is_published
from rlv.store.manifests import (
    DIGEST,
    MANIFEST,
    manifest_bytes,
    origin_fault,
    parsed_manifest,
    read_manifest,
    unsealed_lines,
)
from rlv.store.store import Publication, Store

INDEX = "index.json"
FORMAT = "rlv artifacts 1"
_CHUNK = 1 << 20
# An index of a hundred thousand artifacts has some 100 MB.
_LARGEST_INDEX = 1 << 30


# ---- writing


def export_artifacts(
    artifacts: Iterable[Artifact], store: Store, study: str, file: Path, *, partial: bool = False
) -> list[str]:
    """Write those of the artifacts that are published here or in an upstream; returns a report for people.

    Raises StoreError if one is not published (unless `partial`), does not state how it was made, or the file
    exists, DamagedArtifactError if a file differs from its manifest.
    """
    ordered = sorted({a.path: a for a in artifacts}.values(), key=lambda a: a.path)
    missing = [a.path for a in ordered if not store.exists(a)]
    if missing and not partial:
        named = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise StoreError(
            f"study {study}: {len(missing)} of {len(ordered)} artifacts are not published ({named}); run it "
            "first, or add --partial"
        )
    if file.exists():
        raise StoreError(f"{file}: exists; name another file, or remove it")
    there = [a for a in ordered if store.exists(a)]
    folders = {a.path: store.location(a) for a in there}
    entries = {a.path: _entry(folders[a.path], a.key) for a in there}
    index = {"format": FORMAT, "study": study, "artifacts": entries}
    text = (json.dumps(index, indent=1, sort_keys=True) + "\n").encode()
    partly = file.with_name(f".{file.name}.{secrets.token_hex(4)}.partial")
    try:
        with tarfile.open(partly, "w", format=tarfile.PAX_FORMAT) as tar:
            tar.addfile(_member(INDEX, len(text)), io.BytesIO(text))
            for path, name, stated in _members(index["artifacts"]):
                _add(tar, f"{path}/{name}", folders[path], name, stated)
        with open(partly, "rb") as handle:
            os.fsync(handle.fileno())
        partly.replace(file)
    except OSError as error:
        raise StoreError(f"{file}: cannot be written ({error.strerror})") from error
    finally:
        partly.unlink(missing_ok=True)
    size = sum(stated["bytes"] for _, _, stated in _members(entries))
    lines = [f"{file}: {len(there)} artifacts of study {study}, {size:,} bytes"]
    if missing:
        lines.append(f"not published, and so not in it: {len(missing)} artifacts")
    return [*lines, f"index: sha256 {hashlib.sha256(text).hexdigest()}"]


def _entry(folder: Path, key: str) -> dict[str, Any]:
    """The entry of an artifact in the index."""
    text = manifest_bytes(folder)
    manifest = parsed_manifest(text, folder / MANIFEST, key)
    why = origin_fault(manifest)
    if why is not None:
        raise StoreError(
            f"{folder / MANIFEST}: does not state how the artifact was made ({why}), so no store would "
            "import it; move its folder away and make it again"
        )
    files = {
        name: {"bytes": entry["bytes"], "sha256": entry["sha256"]}
        for name, entry in manifest["files"].items()
    }
    files[MANIFEST] = {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
    return {"key": key, "files": files}


def _members(artifacts: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(Artifact, file, its entry in the index) in the order of the archive."""
    for path in sorted(artifacts):
        files = artifacts[path]["files"]
        for name in sorted(files, key=lambda name: (name == MANIFEST, name)):
            yield path, name, files[name]


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o444
    return info


def _add(tar: tarfile.TarFile, member: str, folder: Path, name: str, stated: Mapping[str, Any]) -> None:
    with opened(folder, name, error=DamagedArtifactError) as handle:
        size = os.fstat(handle.fileno()).st_size
        if size != stated["bytes"]:
            raise DamagedArtifactError(f"{folder}/{name}: has {size} bytes, published with {stated['bytes']}")
        reading = _Hashing(handle)
        tar.addfile(_member(member, size), reading)  # type: ignore[arg-type]  # it only reads
    if reading.hash.hexdigest() != stated["sha256"]:
        raise DamagedArtifactError(
            f"{folder}/{name}: its content differs from what was published; `rlv fsck` sets it aside"
        )


class _Hashing:
    """A file that is hashed while it is read."""

    def __init__(self, handle: IO[bytes]) -> None:
        self.handle, self.hash = handle, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.handle.read(size)
        self.hash.update(data)
        return data


# ---- reading


def import_artifacts(store: Store, file: Path) -> list[str]:
    """Verify an archive and publish its artifacts; returns a report for people.

    An artifact that the store or an upstream has already stays. Archives of older versions have manifests
    without digests of their own: they are taken, and named. Raises StoreError, naming the member, if the
    archive is cut off, was changed, or names places outside of the store; artifacts before it are published.
    """
    reader = _Reader(store, file)
    try:
        # Never a compressed one, which a few bytes make as large as they like.
        with open(file, "rb") as handle, tarfile.open(fileobj=handle, mode="r|") as tar:
            return reader.read(tar)
    except (tarfile.TarError, EOFError) as error:
        why = "cut off or damaged" + (", or compressed: unpack it first" if reader.expected == INDEX else "")
        raise StoreError(reader.at(f"cannot be read ({error}); the archive is {why}")) from error
    except OSError as error:
        raise StoreError(reader.at(f"cannot be read ({error.strerror or error})")) from error


class _Reader:
    """The state of reading an archive: the member that is expected next, and the artifacts so far."""

    def __init__(self, store: Store, file: Path) -> None:
        self.store, self.file = store, file
        self.expected = INDEX
        self.published: list[str] = []
        self.there: list[str] = []
        self.unsealed: list[str] = []

    def at(self, text: str) -> str:
        done = f" ({len(self.published)} artifacts before it were imported)" if self.published else ""
        return f"{self.file}: {self.expected}: {text}{done}"

    def read(self, tar: tarfile.TarFile) -> list[str]:
        text = self._index(tar)
        index = self._checked(text)
        for path in sorted(index["artifacts"]):
            self._artifact(tar, path, index["artifacts"][path])
        extra = tar.next()
        if extra is not None:
            self.expected = extra.name
            raise StoreError(self.at("is not in the archive's index"))
        return [
            f"{self.file}: study {index['study']}: {len(self.published)} artifacts imported, "
            f"{len(self.there)} were there already",
            *(f"imported      {path}" for path in self.published),
            *(f"there already {path}" for path in self.there),
            *unsealed_lines(self.unsealed),
            f"index: sha256 {hashlib.sha256(text).hexdigest()}",
        ]

    def _next(self, tar: tarfile.TarFile, name: str) -> tarfile.TarInfo:
        self.expected = name
        found = tar.next()
        if found is None:
            raise StoreError(self.at("is missing; the archive is cut off or damaged"))
        if found.name != name:
            raise StoreError(self.at(f"expected here, found {found.name!r}"))
        if not found.isreg() or found.issparse():
            raise StoreError(self.at("is no ordinary file"))
        return found

    def _content(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
        handle = tar.extractfile(member)
        assert handle is not None
        left = member.size
        while left:
            data = handle.read(min(_CHUNK, left))
            if not data:
                raise StoreError(self.at(f"ends {left} bytes too early; the archive is cut off"))
            left -= len(data)
            yield data

    def _index(self, tar: tarfile.TarFile) -> bytes:
        member = self._next(tar, INDEX)
        if member.size > _LARGEST_INDEX:
            raise StoreError(self.at(f"has {member.size} bytes; no index is so large"))
        return b"".join(self._content(tar, member))

    def _checked(self, text: bytes) -> dict[str, Any]:
        """The index, of the right form and with names that stay inside of a store."""
        try:
            index = parse_json(text)
            if index["format"] != FORMAT:
                raise StoreError(self.at(f"format {index['format']!r}; this version reads {FORMAT!r}"))
            for path, entry in index["artifacts"].items():
                if not is_path_of(path, entry["key"]):
                    raise StoreError(self.at(f"names {path!r}, which is no place of an artifact"))
                for name, stated in entry["files"].items():
                    why = fault_of(name, nested=True)
                    if why is not None:
                        named = f"names {path}/{name[:100]!r}, which is no file of an artifact"
                        raise StoreError(self.at(f"{named}: it {why}"))
                    if not isinstance(stated["bytes"], int) or not isinstance(stated["sha256"], str):
                        raise ValueError(f"{path}/{name}")
                if MANIFEST not in entry["files"]:
                    raise StoreError(self.at(f"names {path} without its {MANIFEST}"))
            _ = index["study"]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise StoreError(self.at(f"is no index of an archive of artifacts ({error!r})")) from error
        return index

    def _artifact(self, tar: tarfile.TarFile, path: str, entry: Mapping[str, Any]) -> None:
        if _has(self.store, path, entry["key"]):
            for _, name, stated in _members({path: entry}):
                self._file(tar, f"{path}/{name}", stated, None)
            self.there.append(path)
            return
        with self.store.drafting(path) as publication:
            for _, name, stated in _members({path: entry}):
                target = below(publication.path, name, nested=True)
                target.parent.mkdir(parents=True, exist_ok=True)
                with open(target, "xb") as handle:
                    self._file(tar, f"{path}/{name}", stated, handle)
            sealed = self._complete(path, entry, publication)
        (self.published if publication.won else self.there).append(path)
        if publication.won and not sealed:
            self.unsealed.append(path)

    def _file(self, tar: tarfile.TarFile, name: str, stated: Mapping[str, Any], to: IO[bytes] | None) -> None:
        member = self._next(tar, name)
        if member.size != stated["bytes"]:
            raise StoreError(self.at(f"has {member.size} bytes, {stated['bytes']} in the index"))
        digest = hashlib.sha256()
        for data in self._content(tar, member):
            digest.update(data)
            if to is not None:
                with _own_disk(self.store):
                    to.write(data)
        if digest.hexdigest() != stated["sha256"]:
            raise StoreError(self.at("its content is not what the index has; the archive was changed"))

    def _complete(self, path: str, entry: Mapping[str, Any], publication: Publication) -> bool:
        """Compare the manifest with artifact and index; returns whether it has a digest of its own."""
        self.expected = f"{path}/{MANIFEST}"
        try:
            manifest = read_manifest(publication.path, entry["key"])
            own = f"{manifest['spec']['stage']}/{manifest['name']}-{manifest['key'][:KEY_DIGITS]}"
        except (DamagedArtifactError, KeyError) as error:
            raise StoreError(self.at(f"is no manifest of this artifact ({error})")) from error
        why = origin_fault(manifest)
        if why is not None:
            raise StoreError(
                self.at(f"does not state how the artifact was made ({why}); nothing without that is imported")
            )
        files = {n: {"bytes": e["bytes"], "sha256": e["sha256"]} for n, e in manifest["files"].items()}
        times = {n: e["mtime_ns"] for n, e in manifest["files"].items()}
        if own != path or {**files, MANIFEST: entry["files"][MANIFEST]} != entry["files"]:
            raise StoreError(self.at("has other files than the index; the archive was changed"))
        # The manifest stays as it is, to the byte, and with these times a quick look need not read files.
        for name, time in times.items():
            os.utime(below(publication.path, name, nested=True), ns=(time, time))
        return DIGEST in manifest


@contextmanager
def _own_disk(store: Store) -> Iterator[None]:
    """Have errors of the store's disk within the block name the store, not the archive."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{store.root}: cannot be written ({error.strerror})") from error


def _has(store: Store, path: str, key: str) -> bool:
    """Whether a sound artifact is there, here or in an upstream.

    Moves nothing, since the archive is not verified yet; publishing sets a damaged one aside.
    """
    folders = (below(root, path, nested=True) for root in (store.root, *store.upstreams))
    return any(is_published(folder) and not folder_problems(folder, key) for folder in folders)
