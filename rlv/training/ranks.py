"""The processes that train one model together, and the values that they exchange.

Everything a run decides is decided alike on every rank: from (seed, step), from trajectories that all have,
or by one of the collectives below. A single process (`ALONE`) passes through all of them untouched. Left out
on purpose: starting the processes (launch.py), and what DeepSpeed sends between them.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]

from rlv.errors import LostRankError, ModelError

T = TypeVar("T")

# The longest that ranks wait for one another. A rank may sample long after another is done, so this only ends
# what would wait for ever; the process that started the ranks notices a dead one within seconds.
TIMEOUT = timedelta(hours=2)
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Ranks:
    """Which process this is (`rank`, from 0) of how many (`size`).

    `words`: the group for values that are no tensors on the device (gloo, also beside NCCL); None if `size`
    is 1.
    """

    rank: int = 0
    size: int = 1
    words: Any = None

    @property
    def first(self) -> bool:
        """Whether this rank writes what is written once."""
        return self.rank == 0

    def gathered(self, value: T) -> list[T]:
        """Every rank's value, in the order of the ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self.words)
        return values

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on some rank; the answer is the same on all."""
        if self.size == 1:
            return flag
        raised = torch.tensor(int(flag))
        dist.all_reduce(raised, op=dist.ReduceOp.MAX, group=self.words)
        return bool(raised.item())

    def barrier(self) -> None:
        """Wait for the others."""
        if self.size > 1:
            dist.barrier(group=self.words)

    def sum_(self, tensor: Tensor) -> Tensor:
        """The tensor's sum over the ranks, in place; entries that only one rank has stay as they are."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor


ALONE = Ranks()


def join(rendezvous: Path | None = None) -> Ranks:
    """Become one of the ranks that a launcher started: torchrun's variables, or those of `srun`.

    `rendezvous`: a file that all ranks see. The first rank writes its address there, with a port that the
    system gave it, so that two jobs never meet; None if torchrun has arranged that already. Raises
    ModelError if the machine has fewer GPUs than ranks, LostRankError if the first rank does not write.
    """
    environment = os.environ
    if rendezvous is not None:
        environment.update(slurm_variables(environment))
    rank, size, local = (int(environment[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        if local >= torch.cuda.device_count():
            raise ModelError(
                f"rank {rank}: {socket.gethostname()} has {torch.cuda.device_count()} GPUs, and this is "
                f"process {local} on it (counted from 0); lower training.ranks or raise training.nodes"
            )
        torch.cuda.set_device(local)
    store = None if rendezvous is None else _meet(rendezvous, rank, size)
    arguments: dict[str, Any] = {} if store is None else {"store": store, "rank": rank, "world_size": size}
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=TIMEOUT, **arguments)
    return Ranks(rank, size, dist.new_group(backend="gloo", timeout=TIMEOUT))


def slurm_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """RANK, WORLD_SIZE and LOCAL_RANK as torchrun would set them, from those of `srun`.

    Raises ModelError if one is not set.
    """
    named = {"RANK": "SLURM_PROCID", "WORLD_SIZE": "SLURM_NTASKS", "LOCAL_RANK": "SLURM_LOCALID"}
    missing = [name for name in named.values() if name not in environment]
    if missing:
        raise ModelError(f"{missing[0]} is not set; ranks on several nodes are started by srun")
    return {ours: environment[theirs] for ours, theirs in named.items()}


def _meet(rendezvous: Path, rank: int, size: int) -> Any:
    """A store that the first rank keeps and the others find through the file.

    Raises LostRankError if the file does not come within TIMEOUT.
    """
    if rank == 0:
        host = socket.gethostname()
        store = TCPStore(host, 0, size, is_master=True, timeout=TIMEOUT, wait_for_workers=False)
        partial = rendezvous.with_suffix(".partial")
        partial.write_text(json.dumps({"host": host, "port": store.port}))
        partial.rename(rendezvous)
        return store
    deadline = time.monotonic() + TIMEOUT.total_seconds()
    while not rendezvous.is_file():
        if time.monotonic() > deadline:
            raise LostRankError(
                f"rank {rank}: the first of {size} ranks has not written {rendezvous} within {TIMEOUT}; "
                f"either it did not start (its own log says why), or {socket.gethostname()} does not see "
                "that folder"
            )
        time.sleep(_POLL_SECONDS)
    place = json.loads(rendezvous.read_text())
    return TCPStore(place["host"], place["port"], size, is_master=False, timeout=TIMEOUT)
