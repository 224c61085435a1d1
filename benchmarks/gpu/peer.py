"""Part d: the same training step by TRL's GRPOTrainer, on the same sequences, in one run.

TRL goes first and ends before our model is loaded, so that neither needs the other's memory. At the first
step both must find the same gradient norm, else they do not do the same work.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import torch

from benchmarks.gpu import step as ours
from benchmarks.gpu.rows import Row, at_least, at_most, noted
from benchmarks.gpu.sizes import GIB_LIMIT, Sizes, StepSize
from benchmarks.trl_peer import TrlPeer
from rlv.models.folders import read_config
from rlv.models.work import size_from_config

PART = "d"
BARS = {"equal": 1.0, "uneven": 1.3}
# Two ways to compute in bfloat16: with weights in it, and with float32 weights cast to it.
NORMS_AGREE = {"float32": 0.01, "bfloat16": 0.05}


def run(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Rows of both workloads; `folder` has the model."""
    config = read_config(folder)
    assert config is not None  # it was written for this
    vocabulary = size_from_config(config).vocab
    theirs: dict[str, tuple[float, float]] = {}
    for step in sizes.peers:
        seconds, norm, peak, versions = _peer(sizes, step, folder, vocabulary)
        theirs[step.name] = seconds, norm
        tokens = ours.workload_of(step, vocabulary).tokens
        beside = ", ".join(f"{name} {version}" for name, version in versions.items())
        yield noted(PART, f"{step.name} lengths: a step of TRL's", tokens / seconds, "tokens/s", beside)
        if torch.cuda.is_available():
            yield at_most(PART, f"{step.name} lengths: TRL's memory", peak, GIB_LIMIT, "", "GiB")
    learner = ours.open_learner(folder, ours.config_of(sizes, sizes.peers[0]))
    for step in sizes.peers:
        seconds, norm = theirs[step.name]
        found = ours.measure(learner, step, ours.config_of(sizes, step), sizes.repeats)
        beside = f"{norm:.4f} of TRL's first step, {found.norm:.4f} of ours"
        what = f"{step.name} lengths: gradient norms differ by"
        # Weights have moved since the first workload, so only there is the first step the same.
        if step == sizes.peers[0]:
            yield at_most(PART, what, abs(found.norm / norm - 1), NORMS_AGREE[sizes.dtype], beside)
        yield noted(
            PART, f"{step.name} lengths: a step of ours", found.speed, "tokens/s", f"{found.tokens:,} tokens"
        )
        ratio = seconds / statistics.median(found.plain)
        yield at_least(
            PART, f"{step.name} lengths: our speed", ratio, BARS[step.name], "TRL's", "x", at_size=True
        )
        ratio = seconds / statistics.median(found.verifying)
        yield noted(PART, f"{step.name} lengths: our speed with verification", ratio, "x", "TRL's without")


def _peer(
    sizes: Sizes, step: StepSize, folder: Path, vocabulary: int
) -> tuple[float, float, float, dict[str, str]]:
    """(median seconds, norm at the first step, GiB of its GPU memory, versions) of TRL."""
    with tempfile.TemporaryDirectory() as scratch:
        peer = TrlPeer(
            folder,
            ours.workload_of(step, vocabulary).groups,
            rows=step.peer_rows,
            threads=torch.get_num_threads(),
            clock="wall",
            learning_rate=1e-6,
            scratch=Path(scratch),
            bfloat16=sizes.dtype == "bfloat16",
            checkpointing=step.checkpointing,
        )
        with closing(peer):
            _, norm = peer.step()
            seconds = statistics.median(peer.step()[0] for _ in range(sizes.repeats))
            return seconds, norm, peer.peak_gib, peer.versions
