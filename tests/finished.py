"""Finished studies for tests: made once, by two processes that stay, and shared between workers.

    python -m tests.finished STUDY STORE

The workflow starts a process for each artifact; of a tiny one, nearly all of the time goes into imports.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from graphlib import TopologicalSorter
from multiprocessing import get_context
from pathlib import Path

from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.run.make import make
from rlv.store import Artifact, Store

ROOT = Path(__file__).parents[1]
TINY = """
extends: smoke
name: tiny
datasets: {train: {size: 16}, test: {size: 8}, tune: null, hard: null, ood: null}
tuning: null
training: {steps: 2, problems_per_step: 2, solutions_per_problem: 4, save_every: 1, show_every: 2}
reasoners:
  base: {evaluate_on: [test]}
  base_cold: null
  grpo: {evaluate_on: [test], verifiers: [judge, tail, certain]}
  grpo_v: {evaluate_on: [test], verifiers: [unified]}
verifiers:
  {chain: null, free: null, brevity: null, tail: {score: tail_logprob}, certain: {score: self_certainty}}
comparisons: {grpo: {cold: null, chain: null, confidence: null, brevity: null}}
sampling: {n: 2, problems_per_shard: 8, samples_per_shard: 2}
evaluation: {ns: [1, 2], draws: 100}
overhead: {repeats: 2}
figures:
  parallel_scaling: {datasets: [test]}
  controls: null
  strategies: null
  generalization: null
  calibration: null
claims: {dataset: test, hard: null, out_of_domain: null}
"""


def finished_store(study: Path, store: Path) -> Store:
    """A store with all artifacts of a study file, made by other processes."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.finished", str(study), str(store)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return Store(store)


def once(base: Path, name: str, build: Callable[[Path], None]) -> Path:
    """A folder that all workers of one run of the tests share; the first that asks for it builds it.

    `base`: pytest's folder of this worker (`tmp_path_factory.getbasetemp()`).
    """
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, ready = root / f"shared-{name}", root / f"shared-{name}.ready"
    with (root / f"shared-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            build(folder)
            ready.touch()
    return folder


def tiny_study(folder: Path) -> Path:
    """A folder's configuration with the study `tiny`, which trains twice; returns the study's file."""
    shutil.copytree(ROOT / "config" / "studies", folder / "config" / "studies", dirs_exist_ok=True)
    study = folder / "config" / "studies" / "tiny.yaml"
    study.write_text(TINY)
    (folder / "config" / "config.yaml").write_text("study: tiny\nstore: store\n")
    return study


def _made(artifact: Artifact, store: Path) -> None:
    make(artifact, Store(store))


def main(study: str, store: str) -> None:
    artifacts = build_plan(load(study)).artifacts
    order = TopologicalSorter({path: [i.path for i in a.inputs.values()] for path, a in artifacts.items()})
    order.prepare()
    running: dict[Future[None], str] = {}
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        while order.is_active():
            running |= {pool.submit(_made, artifacts[p], Path(store)): p for p in order.get_ready()}
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                future.result()
                order.done(running.pop(future))


if __name__ == "__main__":
    main(*sys.argv[1:])
