"""Bytes by formula against bytes that torch and DeepSpeed were seen to hold."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM

from rlv.job.work import Memory, Pass, Size
from rlv.models.work import (
    activation_bytes,
    layer_bytes,
    logits_bytes,
    pass_flops,
    reading_bytes,
    size_from_config,
)
from rlv.sampling.work import slots_bytes
from rlv.scoring.work import scoring_memory
from rlv.training import memory
from rlv.training.memory import state_bytes, training_memory
from rlv.training.origin import RECORDED

ROOT = Path(__file__).parents[2]
HOW = {
    "ranks": 1,
    "zero_stage": 0,
    "offload": False,
    "gradient_checkpointing": False,
    "tokens_per_microbatch": 512,
    "max_batch": 8,
}
PARAMS = {"problems_per_step": 4, "solutions_per_problem": 4, "max_tokens": 96, "kl_coefficient": 0.0}


@pytest.fixture(autouse=True)
def plain_linear(monkeypatch):
    """torch's own linear layer: DeepSpeed's ZeRO-3 puts another in its place, for the rest of the process."""
    monkeypatch.setattr(torch.nn.functional, "linear", torch._C._nn.linear)


def llama(dtype=torch.float32, **changes) -> LlamaForCausalLM:
    config = LlamaConfig(
        **{
            "vocab_size": 500,
            "hidden_size": 64,
            "intermediate_size": 172,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "attn_implementation": "sdpa",
            **changes,
        }
    )
    return LlamaForCausalLM(config).to(dtype)


def size_of(model: LlamaForCausalLM, dtype: str = "float32") -> Size:
    return replace(size_from_config(model.config.to_dict()), dtype=dtype)


def saved_bytes(model: LlamaForCausalLM, rows: int, columns: int) -> int:
    """What autograd keeps of a pass through the backbone, weights left out, each storage once."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        hidden = model.base_model(input_ids=torch.zeros(rows, columns, dtype=torch.int64), use_cache=False)
    assert hidden is not None  # the graph lives as long as this
    return sum(kept.values())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("changes", [{}, {"num_key_value_heads": 4}, {"intermediate_size": 400}])
def test_activations_are_what_autograd_saves(dtype, changes):
    model = llama(getattr(torch, dtype), **changes)
    expected = activation_bytes(size_of(model, dtype), 4 * 64, checkpointing=False)
    assert saved_bytes(model, 4, 64) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_checkpointing_keeps_one_block_and_the_inputs_of_all(dtype):
    model = llama(getattr(torch, dtype)).train()
    size, tokens = size_of(model, dtype), 4 * 64
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    expected = activation_bytes(size, tokens, checkpointing=True)
    block = tokens * layer_bytes(size)  # recomputed later, one at a time
    assert saved_bytes(model, 4, 64) + block == pytest.approx(expected, rel=0.1)


def test_logits_peak_at_three_float32_copies():
    """log π, its gradient and the logits' gradient: the peak between a cross-entropy and its matrix."""
    n, vocab = 64, 4000
    hidden, matrix = torch.randn(n, 8, requires_grad=True), torch.randn(vocab, 8)

    def peak() -> int:
        with torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
        ) as profile:
            logits = (hidden @ matrix.T).float()
            loss = torch.nn.functional.cross_entropy(logits, torch.zeros(n, dtype=torch.int64))
            del logits
            loss.backward()
        total = highest = 0
        for event in profile.profiler.kineto_results.events():
            if event.name() == "[memory]":
                total += event.nbytes()
                highest = max(highest, total)
        return highest

    size = Size(1, 8, 1, 1, 8, 8, vocab, True, 64)
    assert peak() <= logits_bytes(size, n) * 1.05
    assert peak() >= logits_bytes(size, n) / 2


# In a process of its own: DeepSpeed's process group is the process's.
MEASURE = """
import gc, os, sys, time, torch
from dataclasses import replace
os.environ["DS_ACCELERATOR"] = "cpu"
from transformers import LlamaConfig, LlamaForCausalLM
from rlv.training.memory import state_bytes
from rlv.models.work import size_from_config
from rlv.training import engine as deepspeed
from rlv.study.types import Training
from rlv.training.ranks import ALONE
deepspeed.BUCKET = 1000  # a bucket would hide a small model
dtype, stage = sys.argv[1], int(sys.argv[2])

def alive():
    seen = {}
    for found in gc.get_objects():
        if isinstance(found, torch.Tensor):
            for t in (found, found.grad if found.is_leaf else None, getattr(found, "grad_accum", None)):
                if t is not None and t.numel():
                    seen[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
    return sum(seen.values())

def held():
    # gloo's thread may let go of what it sent only after the call.
    return min((time.sleep(0.05), alive())[1] for _ in range(5)) - before

before = alive()
sending, send = [], torch.distributed.all_reduce
def all_reduce(tensor, **kwargs):
    if tensor.numel() == size.parameters:  # all gradients at once
        sending.append(held())
    return send(tensor, **kwargs)
torch.distributed.all_reduce = all_reduce
config = LlamaConfig(vocab_size=500, hidden_size=64, intermediate_size=172, num_hidden_layers=2,
                     num_attention_heads=4, num_key_value_heads=2)
model = LlamaForCausalLM(config).to(getattr(torch, dtype))
size = size_from_config(config.to_dict())
engine = deepspeed.start_engine(model, Training(dtype=dtype, zero_stage=stage))
ids = torch.zeros(2, 8, dtype=torch.int64)
for step in range(2):
    for last in (False, True):
        loss = engine(input_ids=ids, use_cache=False).logits.float().mean()
        deepspeed.add_up(engine, loss, ALONE, last=last)
    if step == 0:
        deepspeed.clipped_step(engine, 1.0)
how = {"ranks": 1, "zero_stage": stage, "offload": False}
said = state_bytes(replace(size, dtype=dtype), how, reference=False)
said.pop("buckets")
print("HELD", *(n / size.parameters for n in (held(), sum(said.values()), max(sending, default=0))))
"""


@pytest.mark.parametrize(("dtype", "stage"), [("float32", 0), ("float32", 3), ("bfloat16", 0)])
def test_training_states_are_what_deepspeed_holds(dtype, stage):
    """At the fullest, after a backward pass with the optimizer's states there: bytes a parameter."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, dtype, str(stage)], cwd=ROOT, capture_output=True, text=True
    )
    line = next((x for x in done.stdout.splitlines() if x.startswith("HELD")), None)
    assert line is not None, done.stderr
    held, said, sending = map(float, line.split()[1:])
    assert held == pytest.approx(said, rel=0.05)
    if adding := phases({"dtype": dtype}, zero_stage=stage).get("adding up gradients"):
        assert sending == pytest.approx(adding.total / size_of(llama()).parameters, rel=0.05)
    else:
        assert sending <= held * 1.05


def test_zero_divides_and_offload_takes_away():
    p = size_of(llama()).parameters

    def states(**how):
        size = size_of(llama(), how.get("dtype", "bfloat16"))
        found = state_bytes(size, {**HOW, **how}, reference=False)
        return [found[part] / p for part in ("weights", "gradients", "optimizer")]

    assert states(dtype="float32") == [4, 4, 8]
    assert states() == [2, 4, 12]
    assert states(ranks=4, zero_stage=1) == [2, 4, 3]
    assert states(ranks=4, zero_stage=2) == [2, 1, 3]
    assert states(ranks=4, zero_stage=3) == [0.5, 1, 3]
    assert states(ranks=4, zero_stage=2, offload=True) == [2, 1, 0]


def phases(params=None, device=None, **how) -> dict[str, Memory]:
    size = size_of(llama(), (params or {}).get("dtype", "float32"))
    made = training_memory(size, {**PARAMS, **(params or {})}, {**HOW, **how}, 32, device=device)
    return {one.when: one for one in made}


def parts(when: str, params=None, **how):
    return phases(params, **how)[when].parts


VLLM = {"engine": "vllm"}


def test_every_key_that_is_said_to_help_does():
    learning = parts("learning")
    assert parts("learning", gradient_checkpointing=True)["activations"] < learning["activations"]
    assert parts("learning", tokens_per_microbatch=256)["logits"] < learning["logits"]
    assert parts("sampling", max_batch=2)["KV cache"] < parts("sampling")["KV cache"]
    assert "reference" in parts("learning", {"kl_coefficient": 0.1}) and "reference" not in learning
    # One objective's gradients apart: a sum and a pass's own, where gradients are whole and both are on.
    assert (
        parts("learning", {"verification_coefficient": 1.0})["gradients apart"] == 2 * learning["gradients"]
    )
    assert "gradients apart" not in learning
    assert "gradients apart" not in parts("learning", {"verification_coefficient": 1.0}, zero_stage=1)
    divided = {"zero_stage": 3, "ranks": 2}
    gathered = parts("sampling", **divided)
    assert gathered["gathered weights"] == pytest.approx(2 * gathered["weights"])
    # The engine beside a trainer does not make weights less divided: they are whole to be compared.
    assert parts("handing over", VLLM, **divided)["gathered weights"] == gathered["gathered weights"]
    assert "gathered weights" not in parts("sampling", VLLM, zero_stage=2, ranks=2)
    for how, keys in ((divided, ("zero_stage: 2",)), ({"zero_stage": 2}, ())):
        assert memory.helps("gathered weights", {**HOW, **how}) == keys
    assert parts("sampling", VLLM)["KV cache"] < parts("sampling")["KV cache"]


def test_reading_holds_whole_weights_and_two_copies_of_logits():
    assert "reading" not in phases()
    for params in ({"kl_coefficient": 0.1}, {"minibatches": 2}, {"epochs": 2}):
        assert "reading" in phases(params)
    read = parts("reading", {"minibatches": 2}, zero_stage=3, ranks=4)
    size = size_of(llama())
    assert read["gathered weights"] == 4 * size.parameters
    learned = parts("learning", {"minibatches": 2}, zero_stage=3, ranks=4)
    assert read["logits"] == pytest.approx(learned["logits"] * 2 / 3)
    # Gradients stay in DeepSpeed's buffers at stage 3 alone.
    assert "gradients" in read and "gradients" not in parts("reading", {"minibatches": 2})


def test_reading_peaks_at_two_float32_copies():
    n, vocab = 64, 4000
    hidden, matrix = torch.randn(n, 8), torch.randn(vocab, 8)
    with (
        torch.no_grad(),
        torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen,
    ):
        logits = (hidden @ matrix.T).float()
        torch.nn.functional.cross_entropy(logits, torch.zeros(n, dtype=torch.int64), reduction="none")
        del logits
    total = highest = 0
    for event in seen.profiler.kineto_results.events():
        if event.name() == "[memory]":
            total += event.nbytes()
            highest = max(highest, total)
    said = reading_bytes(Size(1, 8, 1, 1, 8, 8, vocab, True, 64), 0, n)["logits"]
    assert highest == pytest.approx(said, rel=0.05)


def test_vllm_takes_its_share_of_what_is_free_before_there_are_moments():
    from rlv.sampling import vllm_start

    assert memory.SHARE_BESIDE == vllm_start.SHARE_BESIDE
    p = size_of(llama()).parameters
    for how, dtype, held, moments in (
        ({}, "float32", 4 * p, 8 * p),
        ({"ranks": 2, "zero_stage": 2}, "bfloat16", 2 * p + 4 * p / 2, 8 * p / 2),
        ({"offload": True, "zero_stage": 2}, "bfloat16", 2 * p, 0),
    ):
        device = 1e9
        said = phases({**VLLM, "dtype": dtype}, device, **how)
        buckets = said["sampling"].parts.get("buckets", 0)
        share = memory.SHARE_BESIDE * (device - held - buckets)
        assert said["starting vllm"].room == pytest.approx(share)
        assert said["sampling"].parts["vllm's share"] == pytest.approx(share)
        assert said["sampling"].total == pytest.approx(held + buckets + moments + share)


def test_a_share_too_small_for_the_weights_is_said_and_not_hidden():
    small = phases(VLLM, 10 * size_of(llama()).parameters)
    start = small["starting vllm"]
    assert start.room is not None and start.total > start.room
    assert small["sampling"].parts["vllm's share"] == start.total


def test_transformers_scores_as_many_tokens_at_a_time_as_the_scores_do():
    from rlv.scoring import SCORES

    padded, size = SCORES["generative"].padded_tokens["cuda"], size_of(llama())
    short, long = (scoring_memory(size, padded, n).parts["activations"] for n in (10, 2 * padded))
    assert short == padded * layer_bytes(size) and long == 2 * short


def test_a_sequence_longer_than_a_micro_batch_counts_whole():
    short, long = parts("learning", {"max_tokens": 96}), parts("learning", {"max_tokens": 5000})
    assert long["activations"] > 9 * short["activations"]


def test_recorded_solutions_need_no_sampler_and_no_logits():
    size = size_of(llama())
    made = training_memory(size, PARAMS, HOW, 32, origin=RECORDED)
    assert [one.when for one in made] == ["learning", "adding up gradients"]
    assert "logits" not in made[0].parts


def test_the_engines_cache_takes_what_is_said():
    from rlv.sampling.kv_slots import SlotLayer

    model, rows, positions = llama(), 3, 40
    size = size_of(model)
    like = torch.zeros(1, size.kv_heads, 1, size.head_dim)
    elements = rows * positions * size.kv_width
    layers = [SlotLayer(like, like, rows, elements) for _ in range(size.layers)]
    held = sum(buffer.nbytes for layer in layers for buffer in layer._buffers) + elements * 4  # the spare
    assert slots_bytes(size, rows, positions) == held


@pytest.mark.parametrize("checkpointing", [False, True])
def test_learning_multiplies_three_or_four_times_as_much_as_reading(checkpointing):
    model, n = llama(attn_implementation="eager", tie_word_embeddings=True), 16
    if checkpointing:
        model.train().gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    with FlopCounterMode(display=False) as counter:
        model(input_ids=torch.zeros(2, n, dtype=torch.int64), use_cache=False).logits.sum().backward()
    size = size_of(model)
    norms = sum(p.numel() for name, p in model.named_parameters() if "norm" in name)
    learned = pass_flops(Pass("learned", 2, 0, n, 2, recomputed=checkpointing), size)
    # Eager attention multiplies the masked half too. Recomputing leaves out the output matrix, and the last
    # matrix of each block, whose result nobody needs.
    masked = 2 * 4 * size.layers * size.attention_width * n * (n - 1) // 2
    times = 4 if checkpointing else 3
    left_out = size.hidden * (size.vocab + size.layers * size.intermediate) if checkpointing else 0
    expected = learned + times * (masked - 2 * 2 * n * norms) - 2 * 2 * n * left_out
    assert counter.get_total_flops() == pytest.approx(expected, rel=0.005)
