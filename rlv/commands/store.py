"""Commands on a whole store: `rlv fsck` and `rlv gc`, `rlv export` and `rlv import`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rlv.commands.places import plan_and_store, settings_of
from rlv.commands.printing import say
from rlv.errors import StoreError, StudyError
from rlv.outside.names import below
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.run.stages import STAGES
from rlv.store import DIGEST, Store, require_rules, unsealed_lines
from rlv.store.archive import export_artifacts, import_artifacts
from rlv.store.folders import folder_problems, is_published, no_folder, place_fault
from rlv.store.garbage import gc_lines
from rlv.store.manifests import read_manifest


def add_fsck(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_fsck)


def _fsck(options: Namespace) -> int:
    lines, damaged = fsck_lines(Store(settings_of(options).store))
    say(lines)
    return 1 if damaged else 0


def fsck_lines(store: Store) -> tuple[list[str], int]:
    """Verify every published file of a store; returns lines, and the number of artifacts that are not sound.

    Damaged artifacts are set aside. So is anything else in the place of an artifact: a file, a link to no
    folder, a folder without a manifest, a folder that may not be entered. Raises StoreError without a store.
    """
    if not store.root.is_dir():
        raise StoreError(f"{store.root}: no store here; a run makes it")
    lines, sound, damaged, unread = [], 0, 0, 0
    older: list[str] = []
    places, unread_stages = _places(store)
    lines += unread_stages
    unread += len(unread_stages)
    for folder in places:
        try:
            found = folder_problems(folder, place=folder)
            if not found:
                sound += 1
                if DIGEST not in read_manifest(folder):
                    older.append(str(folder.relative_to(store.root)))
                continue
        except StoreError as error:
            unread += 1
            lines.append(str(error))
            continue
        damaged += 1
        lines += [f"damaged: {folder.relative_to(store.root)}", *(f"  {line}" for line in found)]
        try:
            lines.append(f"  {store.set_aside_folder(folder)}; the next run makes it again")
        except StoreError as error:
            lines.append(f"  {error}")
    lines += unsealed_lines(older)
    counts = f"{sound} artifacts sound, {damaged} damaged"
    return [*lines, counts + (f", {unread} that cannot be read" if unread else "")], damaged + unread


def _places(store: Store) -> tuple[list[Path], list[str]]:
    """(Places of artifacts that are not empty, published or not; lines on stages that cannot be listed).

    A file or link in the place of a stage's folder stays there: its disk may not be mounted now.
    """
    found, unread = [], []
    for stage in STAGES:
        place = below(store.root, stage)
        try:
            fault = no_folder(place)
        except OSError as error:
            unread.append(f"{place}: cannot be read ({error.strerror})")
            continue
        if fault is not None:
            unread.append(f"{place}: {fault}; move it away, or mount what it leads to")
    for stage in store.stages():
        try:
            places = store.places(stage)
        except StoreError as error:
            unread.append(str(error))
            continue
        # An empty folder was made for a job and is no place of anything yet.
        found += [place for place in places if is_published(place) or place_fault(place) is not None]
    return found, unread


def add_gc(parser: ArgumentParser) -> None:
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="studies whose artifacts stay; also other people's, and those of readers of this store that may "
        "not write to it: their jobs leave no mark here and are not seen",
    )
    parser.add_argument("--yes", action="store_true", help="remove; without it nothing is")
    parser.add_argument(
        "--older-than", type=float, default=24, metavar="HOURS", help="what is younger stays; default: 24"
    )
    parser.set_defaults(run=_gc)


def _gc(options: Namespace) -> None:
    if not options.names:
        raise StudyError("name the studies whose artifacts stay; all that none of them needs can go")
    if not 0 <= options.older_than < float("inf"):
        raise StudyError(f"--older-than: found {options.older_than}; hours, 0 or more, would do")
    needed = {path for name in options.names for path in build_plan(load(name)).artifacts}
    store = settings_of(options).open()
    say(gc_lines(store, needed, yes=options.yes, older_than=options.older_than * 3600))


def add_export(parser: ArgumentParser) -> None:
    parser.add_argument("name", help="the study")
    parser.add_argument("file", type=Path)
    parser.add_argument("--partial", action="store_true", help="what is published, though some is not")
    parser.set_defaults(run=_export)


def _export(options: Namespace) -> None:
    plan, store = plan_and_store(options, options.name)
    every = plan.artifacts.values()
    say(export_artifacts(every, store, plan.study.name, options.file, partial=options.partial))


def add_import(parser: ArgumentParser) -> None:
    parser.add_argument("file", type=Path)
    parser.set_defaults(run=_import)


def _import(options: Namespace) -> None:
    store = settings_of(options).open()
    require_rules(store.root)
    say(import_artifacts(store, options.file))
