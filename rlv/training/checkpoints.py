"""Checkpoints of a training run that a kill at any moment cannot spoil, on however many ranks.

DeepSpeed writes weights, optimizer and scheduler under a temporary tag, every rank its part; RNG states of
each rank and the rows of the steps table travel with them. The folder is renamed when all of it is on disk,
then `latest` is replaced, then what is older than the last two goes. Each of these is atomic and done by the
first rank only, so `latest` always names a complete checkpoint. A run goes on with another number of ranks or
another ZeRO stage, too (reshape.py). Left out on purpose: what comes before a run (the stage's own inputs)
and its final output (logbook.py).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from rlv.errors import StoreError
from rlv.outside.names import below
from rlv.store import sync
from rlv.training import reshape
from rlv.training.ranks import ALONE, Ranks

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine

KEEP = 2
_LATEST = "latest"
_PARTIAL = "partial-"
_STATE = "rlv_state"
_LAYOUT = "layout.json"


@dataclass(frozen=True)
class Progress:
    """The training steps that a run has done, their rows of the steps table, and the processes that did them.

    `parts`: one entry for each process of a run of several jobs (logbook.py), oldest first.
    """

    step: int
    rows: list[dict[str, Any]]
    parts: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Layout:
    """How a checkpoint is cut up; one of another layout is not DeepSpeed's to load."""

    ranks: int
    zero_stage: int
    bfloat16: bool
    offload: bool


def save(
    engine: DeepSpeedEngine, folder: Path, progress: Progress, identity: str, ranks: Ranks = ALONE
) -> None:
    """Publish a checkpoint of `progress` in `folder`, of the run that has `identity`. Collective."""
    name = f"step-{progress.step:06d}"
    partial = folder / f"{_PARTIAL}{name}"
    if ranks.first:
        _remove(partial)
    ranks.barrier()
    state = {"step": progress.step, "rows": progress.rows, "parts": progress.parts}
    engine.save_checkpoint(str(folder), tag=partial.name, client_state={_STATE: state}, save_latest=False)
    torch.save(_rng_states(), partial / _rng_file(ranks.rank))
    if ranks.first:
        with open(partial / _LAYOUT, "w") as file:
            json.dump({"identity": identity, "layout": asdict(_layout(engine, ranks))}, file)
    # On several machines each flushes the files that it wrote; flushing another's as well does no harm.
    for path in partial.rglob("*"):
        sync(path)
    sync(partial)
    ranks.barrier()
    if ranks.first:
        # Only a rerun of the same step finds the name taken; `latest` does not name it then, so it may go.
        _remove(folder / name)
        partial.rename(folder / name)
        sync(folder)
        pointer = folder / f"{_PARTIAL}{_LATEST}"
        pointer.write_text(name)
        sync(pointer)
        pointer.replace(folder / _LATEST)
        sync(folder)
        for old in sorted(folder.glob("step-*"))[:-KEEP]:
            _remove(old)
    ranks.barrier()


def restore(engine: DeepSpeedEngine, folder: Path, identity: str, ranks: Ranks = ALONE) -> Progress:
    """Weights, optimizer, scheduler and RNG states of the latest checkpoint; step 0 if there is none.

    Collective. Raises StoreError if the checkpoint belongs to another run (settings, model or problems
    differ).
    """
    if ranks.first:
        _tidy(folder)
    ranks.barrier()
    pointer = folder / _LATEST
    if not pointer.is_file():
        return Progress(0, [])
    place = below(folder, pointer.read_text().strip())
    written = _read_layout(place, identity)
    if written == _layout(engine, ranks):
        _, states = engine.load_checkpoint(str(folder), tag=place.name)
        if states is None:
            raise StoreError(f"{place}: no readable checkpoint; remove {folder} to start afresh")
    else:
        states = reshape.load(engine, place, n_ranks=written.ranks, zero_stage=written.zero_stage)
    state = states[_STATE]
    rng = place / _rng_file(ranks.rank)
    if rng.is_file():  # a rank that was not there before keeps the states of a fresh start
        _set_rng_states(torch.load(rng, weights_only=True))
    # Checkpoints of older versions do not contain their parts.
    return Progress(int(state["step"]), list(state["rows"]), list(state.get("parts", ())))


def _tidy(folder: Path) -> None:
    """Remove what a kill has left: half-written checkpoints, and those that `latest` does not name yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(f"{_PARTIAL}*"):
        _remove(leftover)
    pointer = folder / _LATEST
    named = pointer.read_text().strip() if pointer.is_file() else ""
    for unnamed in (path for path in folder.glob("step-*") if path.name > named):
        _remove(unnamed)


def _read_layout(place: Path, identity: str) -> Layout:
    try:
        written = json.loads((place / _LAYOUT).read_text())
        found, layout = str(written["identity"]), Layout(**written["layout"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{place / _LAYOUT}: not readable ({error}); remove {place.parent} to start afresh"
        ) from error
    if found != identity:
        raise StoreError(
            f"{place}: a checkpoint of another run ({found[:12]}, this one is {identity[:12]}); "
            "remove the folder to start afresh"
        )
    return layout


def _layout(engine: DeepSpeedEngine, ranks: Ranks) -> Layout:
    return Layout(
        ranks.size,
        int(engine.zero_optimization_stage()),
        bool(engine.bfloat16_enabled()),
        engine.zero_offload_optimizer() is not None,
    )


def _rng_file(rank: int) -> str:
    return f"rng-{rank:05d}.pt"


def _rng_states() -> dict[str, Any]:
    # The loop itself draws from (seed, step) only; these are for what a model draws by itself, such as
    # dropout.
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"torch": torch.get_rng_state(), "cuda": cuda}


def _set_rng_states(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    if torch.cuda.is_available() and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
