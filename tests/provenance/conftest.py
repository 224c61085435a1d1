"""A small study, finished twice by separate runs, each in a store of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from rlv.plan import Plan, build_plan
from rlv.plan.reading import load
from rlv.store import Store
from tests.finished import finished_store, tiny_study


@dataclass(frozen=True)
class Workplace:
    """A folder with a configuration, and the study that it names."""

    folder: Path
    plan: Plan
    store: Store

    def rlv(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rlv", *arguments]
        return subprocess.run(command, cwd=cwd or self.folder, capture_output=True, text=True)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Workplace:
    """The study, finished, in the store that the configuration names."""
    folder = tmp_path_factory.mktemp("first")
    study = tiny_study(folder)
    return Workplace(folder, build_plan(load(str(study))), finished_store(study, folder / "store"))


@pytest.fixture(scope="session")
def second(finished, tmp_path_factory) -> Store:
    """The same study by another run, as a cluster would have made it."""
    study = finished.folder / "config" / "studies" / "tiny.yaml"
    return finished_store(study, tmp_path_factory.mktemp("second") / "store")


@pytest.fixture
def copy_of(tmp_path):
    """A store's copy that a test may spoil."""

    def copied(store: Store) -> Store:
        place = tmp_path / "copy"
        shutil.copytree(store.root, place, symlinks=True)
        for path in (place, *place.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return Store(place)

    return copied
