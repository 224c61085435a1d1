"""Finding and removing everything in a store that no listed study needs.

Candidates: published artifacts, checkpoints and leases of artifacts that no process makes, drafts and copies
that killed processes left, and artifacts that were set aside as damaged. Everything of the listed studies
stays, and so does what came or changed within the last day (`older_than`), upstreams, and what is no
artifact. While something is computed that no listed study has, nothing is removed at all: another study runs,
and its needs cannot be known. The same holds for jobs of other stores that read this one as an upstream and
have left their mark here (readers.py). All this is asked again before each removal, and once more after the
renaming that begins it: a lease that was taken after the first look is seen by the second.

Everything is renamed before it is deleted, so that no process finds half of it. Readers that may not write
here are not seen, nor are runs without a job at this moment: list their studies. If something they need was
removed, their next run recomputes it. Only its owner can delete what belongs to another user.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rlv.errors import StoreError
from rlv.store.artifacts import KEY_DIGITS, is_directory_of
from rlv.store.folders import is_published, place_fault
from rlv.store.leases import Lease
from rlv.store.manifests import read_manifest
from rlv.store.permissions import remove_tree, user_name
from rlv.store.readers import FOLDER as READERS
from rlv.store.readers import readers_of
from rlv.store.store import Store

DAY = 24 * 3600.0
# A lease that was not touched for so long has no owner, whatever machine it was on.
ABANDONED = 3600.0

_LEFT = re.compile(rf"\.(draft|damaged|trash)-(.+?-[0-9a-f]{{{KEY_DIGITS}}})-.+")
# Checkpoints, leases and the drafts of leases begin with an artifact's name.
_WORK = re.compile(rf"(?:\.trash-|\.)?(.+?-[0-9a-f]{{{KEY_DIGITS}}})(?:[.-].*)?")
ARTIFACT, CHECKPOINTS, DAMAGED, LEFTOVER = "artifact", "checkpoints", "damaged", "leftover"


@dataclass(frozen=True)
class Item:
    """Something that can go: its place, its kind and artifact, its bytes and its owner."""

    place: Path
    kind: str
    target: str
    bytes: int
    uid: int

    @property
    def ours(self) -> bool:
        """Whether this user can delete it: published artifacts are read-only for all but their owner."""
        return os.geteuid() in (0, self.uid)


@dataclass(frozen=True)
class Garbage:
    """Items that can go, the number of those too young, and jobs of other studies, which forbid removing."""

    items: tuple[Item, ...]
    young: int
    strangers: tuple[Lease, ...]


@dataclass(frozen=True)
class Work:
    """The jobs at work, here and in stores that have this one as an upstream.

    `busy`: targets of the leases and of readers' marks; `inputs`: paths of the artifacts that they read;
    `strangers`: the leases for artifacts that no listed study has.
    """

    busy: frozenset[str]
    inputs: frozenset[str]
    strangers: tuple[Lease, ...]

    def holds(self, item: Item) -> bool:
        """Whether an item is in use."""
        return item.target in self.busy or (item.kind == ARTIFACT and item.target in self.inputs)


def work_at(store: Store, needed: Iterable[str]) -> Work:
    """The jobs at work at this moment. Raises StoreError if the store cannot be written."""
    keep, now = set(needed), _clock(store.root)
    leases = [c for c in (*store.all_leases(), *readers_of(store.root)) if _in_progress(c, now)]
    return Work(
        busy=frozenset(lease.target for lease in leases),
        inputs=frozenset(path for lease in leases for path in lease.content.get("inputs", ())),
        strangers=tuple(lease for lease in leases if _for(lease) not in keep),
    )


def find_garbage(store: Store, needed: Iterable[str], older_than: float = DAY) -> Garbage:
    """Everything in a store that can go if the artifacts `needed` (`<stage>/<name>-<12 hex>`) stay.

    `older_than`: seconds by the clock of the store's file system. Raises StoreError if there is no store,
    or if it cannot be written.
    """
    if not store.root.is_dir():
        raise StoreError(f"{store.root}: no store here; a run makes it")
    keep, now = set(needed), _clock(store.root)
    work = work_at(store, keep)
    found: list[Item] = []
    young = 0
    for place, kind, target in _candidates(store, keep | work.inputs, work.busy):
        with suppress(FileNotFoundError):  # gone while we looked
            size, changed = _measure(place)
            # An item whose removal had begun needs no age.
            if now - changed < older_than and not place.name.startswith(".trash-"):
                young += 1
            else:
                found.append(Item(place, kind, target, size, place.lstat().st_uid))
    return Garbage(tuple(found), young, work.strangers)


def remove(item: Item, taken: Callable[[Item], bool] = lambda item: False) -> bool:
    """Rename an item to a hidden name, then delete it; whether it is gone.

    An artifact or checkpoints that are `taken`, asked after the renaming, get their place back; also if
    asking failed.
    """
    if item.kind == LEFTOVER and not item.place.is_dir():
        item.place.unlink(missing_ok=True)
        return True
    place = item.place
    if not place.name.startswith(".trash-"):
        place = place.with_name(f".trash-{place.name.removeprefix('.')}-{secrets.token_hex(4)}")
        try:
            item.place.rename(place)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        stays = item.kind in (ARTIFACT, CHECKPOINTS)
        try:
            stays = stays and taken(item)
        finally:
            if stays:
                with suppress(OSError):  # published anew since: then that one stays
                    place.rename(item.place)
        if stays and not place.exists():
            return False
    return remove_tree(place)


def gc_lines(store: Store, needed: Iterable[str], *, yes: bool, older_than: float = DAY) -> list[str]:
    """List all that can go with its size; with `yes` remove it.

    Raises StoreError instead of removing, or of going on with it, while something is computed that no listed
    study has.
    """
    needed = set(needed)
    garbage = find_garbage(store, needed, older_than)
    busy = [_sentence(lease) for lease in garbage.strangers]
    if yes:
        _stop(store, garbage.strangers, "nothing was removed")
    ours = [item for item in garbage.items if item.ours]
    lines = [f"{item.kind:12s}{item.bytes:15,d}  {_name(store, item)}" for item in ours]
    if yes:
        gone: list[Item] = []
        for item in ours:
            work = work_at(store, needed)
            _stop(store, work.strangers, f"{len(gone)} of {len(ours)} were removed")
            if work.holds(item):
                lines.append(f"in use since: {_name(store, item)}")
            elif remove(item, lambda item: _taken(store, needed, item)):
                gone.append(item)
            else:
                lines.append(f"not removed: {_name(store, item)}")
        lines.append(f"removed {len(gone)} of {len(ours)}: {sum(i.bytes for i in gone):,} bytes")
    else:
        total = sum(item.bytes for item in ours)
        lines.append(f"{len(ours)} can go: {total:,} bytes (--yes removes them)")
        if ours and _readable_by_others(store.root):
            lines.append(
                "not seen: jobs of other stores that read here and may not write; list their studies, too"
            )
    lines += [
        f"{count} of {owner} can go: {size:,} bytes; only {owner} can remove them"
        for owner, count, size in _others(garbage.items)
    ]
    if garbage.young:
        lines.append(f"{garbage.young} more are younger than {older_than / 3600:g} hours, and stay")
    return lines + [f"not now: {line}, for a study that is not listed" for line in busy]


def _stop(store: Store, strangers: Iterable[Lease], how_far: str) -> None:
    busy = [_sentence(lease) for lease in strangers]
    if busy:
        message = f"{store.root}: a study that is not listed is running; {how_far}; list it, too, or wait:\n"
        raise StoreError(message + "\n".join(busy))


def _taken(store: Store, needed: set[str], item: Item) -> bool:
    work = work_at(store, needed)
    return bool(work.strangers) or work.holds(item)


def _for(lease: Lease) -> str:
    """The target, `<stage>/<name>-<12 hex>`; that of a reader is in its own store."""
    return str(lease.content.get("for", lease.target))


def _sentence(lease: Lease) -> str:
    reader = f" for {lease.content['store']}, from here," if "store" in lease.content else ""
    return f"{_for(lease)} is being computed{reader} by {lease.owner()}"


def _readable_by_others(root: Path) -> bool:
    mode = root.stat().st_mode
    return any(mode & read and not mode & write for read, write in ((0o040, 0o020), (0o004, 0o002)))


def _name(store: Store, item: Item) -> str:
    return str(item.place.relative_to(store.root))


def _others(items: Iterable[Item]) -> list[tuple[str, int, int]]:
    """(User, number of items, bytes) of all that others own."""
    found: dict[int, list[int]] = {}
    for item in items:
        if not item.ours:
            found.setdefault(item.uid, []).append(item.bytes)
    return [(user_name(uid), len(sizes), sum(sizes)) for uid, sizes in sorted(found.items())]


def _candidates(store: Store, keep: set[str], busy: frozenset[str]) -> Iterator[tuple[Path, str, str]]:
    """(Place, kind, path of the artifact it is of) of all that is not kept and that no process makes."""
    for stage in _folders(store.root):
        if stage.name.startswith("."):
            continue
        for place in _folders(stage):
            left = _LEFT.fullmatch(place.name)
            if left is not None:
                if (path := f"{stage.name}/{left[2]}") not in busy:
                    yield place, DAMAGED if left[1] == "damaged" else LEFTOVER, path
                continue
            path = f"{stage.name}/{place.name}"
            if path not in keep | busy and _is_artifact(place, stage.name):
                yield place, ARTIFACT, path
    for stage in _folders(store.root / ".damaged"):
        yield from ((place, DAMAGED, "") for place in _folders(stage))
    yield from _work_of(store.root, keep, busy)
    yield from ((place, LEFTOVER, "") for place in _folders(store.root) if place.name.startswith(".probe-"))


def _work_of(root: Path, keep: set[str], busy: frozenset[str]) -> Iterator[tuple[Path, str, str]]:
    """(Place, kind, path of the artifact it is of) of checkpoints, leases and marks that are not kept."""
    for stage in _folders(root / ".work"):
        for place in sorted(stage.iterdir()):
            of = _WORK.fullmatch(place.name)
            if of is None or place.is_symlink():
                continue
            # A reader's mark is of nothing but itself.
            path = f"{stage.name}/{place.stem if stage.name == READERS else of[1]}"
            if path in busy:
                continue
            # An artifact that a listed study still has to make goes on from its checkpoints.
            if path not in keep or is_published(root / path) or place.name.startswith("."):
                yield place, CHECKPOINTS if place.is_dir() else LEFTOVER, path


def _is_artifact(place: Path, stage: str) -> bool:
    """Whether a folder is surely one that this project published, or an empty one in the place of one."""
    if not is_directory_of(place.name):
        return False
    try:
        if not is_published(place):
            return place_fault(place) is None
        manifest = read_manifest(place)
        digits = manifest["key"][:KEY_DIGITS]
        return manifest["spec"]["stage"] == stage and place.name == f"{manifest['name']}-{digits}"
    except (StoreError, KeyError, TypeError):
        return False  # damaged, or not to be read now: `rlv fsck` names it


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir() and not p.is_symlink())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []  # nothing that could go from here


def _in_progress(lease: Lease, now: float) -> bool:
    return not lease.released and not lease.gone() and now - lease.touched / 1e9 < ABANDONED


def _measure(place: Path) -> tuple[int, float]:
    """(Bytes, when something of it last changed, arrived or was renamed; seconds) of a file or folder."""
    found = place.lstat()
    size, changed = (0 if place.is_dir() else found.st_size), max(found.st_mtime, found.st_ctime)
    if place.is_dir() and not place.is_symlink():
        for path in place.rglob("*"):
            stat = path.lstat()
            size += 0 if path.is_dir() else stat.st_size
            changed = max(changed, stat.st_ctime)
    return size, changed


def _clock(root: Path) -> float:
    """The time by the clock from which the store's files get theirs: not always this machine's."""
    path = root / f".clock-{secrets.token_hex(8)}"
    try:
        path.touch()
        return path.stat().st_mtime
    except OSError as error:
        raise StoreError(f"{root}: cannot be written ({error.strerror})") from error
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
