"""Bytes by formula against bytes that torch and DeepSpeed were seen to hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM

from rlv.estimate import memory
from rlv.estimate.memory import activation_bytes, logits_bytes, slots_bytes, state_bytes, training_memory
from rlv.estimate.sizes import Size, size_from_config
from rlv.estimate.work import Pass

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


def size_of(model: LlamaForCausalLM) -> Size:
    return size_from_config(model.config.to_dict())


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
    expected = activation_bytes(size_of(model), 4 * 64, dtype, checkpointing=False)
    assert saved_bytes(model, 4, 64) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_checkpointing_keeps_one_block_and_the_inputs_of_all(dtype):
    model = llama(getattr(torch, dtype)).train()
    size, tokens = size_of(model), 4 * 64
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    expected = activation_bytes(size, tokens, dtype, checkpointing=True)
    block = tokens * memory.layer_bytes(size, dtype)  # recomputed later, one at a time
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
import gc, os, sys, torch
os.environ["DS_ACCELERATOR"] = "cpu"
from transformers import LlamaConfig, LlamaForCausalLM
from rlv.estimate.memory import state_bytes
from rlv.estimate.sizes import size_from_config
from rlv.training import engine as deepspeed
from rlv.training.config import TrainingConfig
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

before = alive()
config = LlamaConfig(vocab_size=500, hidden_size=64, intermediate_size=172, num_hidden_layers=2,
                     num_attention_heads=4, num_key_value_heads=2)
model = LlamaForCausalLM(config).to(getattr(torch, dtype))
size = size_from_config(config.to_dict())
engine = deepspeed.start_engine(model, TrainingConfig(dtype=dtype, zero_stage=stage))
ids = torch.zeros(2, 8, dtype=torch.int64)
for step in range(2):
    for last in (False, True):
        loss = engine(input_ids=ids, use_cache=False).logits.float().mean()
        deepspeed.add_up(engine, loss, ALONE, last=last)
    if step == 0:
        deepspeed.clipped_step(engine, 1.0)
held = alive() - before
how = {"ranks": 1, "zero_stage": stage, "offload": False}
said = state_bytes(size, how, dtype, reference=False)
said.pop("buckets")
print("HELD", held / size.parameters, sum(said.values()) / size.parameters)
"""


@pytest.mark.parametrize(("dtype", "stage"), [("float32", 0), ("float32", 3), ("bfloat16", 0)])
def test_training_states_are_what_deepspeed_holds(dtype, stage):
    """At the fullest, after a backward pass with the optimizer's states there: bytes a parameter."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, dtype, str(stage)], cwd=ROOT, capture_output=True, text=True
    )
    line = next((x for x in done.stdout.splitlines() if x.startswith("HELD")), None)
    assert line is not None, done.stderr
    held, said = map(float, line.split()[1:])
    assert held == pytest.approx(said, rel=0.05)


def test_zero_divides_and_offload_takes_away():
    size = size_of(llama())
    p = size.parameters

    def states(**how):
        found = state_bytes(size, {**HOW, **how}, how.get("dtype", "bfloat16"), reference=False)
        return [found[part] / p for part in ("weights", "gradients", "optimizer")]

    assert states(dtype="float32") == [4, 4, 8]
    assert states() == [2, 4, 12]
    assert states(ranks=4, zero_stage=1) == [2, 4, 3]
    assert states(ranks=4, zero_stage=2) == [2, 1, 3]
    assert states(ranks=4, zero_stage=3) == [0.5, 1, 3]
    assert states(ranks=4, zero_stage=2, offload=True) == [2, 1, 0]


def parts(phase: int, params=None, **how):
    size = size_of(llama())
    return training_memory(size, {**PARAMS, **(params or {})}, {**HOW, **how}, 32)[phase].parts


def test_every_key_that_is_said_to_help_does():
    assert parts(0, gradient_checkpointing=True)["activations"] < parts(0)["activations"]
    assert parts(0, tokens_per_microbatch=256)["logits"] < parts(0)["logits"]
    assert parts(1, max_batch=2)["KV cache"] < parts(1)["KV cache"]
    assert "reference" in parts(0, {"kl_coefficient": 0.1}) and "reference" not in parts(0)
    gathered = parts(1, zero_stage=3, ranks=2)
    assert gathered["gathered weights"] == pytest.approx(2 * gathered["weights"])
    assert "gathered weights" not in parts(1, {"engine": "vllm"}, zero_stage=3, ranks=2)
    assert parts(1, {"engine": "vllm"})["KV cache"] < parts(1)["KV cache"]


def test_a_sequence_longer_than_a_micro_batch_counts_whole():
    short, long = parts(0, {"max_tokens": 96}), parts(0, {"max_tokens": 5000})
    assert long["activations"] > 9 * short["activations"]


def test_recorded_solutions_need_no_sampler_and_no_logits():
    size = size_of(llama())
    made = training_memory(size, PARAMS, HOW, 32, recorded=True)
    assert len(made) == 1 and "logits" not in made[0].parts


def test_the_engines_cache_takes_what_is_said():
    from rlv.sampling.kv_slots import SlotLayer

    model, rows, positions = llama(), 3, 40
    size = size_of(model)
    like = torch.zeros(1, size.kv_heads, 1, size.head_dim)
    elements = rows * positions * size.kv_width
    layers = [SlotLayer(like, like, rows, elements) for _ in range(size.layers)]
    held = sum(buffer.nbytes for layer in layers for buffer in layer._buffers) + elements * 4  # the spare
    assert slots_bytes(size, rows, positions, "float32") == held


@pytest.mark.parametrize("checkpointing", [False, True])
def test_learning_multiplies_three_or_four_times_as_much_as_reading(checkpointing):
    model, n = llama(attn_implementation="eager", tie_word_embeddings=True), 16
    if checkpointing:
        model.train().gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    with FlopCounterMode(display=False) as counter:
        model(input_ids=torch.zeros(2, n, dtype=torch.int64), use_cache=False).logits.sum().backward()
    size = size_of(model)
    norms = sum(p.numel() for name, p in model.named_parameters() if "norm" in name)
    learned = Pass("learned", 2, 0, n, 2, recomputed=checkpointing).flops(size.shape)
    # Eager attention multiplies the masked half too. Recomputing leaves out the output matrix, and the last
    # matrix of each block, whose result nobody needs.
    masked = 2 * 4 * size.layers * size.attention_width * n * (n - 1) // 2
    times = 4 if checkpointing else 3
    left_out = size.hidden * (size.vocab + size.layers * size.intermediate) if checkpointing else 0
    expected = learned + times * (masked - 2 * 2 * n * norms) - 2 * 2 * n * left_out
    assert counter.get_total_flops() == pytest.approx(expected, rel=0.005)
