"""DeepSpeed around one model, quiet: ZeRO 0 to 3, bfloat16 or float32, on one rank or several.

The caller computes losses that already are sums over the minibatch divided by its own normaliser, so
micro-batches are added up, and so are ranks, never averaged (`add_up`).

bfloat16 needs a float32 copy of the weights for AdamW, and gradients of micro-batches that add up in float32.
DeepSpeed has both from stage 1 on, so stage 0 in bfloat16 runs as stage 1. Offloading uses torch's own AdamW
on the CPU, which needs no compiler. Left out on purpose: weights in main memory or on disk, pipelines.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.distributed import HashStore  # pyright: ignore[reportPrivateImportUsage]

from rlv.models import pick_device
from rlv.study.types import Training
from rlv.training.launch import refuse_launchers
from rlv.training.ranks import ALONE, Ranks
from rlv.training.schedule import rate_factor

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine

# A run of one process: what a launcher would set. Nobody listens on the port, the store is in memory.
_ENVIRONMENT = {
    "RANK": "0",
    "LOCAL_RANK": "0",
    "WORLD_SIZE": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "0",
}
# Elements that are sent at a time, and below which ZeRO-3 leaves a tensor whole on every rank.
BUCKET = 50_000_000
KEPT_WHOLE = 100_000


def start_engine(
    reader: nn.Module, training: Training, ranks: Ranks = ALONE, *, n_steps: int | None = None
) -> DeepSpeedEngine:
    """The module under DeepSpeed, with AdamW and a schedule of the learning rate counted in updates.

    `n_steps`: training steps of the whole run, if not those of the settings. The module's weights are trained
    in place. Raises ModelError if a launcher started several processes and `ranks` has one.
    """
    deepspeed = _import_deepspeed(ranks)
    parameters = [p for p in reader.parameters() if p.requires_grad]
    # The fused kernel updates all weights in one call; torch has it for CPUs too.
    optimizer = torch.optim.AdamW(
        parameters,
        lr=training.learning_rate,
        betas=training.betas,
        weight_decay=training.weight_decay,
        fused=True,
    )
    n_updates = (training.steps if n_steps is None else n_steps) * training.updates_per_step
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate_factor(training, n_updates))
    with redirect_stdout(sys.stderr):  # its prints are no lines of the log
        engine, *_ = deepspeed.initialize(
            model=reader,
            optimizer=optimizer,
            lr_scheduler=scheduler,
            config=deepspeed_settings(training),
            dist_init_required=False,
        )
    return engine


def zero_stage(training: Training) -> int:
    """The ZeRO stage that runs: the one asked for, and at least 1 in bfloat16."""
    return max(training.zero_stage, int(training.dtype == "bfloat16"))


def deepspeed_settings(training: Training) -> dict[str, Any]:
    """DeepSpeed's configuration of a run."""
    stage = zero_stage(training)
    zero: dict[str, Any] = {"stage": stage}
    if stage > 0:
        zero |= {"reduce_bucket_size": BUCKET, "allgather_bucket_size": BUCKET}
    if stage == 3:
        zero |= {"stage3_prefetch_bucket_size": BUCKET, "stage3_param_persistence_threshold": KEPT_WHOLE}
    settings: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": 1,  # a formality: batches never pass through DeepSpeed's loader
        "gradient_accumulation_steps": 1,
        "zero_optimization": zero,
        # Gradients that ranks hold parts of can only be clipped by DeepSpeed; see `clipped_step`.
        "gradient_clipping": training.gradient_clip if stage > 0 else 0.0,
        "steps_per_print": 10**9,
    }
    if training.dtype == "bfloat16":
        settings |= {
            # Otherwise DeepSpeed (stage 1) adds every micro-batch to its sum as often as others follow it.
            "bf16": {"enabled": True, "immediate_grad_update": True},
            "data_types": {"grad_accum_dtype": "fp32"},
            "communication_data_type": "fp32",
        }
    if training.offload:
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": pick_device().type == "cuda"}
        settings["zero_force_ds_cpu_optimizer"] = False
    return settings


def add_up(engine: DeepSpeedEngine, loss: Tensor, ranks: Ranks, *, last: bool) -> None:
    """Add a loss's gradients to those of the update's other losses, on this rank and the others.

    `last`: after this one they are final. Every rank must call it equally often.
    """
    engine.set_gradient_accumulation_boundary(last)
    # DeepSpeed takes the mean over ranks; a sum is meant.
    engine.backward(loss if ranks.size == 1 else loss * ranks.size, scale_wrt_gas=False)


def clipped_step(engine: DeepSpeedEngine, gradient_clip: float) -> Tensor:
    """Clip the gradients to a norm, update the weights; the norm before clipping, of all ranks' gradients.

    A norm that is not finite is returned, too; the weights may be spoilt then.
    """
    if engine.zero_optimization_stage() == 0:
        # DeepSpeed has summed them: every rank has the whole gradients, and finds the same norm.
        module: Any = engine.module
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), gradient_clip)
        if torch.isfinite(norm):
            engine.step()
        return norm.detach()
    engine.step()
    norm = engine.get_global_grad_norm()
    return torch.as_tensor(norm, dtype=torch.float32, device=engine.device).detach()


def _import_deepspeed(ranks: Ranks) -> Any:
    """DeepSpeed and its process group. Imported late: it takes seconds and sets the environment."""
    if ranks.size == 1:
        refuse_launchers()
    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    on_gpu = pick_device().type == "cuda"
    if not on_gpu:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    import deepspeed
    import deepspeed.ops

    for name in ("DeepSpeed", "deepspeed"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Old names of torch that DeepSpeed calls in every pass.
    warnings.filterwarnings("ignore", message=".*torch.distributed.* is deprecated", category=FutureWarning)
    # Otherwise a shared-memory collective is compiled (a minute, a C++ compiler); gloo does without.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # pyright: ignore[reportAttributeAccessIssue]
    if not torch.distributed.is_initialized():
        store = HashStore()  # in memory: no port that another run could hold
        torch.distributed.init_process_group("nccl" if on_gpu else "gloo", store=store, rank=0, world_size=1)
    deepspeed.init_distributed(verbose=False)
    return deepspeed
