"""Threads, seed and kernels of a process that trains: on the CPU the weights depend on all three."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from rlv.models import pick_device
from rlv.training.run import Run


@contextmanager
def reproducible(run: Run) -> Iterator[None]:
    """Fixed threads and seed, and on the CPU fixed kernels.

    On a GPU kernels stay free: nothing is promised there, and the engine that samples in this process would
    be held to them, too. Puts the process back afterwards.
    """
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    memory: Any = torch.utils.deterministic
    fill = memory.fill_uninitialized_memory
    torch.set_num_threads(run.threads)
    torch.manual_seed(run.training.seed)
    if pick_device().type == "cpu":
        torch.use_deterministic_algorithms(True, warn_only=True)
        memory.fill_uninitialized_memory = False  # costs time, and nothing here reads such memory
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
        memory.fill_uninitialized_memory = fill
