"""Several training runs one after another in the same processes: what tests compare across ranks.

    torchrun --nproc-per-node 2 tests/training/rank_runs.py RUNS.json

Starting ranks takes seconds, a tiny run a fraction of one. RUNS.json: {"model_dir", "problems", "runs": [{
"folder", "config", "from" (a run's work folder to go on from, after its second step)}]}. Rewards come from
the solutions' lengths, since a random model solves nothing and would never get a policy gradient.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

BASE: dict[str, Any] = {
    "advantage": "grpo",
    "verification_coefficient": 0.3,
    "steps": 4,
    "problems_per_step": 3,  # does not divide evenly by two
    "solutions_per_problem": 3,
    "epochs": 2,
    "minibatches": 2,
    "kl_coefficient": 0.01,
    "learning_rate": 1e-3,
    "warmup_steps": 7,
    "max_tokens": 10,
    "save_every": 2,
    "show_every": 100,
    "tokens_per_microbatch": 90,
}


class LengthGrader:
    """1 where a solution's text has an even number of characters."""

    def __init__(self, workers: int) -> None: ...

    def __enter__(self) -> LengthGrader:
        return self

    def __exit__(self, *_: object) -> None: ...

    def rewards(self, answers: list[str | None], references: list[str]) -> np.ndarray:
        return np.array([float(a is not None and len(a) % 2 == 0) for a in answers])


@contextmanager
def small_pieces():
    """Everything is divided, however small, and gathered in several pieces; rewards by length."""
    import pytest

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rlv.training.engine.KEPT_WHOLE", 0)
        patch.setattr("rlv.training.weights.GATHERED", 3000)
        patch.setattr("rlv.training.sources.Grader", LengthGrader)
        patch.setattr("rlv.training.sources.extract_answer", lambda text, _: text)
        yield


def run(spec: dict[str, Any], job: dict[str, Any], ranks: Any = None) -> dict[str, Any]:
    """One run: into `folder`/work and `folder`/out. `recorded`: a rollouts table to learn from instead."""
    from rlv.training.loop import train
    from rlv.training.origin import RECORDED, SAMPLED, SourceFiles
    from rlv.training.ranks import ALONE
    from rlv.training.recorded import read_source
    from rlv.training.run import Run

    ranks = ALONE if ranks is None else ranks
    folder = Path(job["folder"])
    if ranks.first and "from" in job:
        shutil.copytree(job["from"], folder / "work")
        (folder / "work" / "checkpoints" / "latest").write_text("step-000002")
    ranks.barrier()
    files = SourceFiles(SAMPLED, Path(spec["problems"]))
    if "recorded" in job:
        files = replace(files, origin=RECORDED, rollouts=Path(job["recorded"]))
    return train(
        Run.of(**BASE | job["config"]),
        read_source(files),
        model_dir=Path(spec["model_dir"]),
        work_dir=folder / "work",
        out_dir=folder / "out",
        log=lambda _: None,
        ranks=ranks,
    )


def main(path: Path) -> None:
    import torch

    from rlv.training.ranks import join

    torch.set_num_threads(1)
    spec = json.loads(path.read_text())
    ranks = join()
    with small_pieces():
        for job in spec["runs"]:
            summary = run(spec, job, ranks)
            (Path(job["folder"]) / f"rank-{ranks.rank}.json").write_text(json.dumps(summary))


if __name__ == "__main__":
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    main(Path(sys.argv[1]))
    os._exit(0)
