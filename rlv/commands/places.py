"""The study and the stores that a command is about: --study, --store and --upstream of every command."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlv.plan import Plan
    from rlv.store import Store
    from rlv.study.configuration import Settings


def add_places(parser: ArgumentParser) -> None:
    """The options that name a study and its stores."""
    parser.add_argument("--study", default=None, help="name or path; default: config/config.yaml's")
    parser.add_argument("--store", default=None, help="folder; default: config/config.yaml's")
    parser.add_argument(
        "--upstream",
        action="append",
        metavar="STORE",
        help="another store to read from, again for more; default: config/config.yaml's; '' for none",
    )


def settings_of(options: Namespace, study: str | None = None) -> Settings:
    """The study and the stores that the options name; `study` comes before --study."""
    from rlv.study.configuration import settings

    return settings(study or options.study, options.store, options.upstream)


def plan_and_store(options: Namespace, study: str | None = None) -> tuple[Plan, Store]:
    """The plan of the study, and the store with its upstreams."""
    from rlv.plan import build_plan
    from rlv.plan.reading import load

    found = settings_of(options, study)
    return build_plan(load(found.study)), found.open()
