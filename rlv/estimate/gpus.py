"""GPUs by name: memory, dense peak and bandwidth, from their makers' data sheets.

Memory is in GiB as the driver reports it. Peaks are dense (data sheets often print twice that, with
sparsity): bfloat16 with sums in float32, and float32 without TF32, which torch does not use by default. Left
out on purpose: links between GPUs, and parts of a GPU (MIG).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from rlv.errors import StudyError
from rlv.run.devices import local_gpus


@dataclass(frozen=True)
class Gpu:
    """One kind of accelerator: GiB, TFLOP/s, TB/s."""

    name: str
    memory_gib: float
    bfloat16_tflops: float
    float32_tflops: float
    bandwidth_tbs: float

    @property
    def memory_bytes(self) -> float:
        return self.memory_gib * 2**30

    def flops(self, dtype: str) -> float:
        """Dense peak in FLOP/s."""
        return 1e12 * (self.float32_tflops if dtype == "float32" else self.bfloat16_tflops)


GPUS = {
    gpu.name: gpu
    for gpu in (
        # NVIDIA Blackwell data sheet: 4.5 PFLOP/s with sparsity, 8 TB/s.
        Gpu("B200", 179.0, 2250, 75, 8.0),
        # NVIDIA H200 data sheet (SXM): 1,979 with sparsity, 67, 4.8 TB/s, 141 GB.
        Gpu("H200", 139.8, 989.5, 67, 4.8),
        # NVIDIA H100 data sheet (SXM5): 1,979 with sparsity, 67, 3.35 TB/s, 80 GB.
        Gpu("H100-80", 79.6, 989.5, 67, 3.35),
        # NVIDIA A100 data sheet (SXM): 312, 19.5, 2,039 GB/s and 1,555 GB/s.
        Gpu("A100-80", 80.0, 312, 19.5, 2.039),
        Gpu("A100-40", 40.0, 312, 19.5, 1.555),
        # NVIDIA L40S data sheet: 362, 91.6, 864 GB/s, 48 GB with error correction.
        Gpu("L40S", 45.0, 362, 91.6, 0.864),
        # NVIDIA RTX A6000 data sheet and the Ampere GA102 white paper: 154.8, 38.7, 768 GB/s.
        Gpu("RTX-A6000", 48.0, 154.8, 38.7, 0.768),
        # NVIDIA Ada white paper: 165.2 with float32 sums, 82.6, 1,008 GB/s.
        Gpu("RTX-4090", 24.0, 165.2, 82.6, 1.008),
        # NVIDIA GA102 white paper: 71 with float32 sums, 35.6, 936 GB/s.
        Gpu("RTX-3090", 24.0, 71, 35.6, 0.936),
        # NVIDIA A10 and L4 data sheets: 125, 31.2, 600 GB/s; 121, 30.3, 300 GB/s.
        Gpu("A10", 22.5, 125, 31.2, 0.6),
        Gpu("L4", 22.5, 121, 30.3, 0.3),
    )
}
DEFAULT = "H100-80"
# The driver reports a little less than the data sheet; another memory under the same name differs by more.
_SAME_MEMORY = 0.06
_DRIVER = Path("/proc/driver/nvidia/gpus")


def find_gpu(name: str) -> Gpu:
    """A GPU by name, however it is spelt; a beginning that fits only one is enough.

    Raises StudyError with the names that are known.
    """

    def plain(text: str) -> str:
        return "".join(c for c in text.lower() if c.isalnum())

    exact = [gpu for known, gpu in GPUS.items() if plain(known) == plain(name)]
    fitting = exact or [gpu for known, gpu in GPUS.items() if plain(known).startswith(plain(name))]
    if len(fitting) != 1 or not plain(name):
        raise StudyError(
            f"gpu: {name!r} {'could be several' if fitting else 'is not known'}; known: {', '.join(GPUS)}"
        )
    return fitting[0]


def local_gpu() -> Gpu | None:
    """This machine's GPU, of several the one with the least memory; None if one of them is not in GPUS."""
    found = [match_gpu(name, gib) for name, gib in _reported()]
    known = [gpu for gpu in found if gpu is not None]
    return min(known, key=lambda gpu: gpu.memory_gib) if known and len(known) == len(found) else None


def match_gpu(product: str, memory_gib: float | None) -> Gpu | None:
    """The entry of GPUS for a product name of the driver ("NVIDIA A100-SXM4-40GB"); None if there is none.

    Without `memory_gib` the product's name must contain it, or only one entry may fit.
    """
    words = set(re.split(r"[\s-]+", product.upper()))
    said = re.search(r"(\d+) ?GB", product)
    gib = memory_gib if memory_gib is not None else float(said.group(1)) if said else None
    fitting = [
        gpu
        for gpu in GPUS.values()
        if set(re.sub(r"-(40|80)$", "", gpu.name).split("-")) <= words
        and (gib is None or abs(gpu.memory_gib - gib) <= _SAME_MEMORY * gib)
    ]
    return fitting[0] if len(fitting) == 1 else None


def _reported() -> list[tuple[str, float | None]]:
    """(product, GiB) of each GPU, from nvidia-smi, else from the driver's own files, without GiB."""
    if listed := local_gpus():
        return [(device.name, device.memory_gib) for device in listed]
    texts = [path.read_text(errors="replace") for path in sorted(_DRIVER.glob("*/information"))]
    models = (re.search(r"^Model:\s*(.+)$", text, re.MULTILINE) for text in texts)
    return [(model.group(1).strip(), None) for model in models if model is not None]
