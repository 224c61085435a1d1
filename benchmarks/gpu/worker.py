"""One part in a process of its own: `python -m benchmarks.gpu.worker PART MODEL ROWS [--small]`.

Writes a line of JSON for each row to the file ROWS as soon as there is one, the machine's facts first. MODEL
is the folder of the large random model, which the first part that needs it makes. If a call fails, as it may
with another version of a package, a row names the call.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import json
import os
import signal
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.gpu.parts import PARTS, ROOT, Part, missing
from benchmarks.gpu.rows import Row, at_most, failed, skipped, unjudged
from benchmarks.gpu.sizes import GIB_LIMIT, GPU, SMALL, Sizes

IMPORT_SECONDS = 30
# prctl(2): which signal this process gets when the one that started it is gone.
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="one part of benchmarks.gpu")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("model", type=Path)
    parser.add_argument("rows", type=Path)
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    sizes = SMALL if arguments.small else GPU
    # A command that is killed must not leave the GPU taken.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with arguments.rows.open("a") as file:
        for row in run(arguments.part, sizes, arguments.model, small=arguments.small):
            file.write(json.dumps(asdict(row) if isinstance(row, Row) else row) + "\n")
            file.flush()


def run(letter: str, sizes: Sizes, model: Path, *, small: bool) -> Iterator[Row | dict]:
    """The facts of the machine, then the part's rows; never raises."""
    part = PARTS[letter]
    lacking = missing(part.packages)
    if lacking is not None:
        yield skipped(letter, part.module, lacking)
        return
    try:
        started = time.perf_counter()
        # Freed memory is used again whatever its size, so that memory taken is near memory used.
        os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
        for package in part.packages:
            importlib.import_module(package)
        module = importlib.import_module(f"benchmarks.gpu.{part.module}")
        seconds = time.perf_counter() - started
        from rlv.job.machine import made_here

        yield {"facts": made_here()}
        lacking = None if small else no_gpu(part)
        if lacking is not None:
            yield skipped(letter, part.module, lacking)
            return
        yield _judged(at_most(letter, "imports", seconds, IMPORT_SECONDS, "", "s", at_size=True), small)
        if part.large_model:
            make_model(model, sizes)
        for row in module.run(sizes, model):
            yield _judged(row, small)
        yield from _memory(letter)
    except Exception as error:
        yield failed(letter, part.module, differs(error))


def _judged(row: Row, small: bool) -> Row:
    return unjudged(row) if small else row


def no_gpu(part: Part) -> str | None:
    """Why this part cannot run on the GPU; None if it can, or needs none."""
    import torch

    if part.gib == 0:
        return None
    if not torch.cuda.is_available():
        return "no CUDA device is visible to torch; `--small` runs every part on the CPU"
    free = torch.cuda.mem_get_info()[0] / 2**30
    if free < part.gib:
        return f"{free:.1f} GiB of the GPU's memory are free; this part needs {part.gib:g}"
    return None


def make_model(folder: Path, sizes: Sizes) -> None:
    """The random model of these sizes, once; it is complete when it has its name."""
    from benchmarks.step_workloads import write_random_model

    if not folder.is_dir():
        partial = folder.with_suffix(".partial")
        write_random_model(partial, sizes.model, dtype=sizes.dtype)
        partial.rename(folder)


def _memory(letter: str) -> Iterator[Row]:
    import torch

    if torch.cuda.is_available() and torch.cuda.max_memory_reserved():
        peak = torch.cuda.max_memory_reserved() / 2**30
        yield at_most(letter, "GPU memory that torch took", peak, GIB_LIMIT, "what a part may take", "GiB")


def differs(error: Exception) -> str:
    """The error and the line of this project that raised it, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if f.filename.startswith(str(ROOT)) and "site-packages" not in f.filename]
    place = f"{Path(ours[-1].filename).relative_to(ROOT)}:{ours[-1].lineno} `{ours[-1].line}`" if ours else ""
    inner = frames[-1]
    within = "" if ours and inner is ours[-1] else f" (in {Path(inner.filename).name}:{inner.lineno})"
    words = str(error)
    if len(words) > 600:  # what another process wrote has its cause at the end
        words = f"{words[:100]} … {words[-500:]}"
    return f"{place}: {type(error).__name__}: {words}{within}"


if __name__ == "__main__":
    main()
