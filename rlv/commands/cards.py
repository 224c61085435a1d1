"""`rlv export-model` and `rlv push`: a trained reasoner with its card, in a folder and on the hub."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rlv.commands.places import plan_and_store
from rlv.commands.printing import say


def add_export_model(parser: ArgumentParser) -> None:
    parser.add_argument("reasoner", help="a name under `reasoners` of the study")
    parser.add_argument(
        "--into", type=Path, required=True, metavar="DIR", help="a new folder, or an earlier one"
    )
    parser.set_defaults(run=_export_model)


def _export_model(options: Namespace) -> None:
    from rlv.cards.export import export

    files = export(options.reasoner, *plan_and_store(options), options.into)
    say([f"{options.reasoner}: {len(files)} files in {options.into}"])


def add_push(parser: ArgumentParser) -> None:
    parser.add_argument("reasoner", help="a name under `reasoners` of the study")
    parser.add_argument("repo", help="owner/name on the hub; made if it is not there")
    parser.add_argument("--public", action="store_true", help="everybody may read it; default: private")
    parser.set_defaults(run=_push)


def _push(options: Namespace) -> None:
    from rlv.cards.push import push

    say([push(options.reasoner, options.repo, *plan_and_store(options), public=options.public)])
