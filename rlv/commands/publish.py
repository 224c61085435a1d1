"""`rlv publish` and `rlv ship-base`: copies from the store to stable places."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rlv.commands.places import plan_and_store
from rlv.commands.printing import say
from rlv.store import Artifact, Store, copy_file


def add_publish(parser: ArgumentParser) -> None:
    parser.add_argument("path")
    parser.add_argument("directory", type=Path)
    parser.set_defaults(run=_publish)


def _publish(options: Namespace) -> None:
    plan, store = plan_and_store(options)
    publish(plan.find(options.path), store, options.directory)


def publish(artifact: Artifact, store: Store, directory: Path) -> None:
    """Copy an artifact's files, verified, to a stable place for people."""
    folder = store.open_all(artifact)
    for name, entry in store.manifest(artifact)["files"].items():
        copy_file(folder, name, directory, entry["sha256"], entry["bytes"])


def add_ship_base(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_ship_base)


def _ship_base(options: Namespace) -> None:
    from rlv.mini.ship import ship  # loads a model library

    plan, store = plan_and_store(options, options.study or "mini-base")
    for artifact in plan.models.values():
        say(ship(artifact, store))
