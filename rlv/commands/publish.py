"""`rlv publish` and `rlv ship-base`: copies from the store to stable places."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rlv.commands.places import plan_and_store
from rlv.commands.printing import say
from rlv.snakemake.copies import publish


def add_publish(parser: ArgumentParser) -> None:
    parser.add_argument("path")
    parser.add_argument("directory", type=Path)
    parser.set_defaults(run=_publish)


def _publish(options: Namespace) -> None:
    plan, store = plan_and_store(options)
    publish(plan.find(options.path), store, options.directory)


def add_ship_base(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_ship_base)


def _ship_base(options: Namespace) -> None:
    from rlv.mini.ship import ship  # loads a model library

    plan, store = plan_and_store(options, options.study or "mini-base")
    for artifact in plan.models.values():
        say(ship(artifact, store))
