"""What one GPU must hold for training, part by part, in bytes: states, activations, logits, caches.

States follow rlv/training/engine.py: AdamW in float32 (8 bytes a parameter), and a float32 copy of the
weights (4) if ZeRO runs, which bfloat16 implies. ZeRO divides those by the ranks from stage 1 on, gradients
from stage 2, weights at stage 3 (Rajbhandari et al. 2020, section 5). Activations are what autograd saves in
a Llama block with fused attention. The output matrix is applied to solution tokens only, in float32, and its
backward pass holds log-probabilities, their gradient and that of the logits: 12 V bytes a token; a pass
without gradients holds logits and log-probabilities: 8 V. Without ZeRO, one objective's gradients are added
up apart every few steps (their sum and a pass's own: norms.py), and DeepSpeed adds gradients up over ranks
(one, too) in a flat copy of them, when the activations are gone.

vLLM beside a trainer takes a share of the GPU memory that is free when it starts, before the optimizer has
its moments (rlv/sampling/vllm_start.py), and gives it back while it sleeps. If weights are divided (ZeRO-3),
all of them are brought together to verify what was handed over, while vLLM is awake, and to read
log-probabilities, while it sleeps (weights.py).

Left out on purpose: kernels' workspaces and fragments (a share of the GPU is kept for them), what a sleeping
vLLM keeps (its graphs), and what is moved to main memory. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import Any

from rlv.job.work import BYTES, Memory, Size
from rlv.models.work import activation_bytes, logits_bytes, reading_bytes
from rlv.sampling.work import slots_bytes
from rlv.training.origin import SAMPLED, Origin

# Elements that DeepSpeed sends at a time: gradients being reduced and weights being gathered.
BUCKET = 50_000_000
# The same if ZeRO does not run: MEMORY_OPT_ALLREDUCE_SIZE of deepspeed.runtime.engine, no setting.
FLAT_BUCKET = 500_000_000
# Of the memory that is free when vLLM starts beside a trainer: SHARE_BESIDE of rlv/sampling/vllm_start.py.
SHARE_BESIDE = 0.5
_MOMENTS = 8  # bytes a parameter of AdamW's two, in float32
# Which keys of a study make a part smaller, the most helpful first.
_HELPS = {
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


def helps(part: str, how: Mapping[str, Any], *, one_gpu: bool = False) -> tuple[str, ...]:
    """Keys of a study that make a part smaller, less those that are set already.

    `one_gpu`: the job runs on one GPU, whatever the study sets.
    """
    keys = []
    for key in _HELPS.get(part, ()):
        if key == "zero_stage: 2":  # undivided weights need not be gathered
            keys += [key] if how["zero_stage"] == 3 else []
        elif key.startswith("zero_stage: "):
            divided = int(key.split()[1]) <= how["zero_stage"]
            keys += [] if one_gpu else ["ranks: more" if divided else key]
        elif not (key.endswith(": true") and how[key.removesuffix(": true")]):
            keys.append(key)
    return tuple(keys)


def state_bytes(size: Size, how: Mapping[str, Any], *, reference: bool) -> dict[str, float]:
    """Bytes that training holds between its steps, and gradients, on each of `how["ranks"]` GPUs."""
    p, ranks = size.parameters, int(how["ranks"])
    stage = running_stage(how, size.dtype)
    parts = {
        "weights": size.weights / (ranks if stage == 3 else 1),
        # Added up in float32 over micro-batches; a pass's own in bfloat16 are dropped as they come.
        "gradients": 4 * p / (ranks if stage >= 2 else 1),
        "optimizer": 0.0
        if how["offload"]
        else (8 * p + (4 * p if stage >= 1 else 0)) / (ranks if stage >= 1 else 1),
        "buckets": 0.0 if stage == 0 else 2.0 * BYTES["float32"] * BUCKET,
    }
    if reference:
        parts["reference"] = size.weights
    return parts


def running_stage(how: Mapping[str, Any], dtype: str) -> int:
    """The ZeRO stage that runs: DeepSpeed has no bfloat16 with a float32 copy below stage 1."""
    return max(int(how["zero_stage"]), int(dtype == "bfloat16"))


def resting_bytes(state: Mapping[str, float], how: Mapping[str, Any], dtype: str) -> dict[str, float]:
    """The part of `state_bytes` that stays between steps: gradients only in buffers of DeepSpeed's own.

    It has those at stage 3, and in bfloat16 at stage 1.
    """
    stays = how["zero_stage"] == 3 or (dtype == "bfloat16" and how["zero_stage"] < 2)
    return {part: size for part, size in state.items() if part != "gradients" or stays}


def training_memory(
    size: Size,
    params: Mapping[str, Any],
    how: Mapping[str, Any],
    prompt_tokens: int,
    *,
    origin: Origin = SAMPLED,
    device: float | None = None,
    second_learner: float = 0.0,
) -> list[Memory]:
    """All phases of a training job, on each of its GPUs.

    `params` and `how` are those of its artifact. `origin`: of its solutions, whose budget is
    `max_tokens`. `device`: the GPU's bytes, of which vLLM takes a share; None:
    what it cannot do without. `second_learner`: bytes of one beside this one, its moments included, if
    solutions are sampled before there are learners.
    """
    reference = params.get("kl_coefficient", 0) > 0
    state, second = state_bytes(size, how, reference=reference), {"second learner": second_learner}
    longest = prompt_tokens + params["max_tokens"]
    # A sequence longer than the micro-batch gets one of its own.
    tokens = max(int(how["tokens_per_microbatch"]), longest)
    solution = ceil(tokens * params["max_tokens"] / longest)
    apart = params.get("verification_coefficient", 0) > 0 and origin.policy_learns and not second_learner
    read = solution if origin.policy_learns else 0
    made = _learning(size, how, {**state, **second}, tokens, read, apart=apart)
    if not origin.sampled:
        return made
    whole = {"gathered weights": size.weights} if how["zero_stage"] == 3 else {}
    resting = {**resting_bytes(state, how, size.dtype), **second}
    several = params.get("epochs", 1) * params.get("minibatches", 1) > 1
    if reference or (several and origin.policy_learns):
        made.append(_phase("reading", resting, whole, reading_bytes(size, tokens, solution)))
    moments = _moments(size, how)
    if second_learner:
        resting, moments = {"weights": state["weights"]}, 0.0
    if params.get("engine") == "vllm":
        # When it starts, there are no moments yet.
        free = None if device is None else device - sum(resting.values()) + moments
        return made + _vllm_memory(size, {**resting, **whole}, longest, free)
    cache = {"KV cache": slots_bytes(size, _rows(params, how), longest)}
    return [*made, _phase("sampling", resting, whole, cache)]


def _learning(
    size: Size, how: Mapping[str, Any], held: Mapping[str, float], tokens: int, solution: int, *, apart: bool
) -> list[Memory]:
    """`held` between passes; `apart`: one objective's gradients are added up apart if ZeRO does not run."""
    checkpointing, undivided = bool(how["gradient_checkpointing"]), running_stage(how, size.dtype) == 0
    passing = {
        "activations": activation_bytes(size, tokens, checkpointing=checkpointing),
        "logits": logits_bytes(size, solution),
        "gradients apart": 8.0 * size.parameters if apart and undivided else 0.0,
        # One block is whole while it computes, the next is being gathered.
        "gathered weights": 2 * size.weights / size.layers if how["zero_stage"] == 3 else 0.0,
    }
    flat = {"flat gradients": 4.0 * min(size.parameters, FLAT_BUCKET)}
    adding_up = [_phase("adding up gradients", held, flat)] if undivided else []
    return [_phase("learning", held, passing), *adding_up]


def second_learner_bytes(size: Size, how: Mapping[str, Any]) -> float:
    """Bytes of one of two learners on a GPU, and of the weights that both start from (measure.py)."""
    state = state_bytes(size, how, reference=False)
    return sum(resting_bytes(state, how, size.dtype).values()) + state["weights"]


def with_help(made: list[Memory], how: Mapping[str, Any], *, one_gpu: bool = False) -> list[Memory]:
    """The phases with the keys that make their parts smaller; see `helps`."""
    return [replace(m, helps={part: helps(part, how, one_gpu=one_gpu) for part in m.parts}) for m in made]


def _moments(size: Size, how: Mapping[str, Any]) -> float:
    """The part of `state_bytes`' optimizer that the first update allocates."""
    divided = int(how["ranks"]) if running_stage(how, size.dtype) else 1
    return 0.0 if how["offload"] else _MOMENTS * size.parameters / divided


def _vllm_memory(size: Size, held: Mapping[str, float], longest: int, free: float | None) -> list[Memory]:
    """vLLM starting in its share, and awake beside what a trainer holds meanwhile.

    It runs what fits and lets the rest wait: weights and one sequence are what it cannot do without.
    """
    needed = {"engine weights": size.weights, "KV cache": float(longest * size.kv_bytes)}
    # Weights that are whole for a moment only (`held` at ZeRO-3) are there when they are verified.
    when = "handing over" if "gathered weights" in held else "sampling"
    if free is None:
        return [_phase(when, held, needed)]
    share = SHARE_BESIDE * max(free, 0.0)
    taken = max(share, sum(needed.values()))
    return [Memory("starting vllm", needed, room=share), _phase(when, held, {"vllm's share": taken})]


def _rows(params: Mapping[str, Any], how: Mapping[str, Any]) -> int:
    """Sequences that the transformers engine of a rank samples at a time."""
    batch = ceil(params["problems_per_step"] * params["solutions_per_problem"] / how["ranks"])
    return how["max_batch"] if "continuations" in params else min(batch, how["max_batch"])


def _phase(when: str, *parts: Mapping[str, float]) -> Memory:
    """A phase with those of its parts that are not empty."""
    return Memory(when, {name: size for part in parts for name, size in part.items() if size > 0})
