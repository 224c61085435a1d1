"""Pretraining of the mini base: plain next-token prediction on demonstrations, once, on one CPU core.

The document of a demonstration is [x, y, I, c]: question, solution, instruction, verdict, or, with a chain,
[x, y, I_chain, chain, c], so the base has seen every token that later stages put before it, and I and c cost
its first verification gradients nothing. A run cannot be resumed (it takes minutes), and uses one process.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rlv.mini import habits, task
from rlv.mini.forms import REACHES
from rlv.mini.solver import Document, Solver, corpus
from rlv.mini.tokenizer import build_tokenizer
from rlv.prompts import chain_ids, solver_ids, verification_ids


@dataclass(frozen=True)
class PretrainConfig:
    """The recipe of the base; everything that decides its weights."""

    steps: int
    batch: int
    learning_rate: float
    warmup_steps: int
    layers: int
    width: int
    heads: int
    intermediate: int
    product_share: float
    seed: int
    solver: Solver
    chain_share: float = 0.0
    reach: int = REACHES.stop - 1  # the longest search in a demonstration


def build_model(config: PretrainConfig, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A Llama-architecture model of the recipe's shape with fresh weights (seeded)."""
    torch.manual_seed(config.seed)
    ids = tokenizer.get_vocab()
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=64,  # more than there are words, so that a later word does not change the shapes
            hidden_size=config.width,
            intermediate_size=config.intermediate,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            bos_token_id=ids["<bos>"],
            eos_token_id=ids["<eos>"],
            pad_token_id=ids["<pad>"],
        )
    )


def pretrain(config: PretrainConfig, out_dir: Path, log: Callable[[str], None]) -> int:
    """Train and save the base as a Hugging Face directory (safetensors) in `out_dir`; returns tokens read."""
    torch.set_num_threads(1)  # the same sums in the same order on every machine with these kernels
    tokenizer = build_tokenizer(chains=config.chain_share > 0)
    model = build_model(config, tokenizer)
    log(f"{model.num_parameters():,} parameters, {config.steps} steps of {config.batch} demonstrations")
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    started, tokens = time.monotonic(), 0
    for step, (ids_BT, labels_BT) in enumerate(_batches(config, tokenizer)):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * _schedule(step, config)
        logits_BTV = model(input_ids=ids_BT).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(
            logits_BTV.flatten(0, 1), labels_BT[:, 1:].flatten(), ignore_index=-100
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        tokens += ids_BT.numel()
        if step % 200 == 0 or step == config.steps - 1:
            seconds = time.monotonic() - started
            log(f"step {step:6d}  loss {loss.item():.4f}  {tokens / seconds:,.0f} tokens/s  {seconds:.0f} s")
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(out_dir)
    tokenizer.save_pretrained(out_dir)
    return tokens


def _schedule(step: int, config: PretrainConfig) -> float:
    """Linear warm-up, then a cosine to a hundredth."""
    if step < config.warmup_steps:
        return (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))


def _batches(
    config: PretrainConfig, tokenizer: PreTrainedTokenizerFast
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """`steps` batches of (input ids, labels), right-padded; the question is read, not learned.

    Demonstrations are drawn in pools and cut into batches of like length, so that little is padding.
    """
    forms = habits.TASK_FORMS if config.solver.habits else task.TASK_FORMS
    reaches = range(REACHES.start, config.reach + 1)
    documents = corpus(config.seed, config.solver, forms, config.product_share, config.chain_share, reaches)
    tokens_of = _tokens_of(tokenizer, config)
    generator = torch.Generator().manual_seed(config.seed)
    batches_per_pool = 16
    remaining = config.steps
    while remaining > 0:
        rows = [tokens_of(document) for document in islice(documents, config.batch * batches_per_pool)]
        rows.sort(key=lambda row: len(row[0]) + len(row[1]))
        for index in torch.randperm(batches_per_pool, generator=generator).tolist()[:remaining]:
            chunk = rows[index * config.batch : (index + 1) * config.batch]
            width = max(len(p) + len(b) for p, b in chunk)
            pad = tokenizer.pad_token_id
            ids = [p + b + [pad] * (width - len(p) - len(b)) for p, b in chunk]
            labels = [[-100] * len(p) + b + [-100] * (width - len(p) - len(b)) for p, b in chunk]
            yield torch.tensor(ids), torch.tensor(labels)
        remaining -= batches_per_pool


def _tokens_of(
    tokenizer: PreTrainedTokenizerFast, config: PretrainConfig
) -> Callable[[Document], tuple[list[int], list[int]]]:
    """From a document to its prompt, which is read, and its body, which is learned, as tokens."""
    vocabulary, eos = tokenizer.get_vocab(), [tokenizer.eos_token_id]
    question_ids = cache(lambda question: solver_ids(tokenizer, question, "plain"))
    instruction = verification_ids(tokenizer, "plain")
    chained = chain_ids(tokenizer, "plain") if config.chain_share else []

    def tokens_of(document: Document) -> tuple[list[int], list[int]]:
        body = [*(vocabulary[word] for word in document.solution.split()), *eos]
        body += chained if document.chained else instruction
        body += [vocabulary[word] for word in document.reading.split()]
        return question_ids(document.question), body + eos if document.chained else body

    return tokens_of
