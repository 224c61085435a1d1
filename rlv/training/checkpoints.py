"""Checkpoints of a training run that a kill at any moment cannot spoil.

DeepSpeed writes weights, optimizer and scheduler under a temporary tag; RNG states and the rows of the steps
table travel with them. The folder is renamed when it is complete and on disk, then `latest` is replaced, then
what is older than the last two goes. Each of these is atomic, so `latest` always names a complete checkpoint.
Left out on purpose: what comes before a run (the stage's own inputs) and its final output (loop.py).
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rlv.errors import StoreError

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine

KEEP = 2
_LATEST = "latest"
_PARTIAL = "partial-"
_STATE = "rlv_state"


@dataclass(frozen=True)
class Progress:
    """Where a run stands: training steps done, and their rows of the steps table."""

    step: int
    rows: list[dict[str, Any]]


def save(engine: DeepSpeedEngine, folder: Path, progress: Progress, identity: str) -> None:
    """Publish a checkpoint of `progress` in `folder`. `identity` says which run it belongs to."""
    name = f"step-{progress.step:06d}"
    partial = folder / f"{_PARTIAL}{name}"
    _remove(partial)
    state = {"identity": identity, "step": progress.step, "rows": progress.rows, "rng": _rng_states()}
    engine.save_checkpoint(str(folder), tag=partial.name, client_state={_STATE: state}, save_latest=False)
    for path in partial.rglob("*"):
        _flush(path)
    _flush(partial)
    # Only a rerun of the same step finds the name taken; `latest` does not name it then, so it may go.
    _remove(folder / name)
    partial.rename(folder / name)
    _flush(folder)
    pointer = folder / f"{_PARTIAL}{_LATEST}"
    pointer.write_text(name)
    _flush(pointer)
    pointer.replace(folder / _LATEST)
    _flush(folder)
    for old in sorted(folder.glob("step-*"))[:-KEEP]:
        _remove(old)


def restore(engine: DeepSpeedEngine, folder: Path, identity: str) -> Progress:
    """Weights, optimizer, scheduler and RNG states of the latest checkpoint; step 0 where there is none.

    Raises StoreError where the checkpoint belongs to another run (settings, model or problems differ).
    """
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(f"{_PARTIAL}*"):
        _remove(leftover)
    pointer = folder / _LATEST
    if not pointer.is_file():
        for unnamed in folder.glob("step-*"):  # complete, but killed before it was named
            _remove(unnamed)
        return Progress(0, [])
    name = pointer.read_text().strip()
    for unnamed in (path for path in folder.glob("step-*") if path.name > name):
        _remove(unnamed)
    _, client_state = engine.load_checkpoint(str(folder), tag=name)
    if client_state is None:
        raise StoreError(f"{folder / name}: no readable checkpoint; remove {folder} to start afresh")
    state = client_state[_STATE]
    if state["identity"] != identity:
        raise StoreError(
            f"{folder / name}: a checkpoint of another run ({state['identity'][:12]}, "
            f"this one is {identity[:12]}); remove the folder to start afresh"
        )
    _set_rng_states(state["rng"])
    return Progress(int(state["step"]), list(state["rows"]))


def _rng_states() -> dict[str, Any]:
    # The loop itself draws from (seed, step) only; these are for what a model draws by itself, such as
    # dropout.
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"torch": torch.get_rng_state(), "cuda": cuda}


def _set_rng_states(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    if torch.cuda.is_available() and states["cuda"]:
        torch.cuda.set_rng_state_all(states["cuda"])


def _flush(path: Path) -> None:
    """Wait until a file or folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
