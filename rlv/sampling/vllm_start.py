"""Starting vLLM inside this process, and keeping what it does to the process within bounds.

In the process and not beside it: the weights can then be reached (training hands them over every step), a run
is reproducible, and nothing is spawned unless several GPUs share a model. What that asks for:
- dtype "auto" means another thing to vLLM (float32 checkpoints become float16), so it is decided here;
- vLLM on a CPU replaces `torch.set_num_threads`, and everywhere seeds the process's random numbers and
  writes environment variables that a launcher of several ranks reads: all are put back;
- at its end it destroys the process group, also that of a trainer around it: kept (`stop_vllm`);
- its logger writes a page at every start, and at a failure the whole batch: it is silent unless
  VLLM_LOGGING_LEVEL is set; what fails is raised.

Left out on purpose: quantization, pipeline parallelism, speculative decoding.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from rlv.errors import ModelError
from rlv.sampling.padded_heads import Padding, padding_for, write_padded

# Tokens of a block of the prefix cache, which holds only whole blocks; a CPU's kernels want multiples of 32.
BLOCK = {"cpu": 32, "cuda": 16}
# GiB of keys and values on a CPU if VLLM_CPU_KVCACHE_SPACE is not set.
CPU_CACHE_GIB = 1
# Tokens that a CPU reads in one pass, or the longest sequence if that is more.
BATCHED_TOKENS = 4096
# Shares of the GPU memory that is free at the start: with the device to itself, and beside a trainer,
# whose optimizer takes its memory at the first step.
SHARE_ALONE, SHARE_BESIDE = 0.92, 0.5
# Torch's names of types that checkpoints are sampled in.
DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Started:
    """A running vLLM (`vllm.LLM`), and how the weights that it is given must be padded (None: not at all).

    `joined`: whether the process had a process group (a trainer's) before, which vLLM then uses.
    """

    llm: Any
    padding: Padding | None
    dtype: str
    joined: bool


def require_vllm() -> None:
    """Raises ModelError if vLLM is not installed, with the environment that has it."""
    if importlib.util.find_spec("vllm") is None:
        raise ModelError(
            "engine 'vllm' is not installed in this environment; one that has it is described in "
            "envs/README.md, or set the engine to 'transformers'"
        )


def start_vllm(
    folder: Path,
    *,
    threads: int,
    max_batch: int,
    max_model_len: int | None = None,
    tensor_parallel: int = 1,
    dtype: str = "auto",
    beside_trainer: bool = False,
) -> Started:
    """vLLM with the weights of a checkpoint, on the GPU (or `tensor_parallel` of them), else on the CPU.

    `max_batch`: sequences side by side. `max_model_len`: longest sequence; None: as the model and the
    memory allow. `dtype`: a torch type's name, or "auto" for the checkpoint's own. `beside_trainer`: leave
    room on the device, and be able to sleep. Raises ModelError if vLLM is missing, cannot take the model,
    or fails to start.
    """
    require_vllm()
    config = json.loads((folder / "config.json").read_text())
    dtype = own_dtype(config) if dtype == "auto" else dtype
    if dtype not in DTYPES:
        raise ModelError(f"{folder}: weights of type {dtype!r}; vllm samples with {', '.join(DTYPES)}")
    joined = torch.distributed.is_initialized()
    with TemporaryDirectory(prefix="rlv-vllm-") as scratch, _process_as_it_was(threads):
        import vllm  # pyright: ignore[reportMissingImports]
        from vllm.platforms import current_platform  # pyright: ignore[reportMissingImports]

        padding = None
        arguments: dict[str, Any] = {}
        if current_platform.is_cpu():
            from vllm.v1.attention.backends.cpu_attn import (  # pyright: ignore[reportMissingImports]
                CPUAttentionBackend,
            )

            text_config = config.get("text_config") or config
            padding = padding_for(text_config, CPUAttentionBackend.get_supported_head_sizes(), str(folder))
            gib = os.environ.get("VLLM_CPU_KVCACHE_SPACE") or CPU_CACHE_GIB
            positions = max_model_len or int(text_config.get("max_position_embeddings") or 0)
            arguments |= {
                "kv_cache_memory_bytes": int(gib) << 30,
                "enforce_eager": True,  # compiling takes longer than what is sampled on a CPU
                # A prompt read in parts fails if its request has a seed: CPU generators have no offset.
                "enable_chunked_prefill": False,
                "max_num_batched_tokens": max(BATCHED_TOKENS, positions),
            }
        else:
            share = SHARE_BESIDE if beside_trainer else SHARE_ALONE
            free, total = torch.cuda.mem_get_info()
            arguments |= {"gpu_memory_utilization": share * free / total, "enable_sleep_mode": beside_trainer}
        if padding is not None:
            write_padded(folder, Path(scratch), padding)
        if joined and torch.distributed.get_world_size() > 1:
            # One engine a rank of a training run: the ranks' process group stays as it is.
            arguments["distributed_executor_backend"] = "external_launcher"
        try:
            llm = vllm.LLM(
                model=str(folder if padding is None else scratch),
                skip_tokenizer_init=True,  # tokens in, tokens out
                generation_config="vllm",  # a request contains how it is drawn and what ends it
                dtype=dtype,
                tensor_parallel_size=tensor_parallel,
                max_num_seqs=max_batch,
                max_model_len=-1 if max_model_len is None else max_model_len,
                block_size=BLOCK["cpu" if current_platform.is_cpu() else "cuda"],
                enable_prefix_caching=True,
                logprobs_mode="raw_logprobs",  # the model's own: before temperature and nucleus
                trust_remote_code=False,
                load_format="safetensors",
                disable_log_stats=True,
                seed=0,
                **arguments,
            )
        except Exception as error:
            raise ModelError(
                f"{folder}: vllm does not start with this model: {_first_line(error)}"
            ) from error
    return Started(llm, padding, dtype, joined)


def stop_vllm(started: Started) -> None:
    """Stop vLLM and free what it holds; a process group that was there before it stays."""
    destroy = torch.distributed.destroy_process_group

    def spare(group: Any = None) -> None:
        if group is not None:
            destroy(group)

    if started.joined:  # at its end vLLM destroys the process's default group, whoever made it
        torch.distributed.destroy_process_group = spare
    try:
        started.llm.llm_engine.engine_core.shutdown()
    finally:
        torch.distributed.destroy_process_group = destroy


def own_dtype(config: dict[str, Any]) -> str:
    """The type of a checkpoint's weights, from the contents of its config.json; else float32."""
    return str(config.get("dtype") or config.get("torch_dtype") or "float32").removeprefix("torch.")


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"


@contextmanager
def _process_as_it_was(threads: int) -> Iterator[None]:
    """The process's own settings again once vLLM has started; `threads` of torch stay.

    Variables of vLLM itself stay, too: it reads them later.
    """
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    environment = dict(os.environ)
    random_states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    set_threads = torch.set_num_threads
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads = set_threads
        random.setstate(random_states[0])
        np.random.set_state(random_states[1])  # noqa: NPY002
        torch.set_rng_state(random_states[2])
        if on_gpus is not None:
            torch.cuda.set_rng_state_all(on_gpus)
        for name in [n for n in os.environ if not n.startswith("VLLM_") and n not in environment]:
            del os.environ[name]
        os.environ.update({n: v for n, v in environment.items() if not n.startswith("VLLM_")})
