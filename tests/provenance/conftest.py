"""A small study, finished twice by separate runs, each in a store of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from rlv.plan import Plan, build_plan
from rlv.plan.reading import load
from rlv.store import Store

ROOT = Path(__file__).parents[2]
STUDY = """
extends: smoke
name: tiny
datasets: {train: {size: 16}, test: {size: 8}, hard: null, ood: null}
training: {steps: 2, problems_per_step: 2, solutions_per_problem: 4, save_every: 1, show_every: 2}
reasoners: {base: {evaluate_on: [test]}, grpo: {evaluate_on: [test]}, grpo_v: {evaluate_on: [test]}}
sampling: {n: 2, problems_per_shard: 8, samples_per_shard: 2}
evaluation: {ns: [1, 2], draws: 100}
overhead: {repeats: 2}
figures: {parallel_scaling: {datasets: [test]}, strategies: null, generalization: null, calibration: null}
claims: {dataset: test, hard: null, out_of_domain: null}
"""
# All artifacts in one process: what is imported once is not imported again.
RUN = """
import sys
from rlv.plan import build_plan
from rlv.run.make import make
from rlv.store import Store
from rlv.plan.reading import load
for artifact in build_plan(load(sys.argv[1])).artifacts.values():
    make(artifact, Store(sys.argv[2]))
"""


@dataclass(frozen=True)
class Workplace:
    """A folder with a configuration, and the study that it names."""

    folder: Path
    plan: Plan
    store: Store

    def rlv(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rlv", *arguments]
        return subprocess.run(command, cwd=cwd or self.folder, capture_output=True, text=True, env=_alone())


def _alone() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}


def _run(study: Path, store: Path) -> Store:
    command = [sys.executable, "-c", RUN, str(study), str(store)]
    done = subprocess.run(command, capture_output=True, text=True, env=_alone())
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return Store(store)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Workplace:
    """The study, finished, in the store that the configuration names."""
    folder = tmp_path_factory.mktemp("first")
    shutil.copytree(ROOT / "config" / "studies", folder / "config" / "studies")
    study = folder / "config" / "studies" / "tiny.yaml"
    study.write_text(STUDY)
    (folder / "config" / "config.yaml").write_text("study: tiny\nstore: store\n")
    return Workplace(folder, build_plan(load(str(study))), _run(study, folder / "store"))


@pytest.fixture(scope="session")
def second(finished, tmp_path_factory) -> Store:
    """The same study by another run, as a cluster would have made it."""
    study = finished.folder / "config" / "studies" / "tiny.yaml"
    return _run(study, tmp_path_factory.mktemp("second") / "store")


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
