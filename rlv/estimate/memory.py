"""What one GPU must hold, part by part, in bytes: training states, activations, logits, caches.

Symbols as in sizes.py (H hidden, A attention width, K key width, I intermediate, V vocabulary, L layers),
N padded tokens of a micro-batch, S solution tokens in it, b bytes of an element, R ranks.

States follow rlv/training/engine.py: AdamW in float32 (8 bytes a parameter), and a float32 copy of the
weights (4) wherever ZeRO runs, which bfloat16 implies; ZeRO divides those by R from stage 1 on, gradients
from stage 2, weights at stage 3 (Rajbhandari et al. 2020, section 5). Activations are what autograd saves in
a Llama block with fused attention; the output matrix is applied to solution tokens alone, in float32, and
its backward pass holds log-probabilities, their gradient and that of the logits: 12 V bytes a token; without
one, logits and log-probabilities: 8 V. Where ZeRO does not run, one objective's gradients are added up apart
every few steps (their sum and a pass's own: rlv/training/norms.py), and DeepSpeed adds gradients up over
ranks (one, too) in a flat copy of them, when the activations are gone.

vLLM beside a trainer takes a share of the GPU memory that is free when it starts, before the optimizer has
its moments (rlv/sampling/vllm_start.py), and gives it back while it sleeps. Wherever weights are divided
(ZeRO-3), all of them are brought together to verify what was handed over, while vLLM is awake, and to read
log-probabilities, while it sleeps (rlv/training/weights.py).

Left out on purpose: kernels' workspaces and fragments (a share of the GPU is kept for them), what a sleeping
vLLM keeps (its graphs), and what is moved to main memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from rlv.estimate.sizes import BYTES, Size

# Elements that DeepSpeed sends at a time: gradients being reduced and weights being gathered.
BUCKET = 50_000_000
# The same where ZeRO does not run: MEMORY_OPT_ALLREDUCE_SIZE of deepspeed.runtime.engine, no setting.
FLAT_BUCKET = 500_000_000
# Of the memory that is free when vLLM starts beside a trainer: SHARE_BESIDE of rlv/sampling/vllm_start.py.
SHARE_BESIDE = 0.5
_MOMENTS = 8  # bytes a parameter of AdamW's two, in float32


@dataclass(frozen=True)
class Memory:
    """Bytes on one GPU by part, for parts that are there at the same time; `when`: the phase of a job.

    `room`: bytes that these parts may take together where that is less than what the GPU has.
    """

    when: str
    parts: Mapping[str, float]
    room: float | None = None

    @property
    def total(self) -> float:
        return sum(self.parts.values())


# Which keys of a study make a part smaller, the most helpful first: of training, and of an engine alone.
_TRAINING_HELPS = {
    "weights": ("zero_stage: 3 with more ranks",),
    "gradients": ("zero_stage: 2 with more ranks",),
    "flat gradients": ("zero_stage: 1 with more ranks",),
    "gradients apart": ("zero_stage: 1 with more ranks",),
    "optimizer": ("offload: true", "zero_stage: 1 with more ranks"),
    "reference": ("kl_coefficient: 0",),
    "activations": ("gradient_checkpointing: true", "tokens_per_microbatch", "max_tokens"),
    "logits": ("tokens_per_microbatch", "max_tokens"),
    "KV cache": ("max_batch", "max_tokens"),
    "gathered weights": ("zero_stage: 2",),
    "engine weights": ("zero_stage: 1 with more ranks", "offload: true", "engine: transformers"),
    "vllm's share": ("offload: true", "engine: transformers"),
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
        if key == "zero_stage: 2":  # what is not divided need not be brought together
            keys += [key] if how["zero_stage"] == 3 else []
        elif key.startswith("zero_stage: ") and stage == "train":
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
    stage = _stage(how, dtype)
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


def _stage(how: Mapping[str, Any], dtype: str) -> int:
    """The stage that runs: DeepSpeed has no bfloat16 with a float32 copy below stage 1."""
    return max(int(how["zero_stage"]), int(dtype == "bfloat16"))


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


def reading_bytes(size: Size, tokens: int, solution_tokens: int, dtype: str) -> dict[str, float]:
    """Of a pass without gradients: one block's, and logits with log-probabilities in float32."""
    return {
        "activations": tokens * layer_bytes(size, dtype),
        "logits": 8.0 * size.vocab * solution_tokens,
    }


def training_memory(
    size: Size,
    params: Mapping[str, Any],
    how: Mapping[str, Any],
    prompt_tokens: int,
    *,
    recorded: bool = False,
    device: float | None = None,
    second_learner: float = 0.0,
) -> list[Memory]:
    """All phases of a training job, on each of its GPUs; learning alone where solutions were recorded.

    `params` and `how` are those of its artifact; recorded, max_tokens is that of the recorder. `device`: the
    GPU's bytes, of which vLLM takes a share; None: what it cannot do without. `second_learner`: bytes of one
    beside this one, its moments included, where solutions are sampled before there are learners.
    """
    dtype = params.get("dtype", "float32")
    reference = params.get("kl_coefficient", 0) > 0
    state = state_bytes(size, how, dtype, reference=reference)
    second = {"second learner": second_learner}
    resting = {**resting_bytes(state, how, dtype), **second}
    # A sequence longer than the micro-batch gets one of its own.
    tokens = max(int(how["tokens_per_microbatch"]), prompt_tokens + params["max_tokens"])
    solution = ceil(tokens * params["max_tokens"] / (prompt_tokens + params["max_tokens"]))
    checkpointing = bool(how["gradient_checkpointing"])
    update = {
        **state,
        **second,
        "activations": activation_bytes(size, tokens, dtype, checkpointing=checkpointing),
        "logits": 0.0 if recorded else logits_bytes(size, solution),
    }
    whole = {"gathered weights": size.parameters * BYTES[dtype]} if how["zero_stage"] == 3 else {}
    apart = params.get("verification_coefficient", 0) > 0 and not recorded and not second_learner
    if apart and _stage(how, dtype) == 0:
        update["gradients apart"] = 8.0 * size.parameters
    if whole:
        # One block is whole while it computes, the next is being gathered.
        update["gathered weights"] = 2 * BYTES[dtype] * (size.parameters / size.layers)
    made = [Memory("learning", _some(update))]
    if _stage(how, dtype) == 0:
        flat = 4.0 * min(size.parameters, FLAT_BUCKET)
        made.append(Memory("adding up gradients", _some({**state, **second, "flat gradients": flat})))
    if recorded:
        return made
    if reference or params.get("epochs", 1) * params.get("minibatches", 1) > 1:
        read = {**resting, **whole, **reading_bytes(size, tokens, solution, dtype)}
        made.append(Memory("reading", _some(read)))
    if second_learner:
        resting, moments = {"weights": state["weights"]}, 0.0
    else:
        moments = _moments(size, how, dtype)
    if params.get("engine") == "vllm":
        # When it starts, there are no moments yet.
        free = None if device is None else device - sum(resting.values()) + moments
        longest = prompt_tokens + params["max_tokens"]
        return made + _vllm_memory(size, _some({**resting, **whole}), dtype, longest, free)
    made.append(
        Memory(
            "sampling",
            _some({**resting, **whole, **_slots_of(size, params, how, dtype, prompt_tokens)}),
        )
    )
    return made


def _moments(size: Size, how: Mapping[str, Any], dtype: str) -> float:
    """Of `state_bytes`' optimizer what the first update brings."""
    divided = int(how["ranks"]) if _stage(how, dtype) else 1
    return 0.0 if how["offload"] else _MOMENTS * size.parameters / divided


def _vllm_memory(
    size: Size, held: Mapping[str, float], dtype: str, longest: int, free: float | None
) -> list[Memory]:
    """vLLM starting in its share, and awake beside what a trainer holds meanwhile.

    It runs what fits and lets the rest wait: weights and one sequence are what it cannot do without.
    """
    needed = {
        "engine weights": float(size.parameters * BYTES[dtype]),
        "KV cache": longest * size.kv_bytes(dtype),
    }
    # What is whole for a moment only (`held` at ZeRO-3) is there when the weights are verified.
    when = "handing over" if "gathered weights" in held else "sampling"
    if free is None:
        return [Memory(when, _some({**held, **needed}))]
    share = SHARE_BESIDE * max(free, 0.0)
    taken = max(share, sum(needed.values()))
    return [
        Memory("starting vllm", needed, room=share),
        Memory(when, _some({**held, "vllm's share": taken})),
    ]


def _slots_of(
    size: Size, params: Mapping[str, Any], how: Mapping[str, Any], dtype: str, prompt_tokens: int
) -> dict[str, float]:
    """The cache of rollouts with transformers."""
    batch = ceil(params["problems_per_step"] * params["solutions_per_problem"] / how["ranks"])
    if "continuations" in params:
        batch = how["max_batch"]
    longest = prompt_tokens + params["max_tokens"]
    return {"KV cache": slots_bytes(size, min(batch, how["max_batch"]), longest, dtype)}


def slots_bytes(size: Size, rows: int, positions: int, dtype: str) -> float:
    """The transformers engine's cache: all rows at full length, and one spare buffer (kv_slots.py)."""
    return rows * positions * size.kv_bytes(dtype) * (1 + 1 / (2 * size.layers))


def scoring_memory(size: Size, dtype: str, padded_tokens: int, longest: int) -> Memory:
    """Scoring with transformers: one pass at a time over `padded_tokens` (Score), which keeps no cache."""
    parts = {
        "engine weights": size.parameters * BYTES[dtype],
        "activations": max(padded_tokens, longest) * layer_bytes(size, dtype),
    }
    return Memory("scoring", parts)


def engine_memory(
    size: Size, engine: str, dtype: str, rows: int, longest: int, tensor_parallel: int
) -> Memory:
    """Sampling or forcing answers, or scoring with vLLM, on each of `tensor_parallel` GPUs."""
    parts = size.parameters * BYTES[dtype] / (tensor_parallel if engine == "vllm" else 1)
    if engine == "vllm":
        cache = longest * size.kv_bytes(dtype) / tensor_parallel
    else:
        cache = slots_bytes(size, rows, longest, dtype)
    return Memory("sampling", {"engine weights": parts, "KV cache": cache})


def _some(parts: Mapping[str, float]) -> dict[str, float]:
    return {part: value for part, value in parts.items() if value > 0}
