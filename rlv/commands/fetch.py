"""`rlv fetch`: fetches a study's models and data sets from the hub, on a machine that has a network.

Jobs then find it there without one. Everything that cannot be fetched is named, not only the first.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from rlv.commands.places import settings_of
from rlv.commands.printing import say
from rlv.errors import RlvError
from rlv.models import gguf, hub
from rlv.models.sources import model_spec
from rlv.plan.reading import load
from rlv.problems import fetch_dataset
from rlv.study.types import Study


def add_fetch(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="instead of --study")
    parser.set_defaults(run=_fetch)


def _fetch(options: Namespace) -> int:
    failed = 0
    for line, fine in fetch_study(load(settings_of(options, options.name).study)):
        say([line] if fine else f"rlv: {line}".split("\n"), file=sys.stdout if fine else sys.stderr)
        failed += not fine
    return 1 if failed else 0


def fetch_study(study: Study) -> Iterator[tuple[str, bool]]:
    """(line for people, whether it was fetched) of each model and data set, as they come."""
    for name, model in study.models.items():
        key = f"models.{name}"
        try:
            if model.source != "hub":
                model_spec(name, model, study.name)
                if model.source == "gguf":
                    gguf.locate(str(model.package), str(model.path), key)
                yield f"{key}: on this machine, nothing to fetch", True
                continue
            yield _fetched_model(key, str(model.repo), str(model.revision), study.name), True
        except RlvError as error:
            yield str(error), False
    for name, dataset in study.datasets.items():
        try:
            folder = fetch_dataset(name, dataset, study.name)
        except RlvError as error:
            yield str(error), False
            continue
        if folder is None:
            yield f"datasets.{name}: on this machine, nothing to fetch", True
        else:
            yield f"datasets.{name}: {_size(_bytes(folder))} in {folder}", True


def _fetched_model(key: str, repo: str, revision: str, study: str) -> str:
    there = hub.cached(repo, revision)
    folder = there or hub.fetch(repo, revision, key=key, study=study)
    how = "there already" if there is not None else "fetched"
    return f"{key}: {repo}: {how}, {_size(_bytes(folder))} in {folder}"


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _size(size: int) -> str:
    return f"{size / 2**30:.2f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
