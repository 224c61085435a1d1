"""DeepSpeed around one model in one process, quiet and without a launcher.

ZeRO stage 0 with AdamW: on one device there is nothing to partition. The caller computes losses that already
are sums over the minibatch divided by its own normaliser, so micro-batches are added up, never averaged: see
`update`. Left out on purpose: several processes (sampling is not sharded yet), bfloat16, offloading.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.distributed import HashStore  # pyright: ignore[reportPrivateImportUsage]

from rlv.errors import ModelError
from rlv.models import pick_device
from rlv.training.config import TrainingConfig

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine

# A run of one process: what a launcher would say. Nobody listens on the port, the store is in memory.
_ENVIRONMENT = {
    "RANK": "0",
    "LOCAL_RANK": "0",
    "WORLD_SIZE": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "0",
}


def start_engine(reader: nn.Module, config: TrainingConfig) -> DeepSpeedEngine:
    """The module under DeepSpeed, with AdamW and a warm-up of the learning rate counted in updates.

    The module's weights are trained in place. Raises ModelError where a launcher started several processes.
    """
    deepspeed = _import_deepspeed()
    parameters = [p for p in reader.parameters() if p.requires_grad]
    # The fused kernel updates all weights in one call; torch has it for CPUs too.
    optimizer = torch.optim.AdamW(
        parameters, lr=config.learning_rate, betas=config.betas, weight_decay=config.weight_decay, fused=True
    )
    warmup = max(1, config.warmup_steps)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: min(1.0, (n + 1) / warmup))
    settings: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": 1,  # a formality: batches never pass through DeepSpeed's loader
        "gradient_accumulation_steps": 1,
        "zero_optimization": {"stage": 0},
        "gradient_clipping": 0.0,  # clipped in `update`, where the norm is needed for the table of steps
        "steps_per_print": 10**9,
    }
    engine, *_ = deepspeed.initialize(
        model=reader,
        optimizer=optimizer,
        lr_scheduler=scheduler,
        config=settings,
        dist_init_required=False,
    )
    return engine


def _import_deepspeed() -> Any:
    """DeepSpeed and its process group of one. Imported late: it takes seconds and sets the environment."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ModelError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}: training runs in one process; "
            "start it without a launcher"
        )
    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    on_gpu = pick_device().type == "cuda"
    if not on_gpu:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    import deepspeed
    import deepspeed.ops

    for name in ("DeepSpeed", "deepspeed"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Otherwise a shared-memory collective is compiled (a minute, a C++ compiler) that one process never
    # calls.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # pyright: ignore[reportAttributeAccessIssue]
    if not torch.distributed.is_initialized():
        store = HashStore()  # in memory: no port that another run could hold
        torch.distributed.init_process_group("nccl" if on_gpu else "gloo", store=store, rank=0, world_size=1)
    deepspeed.init_distributed(verbose=False)
    return deepspeed
