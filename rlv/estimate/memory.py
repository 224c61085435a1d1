"""What one GPU must hold, part by part, in bytes: training states, activations, logits, caches.

Symbols as in sizes.py (H hidden, A attention width, K key width, I intermediate, V vocabulary, L layers),
N padded tokens of a micro-batch, S solution tokens in it, b bytes of an element, R ranks.

States follow rlv/training/engine.py: AdamW in float32 (8 bytes a parameter), and a float32 copy of the
weights (4) wherever ZeRO runs, which bfloat16 implies; ZeRO divides those by R from stage 1 on, gradients
from stage 2, weights at stage 3 (Rajbhandari et al. 2020, section 5). Activations are what autograd saves in
a Llama block with fused attention; the output matrix is applied to solution tokens alone, in float32, and
its backward pass holds log-probabilities, their gradient and that of the logits: 12 V bytes a token.

Left out on purpose: kernels' workspaces and fragments (a share of the GPU is kept for them), and what is
moved to main memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from rlv.estimate.sizes import BYTES, Size

# Elements that DeepSpeed sends at a time: gradients being reduced and weights being gathered.
BUCKET = 50_000_000


@dataclass(frozen=True)
class Memory:
    """Bytes on one GPU by part, for parts that are there at the same time; `when`: the phase of a job."""

    when: str
    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        return sum(self.parts.values())


# Which keys of a study make a part smaller, the most helpful first: of training, and of an engine alone.
_TRAINING_HELPS = {
    "weights": ("zero_stage: 3 with more ranks",),
    "gradients": ("zero_stage: 2 with more ranks",),
    "optimizer": ("offload: true", "zero_stage: 1 with more ranks"),
    "reference": ("kl_coefficient: 0",),
    "activations": ("gradient_checkpointing: true", "tokens_per_microbatch", "max_tokens"),
    "logits": ("tokens_per_microbatch", "max_tokens"),
    "KV cache": ("max_batch", "max_tokens"),
    "gathered weights": ("engine: vllm",),
    "engine weights": ("offload: true",),
    "second learner": ("overhead.reasoner: a smaller one",),
}
_ENGINE_HELPS = {
    "engine weights": ("tensor_parallel (engine vllm)",),
    "KV cache": ("max_batch", "max_tokens", "tensor_parallel (engine vllm)"),
}


def helps(part: str, stage: str, how: Mapping[str, Any]) -> tuple[str, ...]:
    """Keys of a study that make a part of a stage's memory smaller, less those that are set already."""
    if stage not in ("train", "overhead"):
        return _ENGINE_HELPS.get(part, ())
    keys = []
    for key in _TRAINING_HELPS.get(part, ()):
        if key.startswith("zero_stage: ") and stage == "train":
            divided = int(key.split()[1]) <= how["zero_stage"]
            keys.append("ranks: more" if divided else key)
        elif key.startswith("zero_stage"):
            continue  # the overhead is measured on one GPU
        elif not (key.endswith(": true") and how[key.removesuffix(": true")]):
            keys.append(key)
    return tuple(keys)


def state_bytes(size: Size, how: Mapping[str, Any], dtype: str, *, reference: bool) -> dict[str, float]:
    """What training holds between its steps, and gradients, on each of `how["ranks"]` GPUs."""
    p, b, ranks = size.parameters, BYTES[dtype], int(how["ranks"])
    # DeepSpeed has no bfloat16 with a float32 copy below stage 1.
    stage = max(int(how["zero_stage"]), int(dtype == "bfloat16"))
    parts = {
        "weights": p * b / (ranks if stage == 3 else 1),
        # Added up in float32 over micro-batches; a pass's own in bfloat16 are dropped as they come.
        "gradients": 4 * p / (ranks if stage >= 2 else 1),
        "optimizer": 0.0
        if how["offload"]
        else (8 * p + (4 * p if stage >= 1 else 0)) / (ranks if stage >= 1 else 1),
        "buckets": 0.0 if stage == 0 else 2.0 * BYTES["float32"] * BUCKET,
    }
    if reference:
        parts["reference"] = p * b
    return parts


def resting_bytes(state: Mapping[str, float], how: Mapping[str, Any], dtype: str) -> dict[str, float]:
    """What of `state_bytes` stays between steps: gradients only in buffers of DeepSpeed's own.

    It has those at stage 3, and in bfloat16 at stage 1.
    """
    stays = how["zero_stage"] == 3 or (dtype == "bfloat16" and how["zero_stage"] < 2)
    return {part: size for part, size in state.items() if part != "gradients" or stays}


def activation_bytes(size: Size, tokens: int, dtype: str, *, checkpointing: bool) -> float:
    """What autograd keeps of the backbone for a micro-batch of N padded tokens."""
    layers = size.layers
    one = layer_bytes(size, dtype)
    ends = _norm_bytes(size, dtype) + size.hidden * BYTES[dtype]  # the last norm, and what it hands on
    kept = layers * size.hidden * BYTES[dtype] + one if checkpointing else layers * one
    return float(tokens) * (kept + ends)


def layer_bytes(size: Size, dtype: str) -> float:
    """Saved by one block, a token: two norms, the inputs of seven matrices, attention, the gate."""
    b, h, a, k, i = BYTES[dtype], size.hidden, size.attention_width, size.kv_width, size.intermediate
    norms = 2 * (_norm_bytes(size, dtype) + h * b)
    # Queries and keys after rotation, values, the output, and its softmax sums in float32.
    attention = (2 * a + 2 * k) * b + 4 * size.heads
    return norms + attention + 4 * i * b


def _norm_bytes(size: Size, dtype: str) -> float:
    """RMSNorm computes in float32: its input there, and its output in the weights' type."""
    return size.hidden * (4 + BYTES[dtype])


def logits_bytes(size: Size, solution_tokens: int) -> float:
    """Log-probabilities over the vocabulary, their gradient, and that of the logits, all float32."""
    return 12.0 * size.vocab * solution_tokens


def training_memory(
    size: Size,
    params: Mapping[str, Any],
    how: Mapping[str, Any],
    prompt_tokens: int,
    *,
    recorded: bool = False,
) -> list[Memory]:
    """Both phases of a training job, on each of its GPUs; one phase where it learns from recorded solutions.

    `params` and `how` are those of its artifact; recorded, max_tokens is that of the recorder.
    """
    dtype = params.get("dtype", "float32")
    reference = params.get("kl_coefficient", 0) > 0
    state = state_bytes(size, how, dtype, reference=reference)
    # A sequence longer than the micro-batch gets one of its own.
    tokens = max(int(how["tokens_per_microbatch"]), prompt_tokens + params["max_tokens"])
    solution = ceil(tokens * params["max_tokens"] / (prompt_tokens + params["max_tokens"]))
    checkpointing = bool(how["gradient_checkpointing"])
    update = {
        **state,
        "activations": activation_bytes(size, tokens, dtype, checkpointing=checkpointing),
        "logits": 0.0 if recorded else logits_bytes(size, solution),
    }
    if how["zero_stage"] == 3:
        # One block is whole while it computes, the next is being gathered.
        update["gathered weights"] = 2 * BYTES[dtype] * (size.parameters / size.layers)
    made = [Memory("learning", _some(update))]
    if not recorded:
        resting = resting_bytes(state, how, dtype)
        made.append(
            Memory(
                "sampling",
                _some({**resting, **_rollout_bytes(size, params, how, dtype, prompt_tokens)}),
            )
        )
    return made


def _rollout_bytes(
    size: Size,
    params: Mapping[str, Any],
    how: Mapping[str, Any],
    dtype: str,
    prompt_tokens: int,
) -> dict[str, float]:
    longest = prompt_tokens + params["max_tokens"]
    batch = ceil(params["problems_per_step"] * params["solutions_per_problem"] / how["ranks"])
    if params.get("engine") == "vllm":
        # It runs what fits and lets the rest wait: one sequence is what it cannot do without.
        return {"engine weights": size.parameters * BYTES[dtype], "KV cache": longest * size.kv_bytes(dtype)}
    if "continuations" in params:
        batch = how["max_batch"]
    parts = {"KV cache": slots_bytes(size, min(batch, how["max_batch"]), longest, dtype)}
    if how["zero_stage"] == 3:
        parts["gathered weights"] = size.parameters * BYTES[dtype]
    return parts


def slots_bytes(size: Size, rows: int, positions: int, dtype: str) -> float:
    """The transformers engine's cache: all rows at full length, and one spare buffer (kv_slots.py)."""
    return rows * positions * size.kv_bytes(dtype) * (1 + 1 / (2 * size.layers))


def engine_memory(
    size: Size, engine: str, dtype: str, rows: int, longest: int, tensor_parallel: int
) -> Memory:
    """Sampling or forcing answers on each of `tensor_parallel` GPUs."""
    parts = size.parameters * BYTES[dtype] / (tensor_parallel if engine == "vllm" else 1)
    if engine == "vllm":
        cache = longest * size.kv_bytes(dtype) / tensor_parallel
    else:
        cache = slots_bytes(size, rows, longest, dtype)
    return Memory("sampling", {"engine weights": parts, "KV cache": cache})


def _some(parts: Mapping[str, float]) -> dict[str, float]:
    return {part: value for part, value in parts.items() if value > 0}
