"""Tokens per second of the transformers engine beside `model.generate`: same model, prompts and lengths.

    python -m benchmarks.sampling [--threads 1] [--sequences 512] [--repeats 3]

A Llama of 3 layers × 96 with random weights. Lengths are uneven because the end token is: its logit gets a
bias, the same for everyone, such that a solution ends after so many tokens on average (geometric, cut at
max_tokens). Prompts have 12 to 24 tokens and 8 samples each. Peers: one `generate` call for all sequences
with its default dynamic cache, the same in calls of 128, and one call with the static cache. Only tokens up
to the end token count, so a peer's padding earns nothing. The last table, all lengths equal, shows what is
left without the advantage of leaving early.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from rlv.mini.tokenizer import build_tokenizer
from rlv.sampling import Request, SamplingParams, request_seed
from rlv.sampling.transformers_engine import TransformersEngine

MAX_TOKENS = 128
SAMPLES = 8


def token_id(tokenizer: PreTrainedTokenizerBase, word: str) -> int:
    """The id of a word of the vocabulary."""
    return tokenizer.get_vocab()[word]


def build_model(tokenizer: PreTrainedTokenizerFast, mean_length: float | None) -> LlamaForCausalLM:
    """Random weights; the end token's probability is about 1/mean_length (None: it never comes)."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        bos_token_id=token_id(tokenizer, "<bos>"),
        eos_token_id=token_id(tokenizer, "<eos>"),
        pad_token_id=token_id(tokenizer, "<pad>"),
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config).eval()
    end_after(model, token_id(tokenizer, "<eos>"), mean_length)
    return model


def end_after(model: PreTrainedModel, end_id: int, mean_length: float | None) -> None:
    """Give the output matrix a bias with which solutions end after about so many tokens (None: never)."""
    old: Any = model.get_output_embeddings()
    vocabulary, width = old.weight.shape
    head = torch.nn.Linear(width, vocabulary, device=old.weight.device, dtype=old.weight.dtype)
    head.weight.data = old.weight.data
    hazard = 0.0 if mean_length is None else 1 / mean_length
    odds = torch.tensor(hazard / (1 - hazard) * (vocabulary - 1))
    head.bias.data.zero_()
    head.bias.data[end_id] = odds.log() if hazard else -1e9
    model.set_output_embeddings(head)


def build_requests(n_sequences: int, vocabulary: int) -> list[Request]:
    """Uneven random prompts, SAMPLES requests each."""
    generator = torch.Generator().manual_seed(1)
    requests = []
    for p in range(n_sequences // SAMPLES):
        length = int(torch.randint(12, 25, (), generator=generator))
        prompt = tuple(torch.randint(4, vocabulary, (length,), generator=generator).tolist())
        requests += [Request(f"p{p}", s, prompt, request_seed(0, f"p{p}", s)) for s in range(SAMPLES)]
    return requests


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    requests: list[Request],
    batch: int,
    cache: str | None,
    max_tokens: int = MAX_TOKENS,
) -> int:
    """`generate` in calls of `batch` sequences; the tokens up to each end token, that one included."""
    pad, end = token_id(tokenizer, "<pad>"), token_id(tokenizer, "<eos>")
    peer: Any = model
    device = model.device
    total = 0
    for start in range(0, len(requests), batch):
        prompts = [list(r.prompt_ids) for r in requests[start : start + batch]]
        width = max(map(len, prompts))
        ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
        out = peer.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=True,
            top_k=0,
            max_new_tokens=max_tokens,
            cache_implementation=cache,
            disable_compile=True,
        )[:, width:]
        ended = (out == end).int().cumsum(1)
        total += int(((ended - (out == end).int()) == 0).sum())
    return total


def fastest(runs: dict[str, Callable[[], int]], repeats: int) -> dict[str, tuple[float, int]]:
    """(seconds, tokens) of each run's fastest of `repeats`; runs alternate, so load falls on all alike."""
    best: dict[str, tuple[float, int]] = {}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            tokens = run()
            seconds = time.perf_counter() - start
            best[name] = min(best.get(name, (seconds, tokens)), (seconds, tokens), key=lambda b: b[0] / b[1])
    return best


def print_table(best: dict[str, tuple[float, int]]) -> None:
    """One line a run; the last column is its speed over the first run's."""
    first_seconds, first_tokens = next(iter(best.values()))
    for name, (seconds, tokens) in best.items():
        ratio = tokens / seconds / (first_tokens / first_seconds)
        speed = f"{tokens / seconds:9,.0f} tokens/s"
        print(f"  {name:24s} {speed}  {seconds:6.2f} s  {tokens:8,d} tokens  {ratio:6.2f} x")


def measure(
    tokenizer: PreTrainedTokenizerFast, requests: list[Request], mean_length: float | None, repeats: int
) -> None:
    """Print the table of one distribution of lengths."""
    model = build_model(tokenizer, mean_length)

    def peer(batch: int, cache: str | None = None) -> Callable[[], int]:
        return lambda: generate(model, tokenizer, requests, batch, cache)

    def ours(max_batch: int) -> Callable[[], int]:
        engine = TransformersEngine(model, tokenizer, max_batch=max_batch)
        params = SamplingParams(max_tokens=MAX_TOKENS)
        return lambda: sum(len(s.token_ids) for s in engine.sample(requests, params))

    runs = {
        "generate, one call": peer(len(requests)),
        "generate, calls of 128": peer(128),
        "generate, static cache": peer(len(requests), "static"),
    }
    runs |= {f"engine, max_batch {b}": ours(b) for b in (64, 128, 256, 512)}
    print(f"\nlengths: {f'geometric, about {mean_length}' if mean_length else f'all {MAX_TOKENS}'}")
    print_table(fastest(runs, repeats))


def main() -> None:
    """Print one table for each distribution of lengths."""
    parser = argparse.ArgumentParser(description="tokens per second of sampling beside model.generate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sequences", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tokenizer = build_tokenizer()
    requests = build_requests(args.sequences, len(tokenizer))
    print(f"{len(requests)} sequences, {args.threads} thread(s), best of {args.repeats}")
    for mean_length in (32, 64, None):
        measure(tokenizer, requests, mean_length, args.repeats)


if __name__ == "__main__":
    main()
