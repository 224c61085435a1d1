"""Every artifact behind a target, inputs first: its settings, its files, the run that made it.

All of it comes from manifests, whose files are verified first: a history with a hole or with a damaged file
is refused. Nothing in the store is changed. crate.py writes a history down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rlv.errors import DamagedArtifactError, DataError, StoreError
from rlv.outside.names import below
from rlv.provenance.measured import lasting
from rlv.run.order import places
from rlv.store import Artifact, Store, origin_fault
from rlv.store.artifacts import is_path_of
from rlv.store.computed import computed

SHOWN = 10


@dataclass(frozen=True)
class FileFact:
    """One published file. `lasting`: its digest without measurements (measured.py), or None."""

    sha256: str
    bytes: int
    lasting: str | None = None


@dataclass(frozen=True)
class Made:
    """How an artifact came about: end of its run (ISO 8601), machine, and everything that ran.

    `code` is a commit, with `-dirty` if the code was edited, or None outside a checkout; `by` is the
    user's account, if the store has noted it. In a training of several jobs all of this is of the last, and
    `earlier` has what the checkpoints record of those before it (training/loop.py), oldest first.
    """

    at: str
    host: str
    device: str
    python: str
    packages: Mapping[str, str]
    code: str | None
    seconds: float
    cpu_seconds: float
    peak_memory_mib: int
    threads: int
    by: str | None = None
    earlier: tuple[Mapping[str, Any], ...] = ()

    @property
    def started(self) -> str:
        """When the run, or its first part, began: an end less its seconds, ISO 8601."""
        at, seconds = (self.at, self.seconds)
        if self.earlier:
            at, seconds = self.earlier[0]["at"], self.earlier[0]["seconds"]
        return (datetime.fromisoformat(at) - timedelta(seconds=seconds)).isoformat(timespec="seconds")

    @property
    def parts(self) -> tuple[Mapping[str, Any], ...]:
        """All runs, with their device, host, python, packages and code; the one that published comes last."""
        return (*self.earlier, vars(self))

    @property
    def all_seconds(self) -> float:
        """Seconds of all parts together, without those lost between a checkpoint and a job's end."""
        return self.seconds + sum(part["seconds"] for part in self.earlier)


@dataclass(frozen=True)
class Record:
    """One artifact: what its key is made of, its files, and how it came about."""

    path: str
    name: str
    key: str
    spec: Mapping[str, Any]
    inputs: Mapping[str, str]  # role -> path
    how: Mapping[str, Any]
    files: Mapping[str, FileFact]
    made: Made

    @property
    def stage(self) -> str:
        return self.path.split("/")[0]


@dataclass(frozen=True)
class History:
    """A target and everything behind it. The target is the last of `records`, and inputs come first.

    `name` is what it was asked for by (a figure's name), `study` the study's.
    """

    name: str
    study: str
    records: tuple[Record, ...] = field(repr=False)

    @property
    def target(self) -> Record:
        return self.records[-1]


def history_of(
    name: str,
    study: str,
    target: Artifact,
    store: Store,
    *,
    quick: bool = False,
    log: Callable[[str], None] = lambda line: None,
) -> History:
    """The history of a published artifact, every file of it verified (`quick`: by size and time first).

    Raises StoreError naming what is not published, DamagedArtifactError naming every file that differs from
    its manifest.
    """
    chain = ordered(target)
    missing = [a.path for a in chain if not store.exists(a)]
    if missing:
        raise StoreError(
            f"{name}: {len(missing)} of the {len(chain)} artifacts behind it are not in {store.root}: "
            f"{_some(missing)}; run `snakemake … --config study={study} -- {name}` first, or name the store "
            "that has them with --store"
        )
    damaged = []
    for number, artifact in enumerate(chain, start=1):
        log(f"[{number}/{len(chain)}] {artifact.path}")
        damaged += store.problems_of(artifact, quick=quick)
    if damaged:
        raise DamagedArtifactError(
            f"{name}: damaged artifacts are behind it, so it has no history: {_some(damaged, '; ')}"
            "; `rlv fsck` sets them aside, and the next run makes them again"
        )
    users = Users()
    return History(name, study, tuple(record_of(a, store, users) for a in chain))


def ordered(target: Artifact) -> list[Artifact]:
    """An artifact and everything that it is made from, each once: stage by stage, inputs first."""
    seen: set[str] = set()

    def walk(artifact: Artifact) -> Iterator[Artifact]:
        if artifact.path not in seen:
            seen.add(artifact.path)
            for parent in artifact.inputs.values():
                yield from walk(parent)
            yield artifact

    # Stable: what is made from its own stage stays behind it.
    place = places([target])
    return sorted(walk(target), key=lambda artifact: place[artifact.path])


def artifacts_of(history: History) -> dict[str, Artifact]:
    """The history as artifacts that can be made again, by path.

    Raises StoreError if a record does not belong to its key, or an input is not in the history.
    """
    made: dict[str, Artifact] = {}
    for record in history.records:
        if not is_path_of(record.path, record.key):  # the name is no part of the key
            raise StoreError(f"{record.path!r}: is no place of an artifact; the history was edited")
        lacking = sorted({path for path in record.inputs.values() if path not in made})
        if lacking:
            raise StoreError(f"{record.path}: is made from {_some(lacking)}, which the history lacks")
        inputs = {role: made[path] for role, path in record.inputs.items()}
        artifact = Artifact(
            record.stage, record.name, record.spec["recipe"], record.spec["params"], inputs, record.how
        )
        if (artifact.key, artifact.path) != (record.key, record.path):
            raise StoreError(
                f"{record.path}: its specification does not belong to its key {record.key[:12]}…; the "
                "history was edited, make it again with `rlv provenance`"
            )
        made[record.path] = artifact
    return made


def record_of(artifact: Artifact, store: Store, users: Users) -> Record:
    """The record of one published artifact, from its manifest.

    Raises DamagedArtifactError if the manifest, or a file that holds measurements, is not readable,
    StoreError if the manifest does not state how the artifact was made.
    """
    manifest, folder = store.manifest(artifact), store.location(artifact)
    try:
        made = made_from(manifest)
    except ValueError as error:
        raise StoreError(
            f"{artifact.path}: its manifest does not state how it was made ({error}); move "
            f"{folder} away, and the next run makes it again"
        ) from error
    made = replace(made, by=users.of(folder, artifact.path, made.seconds, made.host))
    files = {
        name: FileFact(
            entry["sha256"], entry["bytes"], _lasting(artifact, name, below(folder, name, nested=True))
        )
        for name, entry in manifest["files"].items()
    }
    inputs = {role: parent.path for role, parent in artifact.inputs.items()}
    return Record(
        artifact.path, artifact.name, artifact.key, manifest["spec"], inputs, manifest["how"], files, made
    )


def made_from(manifest: Mapping[str, Any], by: str | None = None) -> Made:
    """How an artifact came about, from a manifest or from a mapping with the same keys.

    Raises ValueError, naming the key, if one is missing or is of another kind.
    """
    why = origin_fault(manifest)
    if why is not None:
        raise ValueError(why)
    amounts = ("seconds", "cpu_seconds", "peak_memory_mib", "threads")
    return Made(
        **{name: manifest["made"][name] for name in ("at", "host", "device", "python", "packages", "code")},
        **{name: manifest[name] for name in amounts},
        earlier=tuple(manifest["facts"].get("earlier", ())),
        by=by,
    )


def _lasting(artifact: Artifact, name: str, path: Path) -> str | None:
    try:
        return lasting(artifact.stage, name, path)
    except DataError as error:
        raise DamagedArtifactError(f"{artifact.path}: {error}") from error


class Users:
    """The users who published artifacts, from the logs of the stores, as far as these have them."""

    def __init__(self) -> None:
        self._logs: dict[Path, dict[tuple[Any, ...], str]] = {}

    def of(self, folder: Path, path: str, seconds: float, host: str) -> str | None:
        """The user who computed a path on a host in so many seconds, from the log of the folder's store.

        Other lines of the log are of artifacts that were lost since, came second, or were imported later.
        """
        root = folder.parents[1]
        if root not in self._logs:
            self._logs[root] = {
                (line["path"], line["seconds"], line["host"]): line["user"]
                for line in computed(root)
                if line["user"] and line.get("won", True)
            }
        return self._logs[root].get((path, seconds, host))


def _some(items: list[str], between: str = ", ") -> str:
    """The first SHOWN items, and how many more there are."""
    more = len(items) - SHOWN
    return between.join(items[:SHOWN]) + (f"{between}and {more} more" if more > 0 else "")
