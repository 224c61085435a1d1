"""Part b: a training of the mini base that is killed with signal 9 and started again, beside one that is not.

Both go through the real loop and DeepSpeed. Kernels are asked to be deterministic, so that what remains is
rounding if the GPU has no such kernel.

    python -m benchmarks.gpu.resume FOLDER SETTINGS       # one run, which the part starts and kills
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import torch

from benchmarks.gpu.correctness import training_problems
from benchmarks.gpu.rows import Row, at_least, at_most, failed, noted
from benchmarks.gpu.sizes import Sizes
from benchmarks.step_workloads import MINI_BASE
from rlv import tables
from rlv.training.loop import train
from rlv.training.run import Run
from rlv.training.sources import Sampled

PART = "b"
ROUNDING = {"cpu": 0.0, "cuda": 1e-4}
COMPARED = ("policy_loss", "verification_loss", "reward", "grad_norm")


def run(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Rows: the differences in all steps, and the speed of a step."""
    del folder  # the mini base is in the checkout
    settings = {
        "steps": sizes.training_steps,
        "save_every": sizes.save_every,
        "problems_per_step": sizes.problems_per_step,
    }
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        unkilled = _train(place / "unkilled", settings, print)
        seconds = unkilled.select(pl.col("seconds_sample") + pl.col("seconds_update")).to_series().median()
        assert isinstance(seconds, float)
        yield noted(PART, "GRPO^V of the mini base: seconds a step", seconds, "s", f"{len(unkilled)} steps")
        began = time.perf_counter()
        reached = _killed(place / "killed", settings, sizes.killed_after)
        if reached is None:
            yield failed(PART, "killed with signal 9", f"ended before step {sizes.killed_after} of its log")
            return
        resumed_from, resumed = _resumed(place / "killed", settings)
    went = f"killed after step {reached}, went on after step {resumed_from}"
    last = reached // sizes.save_every * sizes.save_every
    yield at_least(PART, "step that the next run went on after", resumed_from, last, "the last checkpoint")
    yield noted(PART, "seconds of the killed run and the next", time.perf_counter() - began, "s", went)
    bound = ROUNDING["cuda" if torch.cuda.is_available() else "cpu"]
    for column in COMPARED:
        worst = (unkilled[column] - resumed[column]).abs().max()
        assert isinstance(worst, float)
        yield at_most(PART, f"{column}: largest difference in a step", worst, bound, f"unkilled; {went}")


def _command(folder: Path, settings: dict[str, int]) -> list[str]:
    return [sys.executable, "-m", "benchmarks.gpu.resume", str(folder), json.dumps(settings)]


def _killed(folder: Path, settings: dict[str, int], after: int) -> int | None:
    """The last step in the log of a run that is killed at step `after` or later; None if it ends before."""
    process = subprocess.Popen(_command(folder, settings), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            words = line.split()
            if line.startswith("step ") and int(words[1].split("/")[0]) >= after:
                os.kill(process.pid, signal.SIGKILL)
                return int(words[1].split("/")[0])
    finally:
        process.kill()
        process.wait()
    return None


def _resumed(folder: Path, settings: dict[str, int]) -> tuple[int, pl.DataFrame]:
    """The same command again, to its end: (step that it went on after, its steps table)."""
    done = subprocess.run(_command(folder, settings), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the second run ended with {done.returncode}: {done.stderr[-3000:]}")
    facts = json.loads([line for line in done.stdout.splitlines() if line.startswith("{")][-1])
    return facts["resumed_from"], tables.read(folder / "out" / "steps.parquet", "steps")


def _train(folder: Path, settings: dict[str, int], log: Callable[[str], None]) -> pl.DataFrame:
    """One run in this process, from wherever `folder` has it; its steps table. Logs what the run returns."""
    config = Run.of(
        advantage="grpo",
        verification_coefficient=0.3,
        learning_rate=3e-4,
        kl_coefficient=0.001,
        max_tokens=48,
        tokens_per_microbatch=1024,
        steps=settings["steps"],
        save_every=settings["save_every"],
        problems_per_step=settings["problems_per_step"],
    )
    # Before the GPU is used for the first time; matrix products are deterministic only with it.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    # Its backward pass is deterministic only if every kernel must be.
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    facts = train(
        config,
        Sampled(training_problems()),
        model_dir=MINI_BASE,
        work_dir=folder / "work",
        out_dir=folder / "out",
        log=log,
    )
    log(json.dumps(facts))
    return tables.read(folder / "out" / "steps.parquet", "steps")


def _print(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    _train(Path(sys.argv[1]), json.loads(sys.argv[2]), _print)
