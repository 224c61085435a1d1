"""`rlv provenance` and `rlv replay`: every artifact behind a figure, and all of it made again elsewhere."""

from __future__ import annotations

import difflib
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

from rlv.commands.find import find
from rlv.commands.places import plan_and_store
from rlv.commands.printing import say, say_progress, say_text
from rlv.errors import RlvError, StoreError, StudyError
from rlv.outside.names import below
from rlv.plan import Plan, build_plan
from rlv.plan.reading import load
from rlv.provenance.crate import METADATA, read_crate, write_crate
from rlv.provenance.history import history_of
from rlv.provenance.replay import Replay, replay, summary_lines
from rlv.provenance.report import history_lines
from rlv.store import Artifact, Store
from rlv.study.configuration import results_folder, settings, store_folder

Log = Callable[[str], None]


def add_provenance(parser: ArgumentParser) -> None:
    parser.add_argument("wanted", metavar="FIGURE", help="or claims, or an artifact's key, path or name")
    parser.add_argument(
        "--into", type=Path, help="folder of the crate; default: results/STUDY/provenance/FIGURE"
    )
    parser.add_argument("--quick", action="store_true", help="verify files by size and time first")
    parser.set_defaults(run=_provenance)


def _provenance(options: Namespace) -> None:
    plan, store = plan_and_store(options)
    log = say_progress  # verifying many gigabytes takes a while
    say(provenance(options.wanted, plan, store, into=options.into, quick=options.quick, log=log))


def add_replay(parser: ArgumentParser) -> None:
    parser.add_argument("wanted", metavar="CRATE", help="of `rlv provenance`; or a figure of the study")
    parser.add_argument("--into", type=Path, help="folder of logs and report; default: in the new store")
    parser.add_argument("--any-code", action="store_true", help="with this code, whatever commit made it")
    parser.set_defaults(run=_replay)


def _replay(options: Namespace) -> int:
    done = replayed(
        options.wanted,
        options.store,
        options.study,
        options.upstream,
        into=options.into,
        any_code=options.any_code,
        log=say_text,
    )
    say(["", *summary_lines(done)])
    return 1 if done.differing else 0


def provenance(
    wanted: str, plan: Plan, store: Store, *, into: Path | None, quick: bool, log: Log
) -> list[str]:
    """Write the crate of a figure or artifact and return the table for people, the crate's place last.

    Raises StudyError if the study has no such target, StoreError as `history_of` and `write_crate`.
    """
    name, artifact = target_of(plan, store, wanted)
    history = history_of(name, plan.study.name, artifact, store, quick=quick, log=log)
    results = below(results_folder(), plan.study.name)
    folder = into or below(results / "provenance", name.replace("/", "-"))
    path = write_crate(history, folder, store.location(artifact))
    return [*history_lines(history), "", f"crate: {path}"]


def replayed(
    wanted: str,
    new_store: str | None,
    study: str | None,
    upstreams: Sequence[str] | None,
    *,
    into: Path | None,
    any_code: bool,
    log: Log,
) -> Replay:
    """Make the history of a crate, or of a figure of the study, again in a new store, and compare.

    The configuration's store may have the first making; a crate needs neither that store nor a study.
    """
    if not new_store:
        raise StoreError("replay: name a new store with --store; the configuration's has the first making")
    target = Store(store_folder(new_store, "--store"))
    crate = _crate_at(wanted)
    if crate is None:
        found = settings(study, None, upstreams)
        plan, origin = build_plan(load(found.study)), found.open()
        name, artifact = target_of(plan, origin, wanted)
        history = history_of(name, plan.study.name, artifact, origin, log=lambda line: None)
    else:
        history = read_crate(crate)
        plan, origin = _at_hand(study, upstreams)
    nearby = {} if plan is None else {a.key: a for a in plan.artifacts.values()}
    return replay(history, target, origin, nearby=nearby, any_code=any_code, into=into, log=log)


def target_of(plan: Plan, store: Store, wanted: str) -> tuple[str, Artifact]:
    """(Name, artifact) of a figure, the claims, a pretrained model, or an artifact by key, path or name.

    Raises StudyError with the nearest name if the study has none.
    """
    if wanted in plan.targets:
        return wanted, plan.targets[wanted]
    try:
        path, _, artifact = find(plan, store, wanted)
    except StudyError as error:
        close = difflib.get_close_matches(wanted, plan.targets, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        names = ", ".join(plan.targets) or "none"
        raise StudyError(
            f"study {plan.study.name}: has no figure {wanted!r}{hint} (figures and other targets: {names}); "
            f"as an artifact: {error}"
        ) from None
    if artifact is None:
        raise StudyError(
            f"{path}: is in the store, and not in the study {plan.study.name}; name its study with --study"
        )
    return path, artifact


def _crate_at(wanted: str) -> Path | None:
    """A crate's folder or metadata file; None if this is the name of a target."""
    place = Path(wanted)
    if place.suffix == ".json" or (place / METADATA).is_file():
        return place
    if place.is_dir() and ("/" in wanted or wanted.startswith(".")):
        raise StoreError(f"{place}: has no {METADATA}; `rlv provenance` writes one")
    return None


def _at_hand(study: str | None, upstreams: Sequence[str] | None) -> tuple[Plan | None, Store | None]:
    """The study and the store of the configuration, as far as there are any: a crate needs neither."""
    try:
        found = settings(study, None, upstreams)
        plan, store = build_plan(load(found.study)), found.open()
    except RlvError:
        if study is not None:
            raise
        return None, None
    return plan, store if store.root.is_dir() else None
