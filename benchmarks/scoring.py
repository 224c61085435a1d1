"""Tokens per second of scoring beside a plain forward pass over the same sequences.

    python -m benchmarks.scoring [--threads 1] [--sequences 2048] [--repeats 3]

A Llama of 3 layers × 96 with random weights; sequences of 30 to 90 tokens. References: the model's forward
with the logits of every position, in the order given, 128 sequences a batch padded to their longest; and the
same over length-sorted batches. Real tokens count, padding does not. The small vocabulary of the mini model
hides what full logits cost, so the figures are repeated with one of 32,000 tokens.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from benchmarks.sampling import fastest, print_table
from rlv.mini.tokenizer import build_tokenizer
from rlv.models.reading import grouped
from rlv.prompts import verification_ids
from rlv.scoring import SCORES
from rlv.scoring.readers import transformers_verifier
from rlv.scoring.verifier import score_solutions


@torch.inference_mode()
def plain_forward(model: PreTrainedModel, sequences: list[list[int]], batches: list[list[int]]) -> int:
    """Full logits of every sequence, right-padded with a mask; the real tokens read."""
    for batch in batches:
        rows = [sequences[i] for i in batch]
        width = max(map(len, rows))
        ids = torch.tensor([r + [0] * (width - len(r)) for r in rows], device=model.device)
        mask = torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in rows], device=model.device)
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
        logits[torch.arange(len(rows), device=model.device), mask.sum(1) - 1].softmax(-1).cpu()
    return sum(map(len, sequences))


def measure(n: int, vocabulary: int, repeats: int) -> None:
    """Print the table of n sequences and a model of this vocabulary."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    rng = np.random.default_rng(0)
    prompts = [rng.integers(4, len(tokenizer), 16).tolist() for _ in range(n)]
    solutions = [rng.integers(4, len(tokenizer), length).tolist() for length in rng.integers(14, 74, n)]
    instruction = verification_ids(tokenizer, "plain")
    sequences = [x + y + instruction for x, y in zip(prompts, solutions, strict=True)]
    config = LlamaConfig(
        vocab_size=max(vocabulary, len(tokenizer)),
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
    )
    model = LlamaForCausalLM(config).eval()
    in_order = [list(range(s, min(s + 128, n))) for s in range(0, n, 128)]
    by_length = grouped({i: len(s) for i, s in enumerate(sequences)}, 4096, longest_first=True)

    def scoring(budget: int) -> Callable[[], int]:
        verifier = transformers_verifier(SCORES["judge"], model, tokenizer, token_budget=budget)

        def run() -> int:
            return int(score_solutions(verifier, prompts, solutions, "plain")[1].sum())

        return run

    runs: dict[str, Callable[[], int]] = {
        "full logits, in order": lambda: plain_forward(model, sequences, in_order),
        "full logits, by length": lambda: plain_forward(model, sequences, by_length),
    }
    runs |= {f"scoring, budget {b}": scoring(b) for b in (1024, 4096, 16_384)}
    print(f"\n{n} sequences, vocabulary {config.vocab_size}")
    print_table(fastest(runs, repeats))


def main() -> None:
    """Print one table for each vocabulary."""
    parser = argparse.ArgumentParser(description="tokens per second of scoring beside a plain forward pass")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sequences", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"{args.threads} thread(s), best of {args.repeats}")
    measure(args.sequences, 0, args.repeats)
    measure(min(args.sequences, 256), 32_000, args.repeats)


if __name__ == "__main__":
    main()
