"""Engines by the names that study files use: for a stage, and for the rollouts of a training run.

    with open_engine("vllm", folder, threads=2, max_batch=256) as opened:
        solutions = opened.engine.sample(requests, params)

Importing this loads neither torch nor vLLM; opening an engine does. Left out on purpose: engines on other
machines (servers).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from rlv.errors import ModelError
from rlv.sampling.engine import Engine, Progress, Request, Sampled, SamplingParams

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from rlv.models.flops import ModelShape
    from rlv.sampling.vllm_engine import VllmEngine
    from rlv.study.types import Training


@dataclass(frozen=True)
class Opened:
    """An engine with the weights of a checkpoint, and what goes with them."""

    engine: Engine
    tokenizer: PreTrainedTokenizerBase
    shape: ModelShape


@runtime_checkable
class HandedOver(Protocol):
    """An engine with weights of its own, which a trainer replaces in place every step.

    The order: `wake`, `update` with all weights, verify, `sample`, `sleep`. What `weights`, `prompt_logprobs`
    and `next_logprobs` return is what the verification compares (rlv/training/handover.py); `as_held` is a
    trainer's tensor as `weights` has it.
    """

    vocabulary: int
    positions: int
    dtype: str

    def sample(
        self, requests: Sequence[Request], params: SamplingParams, progress: Progress | None = None
    ) -> list[Sampled]:
        """One solution a request, in the order of the requests."""
        ...

    def update(self, named_tensors: Iterable[tuple[str, Tensor]]) -> None:
        """Replace the weights by these tensors, named as in a checkpoint."""
        ...

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Name in a checkpoint and value of every weight that the engine multiplies with now."""
        ...

    def as_held(self, name: str, value: Tensor) -> Tensor:
        """A tensor of the checkpoint as `weights` returns it: in the engine's type and padding."""
        ...

    def sleep(self) -> None:
        """Give the device's memory back; weights and cache are gone until `wake` and `update`."""
        ...

    def wake(self) -> None:
        """Take the device's memory again; it is empty until `update`."""
        ...

    def next_logprobs(self, sequences: Sequence[Sequence[int]], token_id: int | Sequence[int]) -> np.ndarray:
        """log π(token | sequence) of one token after each sequence, in nats."""
        ...

    def prompt_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """log π(s_t | s_<t) of each sequence's tokens but the first, in nats, computed afresh."""
        ...


@contextmanager
def open_engine(
    name: str, folder: Path, *, threads: int, max_batch: int, tensor_parallel: int = 1, dtype: str = "auto"
) -> Iterator[Opened]:
    """The engine of this name with the weights of a checkpoint; vLLM is stopped when the block ends.

    `threads` of torch on a CPU; `max_batch` solutions side by side; `tensor_parallel` GPUs for one model
    (vllm). Raises ModelError for an unknown engine, one that is not installed, and as the engine does.
    """
    from rlv.models.flops import shape_of, shape_of_folder

    if name == "transformers":
        import torch

        from rlv.models import load_model
        from rlv.sampling.transformers_engine import TransformersEngine

        torch.set_num_threads(threads)
        model, tokenizer = load_model(folder, dtype)
        yield Opened(TransformersEngine(model, tokenizer, max_batch=max_batch), tokenizer, shape_of(model))
        return
    with open_vllm(
        name, folder, threads=threads, max_batch=max_batch, tensor_parallel=tensor_parallel, dtype=dtype
    ) as (engine, tokenizer):
        yield Opened(engine, tokenizer, shape_of_folder(folder))


@contextmanager
def open_vllm(
    name: str,
    folder: Path,
    *,
    threads: int,
    max_batch: int,
    tensor_parallel: int = 1,
    dtype: str = "auto",
    beside_trainer: bool = False,
) -> Iterator[tuple[VllmEngine, PreTrainedTokenizerBase]]:
    """vLLM and the checkpoint's tokenizer, stopped when the block ends. Arguments and errors: `open_engine`.

    `beside_trainer`: leave a trainer room on the device, and be able to sleep. Raises ModelError if the
    checkpoint lacks tensors of its architecture: vLLM reports those that are missing for some models only.
    """
    if name != "vllm":
        raise ModelError(f"no engine named {name!r} (there are: transformers, vllm)")
    from rlv.sampling.vllm_start import require_vllm

    require_vllm()
    from rlv.models.completeness import require_complete

    require_complete(folder)
    from transformers import AutoTokenizer

    from rlv.sampling.vllm_engine import VllmEngine

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    engine = VllmEngine(
        folder,
        tokenizer,
        threads=threads,
        max_batch=max_batch,
        tensor_parallel=tensor_parallel,
        dtype=dtype,
        beside_trainer=beside_trainer,
    )
    try:
        yield engine, tokenizer
    finally:
        engine.close()


@contextmanager
def open_rollout_engine(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    training: Training,
    threads: int,
) -> Iterator[Engine]:
    """The engine that samples a training run's batches, as `training.engine` names it.

    "transformers" samples with the trainer's own module `model`; "vllm" has weights of its own
    (`HandedOver`), at first those of `folder`. On several ranks every rank opens one, at the same time.
    Raises ModelError as `open_engine` does.
    """
    if training.engine == "transformers":
        from rlv.sampling.transformers_engine import TransformersEngine

        yield TransformersEngine(model, tokenizer, max_batch=training.max_batch)
        return
    with open_vllm(
        training.engine,
        folder,
        threads=threads,
        max_batch=training.max_batch,
        dtype=training.dtype,
        beside_trainer=True,
    ) as (engine, _):
        yield engine
