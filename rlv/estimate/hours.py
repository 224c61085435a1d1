"""How long passes take on a GPU: a roofline of arithmetic and memory bandwidth (Williams et al. 2009).

Reading and learning are bound by arithmetic. Writing goes token by token: each step reads all weights and
the caches of the sequences in flight, or multiplies for all of them, whichever takes longer, and has a floor
for the time between steps. Left out on purpose: links between GPUs, ragged batches (short solutions that
leave their place empty), and loading data.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from rlv.estimate.gpus import Gpu
from rlv.job.assumptions import Assumptions
from rlv.job.work import Pass, Size
from rlv.models.flops import flops
from rlv.models.work import pass_flops, shape_of_size


@dataclass(frozen=True)
class Machine:
    """GPUs of a job: `replicas` copies of the model, each on `parts` GPUs, by an engine."""

    gpu: Gpu
    engine: str = "transformers"
    replicas: int = 1
    parts: int = 1
    max_batch: int = 256

    @property
    def gpus(self) -> int:
        """GPUs of the whole job."""
        return self.replicas * self.parts


def seconds(made: Pass, size: Size, machine: Machine, assumed: Assumptions) -> float:
    """Wall time of one pass's sequences on a machine."""
    if made.kind == "written":
        return _writing(made, size, machine, assumed)
    share = assumed.training_utilization if made.kind == "learned" else assumed.reading_utilization
    return pass_flops(made, size) / (machine.gpu.flops(size.dtype) * machine.gpus * share)


def _writing(made: Pass, size: Size, machine: Machine, assumed: Assumptions) -> float:
    rows = min(machine.max_batch, ceil(made.together / machine.replicas))
    waves = made.sequences / (rows * machine.replicas)
    # Half-way through, a sequence has the mean context.
    context = (made.start + made.stop) / 2
    arithmetic = rows * float(flops(shape_of_size(size), context, context + 1))
    bandwidth = size.weights + rows * context * size.kv_bytes
    step = max(
        arithmetic / (machine.gpu.flops(size.dtype) * machine.parts * assumed.decoding_utilization),
        bandwidth / (1e12 * machine.gpu.bandwidth_tbs * machine.parts * assumed.bandwidth_utilization),
        assumed.vllm_step_seconds if machine.engine == "vllm" else assumed.transformers_step_seconds,
    )
    return max(waves, 1.0) * (made.stop - made.start) * step
