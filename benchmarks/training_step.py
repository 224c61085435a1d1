"""A training step beside a plain one, and what the verification objective adds to it.

    python -m benchmarks.training_step [--model FOLDER] [--repeats 7] [--threads 1]

Without `--model`: a Llama of 3 layers × 96 with random weights and the mini task's vocabulary. First table,
tokens learned per second (padding not counted): one update on 16 problems × 8 solutions of 10 to 64 tokens;
the plain peer is the model's own forward with the logits of every position, in the order sampled, one
right-padded and masked batch, torch's AdamW. Second table: `measure_overhead`, whole steps (sampling,
grading, update) with and without verification on the same rollouts; the bar is a ratio of 1.10 in seconds.
A random model answers anything; a trained one (`--model`) has the lengths and answers that matter.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from benchmarks.sampling import fastest, print_table, token_id
from rlv import tables
from rlv.mini.task import problems as mini_problems
from rlv.mini.tokenizer import build_tokenizer
from rlv.models import load_model
from rlv.training.batches import Trajectory
from rlv.training.config import TrainingConfig
from rlv.training.loop import WEIGHTS
from rlv.training.measure import measure_overhead
from rlv.training.update import learn, make_learner

BAR = 1.10


def random_model(folder: Path) -> None:
    """The mini base's shape with random weights, as a folder that transformers loads."""
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=token_id(tokenizer, "<bos>"),
        eos_token_id=token_id(tokenizer, "<eos>"),
        pad_token_id=token_id(tokenizer, "<pad>"),
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def random_trajectories(vocabulary: int, n: int) -> list[Trajectory]:
    """Solutions of 10 to 64 random tokens after prompts of 16, both rewards and both signs of advantage."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(10, 65, n)
    return [
        Trajectory(
            problem_id=str(i // 8),
            sample_id=i % 8,
            prompt_ids=tuple(rng.integers(4, vocabulary, 16).tolist()),
            solution_ids=tuple(rng.integers(4, vocabulary, length).tolist()),
            sampled_logprobs=(-3.0,) * int(length),
            finished=True,
            reward=float(i % 2),
            advantages=(float(i % 2) - 0.5,) * int(length),
        )
        for i, length in enumerate(lengths)
    ]


def plain_update(
    model: PreTrainedModel, optimizer: torch.optim.Optimizer, trajectories: list[Trajectory]
) -> int:
    """Policy gradient the obvious way; the real tokens it read."""
    rows = [[*t.prompt_ids, *t.solution_ids] for t in trajectories]
    width = max(map(len, rows))
    ids_BT = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask_BT = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    solution_BT = torch.tensor(
        [[0] * len(t.prompt_ids) + [1] * len(t.solution_ids) + [0] * (width - len(row))
         for t, row in zip(trajectories, rows, strict=True)]
    )  # fmt: skip
    advantages_B1 = torch.tensor([[t.advantages[0]] for t in trajectories])
    logits_BTV = model(input_ids=ids_BT, attention_mask=mask_BT, use_cache=False).logits
    logprobs_BT = logits_BTV[:, :-1].log_softmax(-1).gather(2, ids_BT[:, 1:, None])[..., 0]
    weights_BT = advantages_B1 * solution_BT[:, 1:]
    loss = -(weights_BT * (logprobs_BT - logprobs_BT.detach()).exp()).sum() / solution_BT.sum()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return sum(map(len, rows))


def updates(folder: Path, config: TrainingConfig, repeats: int) -> None:
    """Print tokens learned per second: the plain peer, ours, ours with verification, other micro-batches."""
    peer, tokenizer = load_model(folder, WEIGHTS)
    trajectories = random_trajectories(
        len(tokenizer), config.problems_per_step * config.solutions_per_problem
    )
    optimizer = torch.optim.AdamW(peer.parameters(), lr=1e-4)

    def ours(coefficient: float, tokens: int) -> Callable[[], int]:
        own = dataclasses.replace(config, verification_coefficient=coefficient, tokens_per_microbatch=tokens)
        learner = make_learner(load_model(folder, WEIGHTS)[0], tokenizer, own)
        return lambda: learn(learner, trajectories, own, 0).tokens_trained

    runs = {
        "plain, full logits": lambda: plain_update(peer.train(), optimizer, trajectories),
        "ours": ours(0.0, config.tokens_per_microbatch),
        "ours, verification": ours(0.3, config.tokens_per_microbatch),
        **{f"ours, micro-batch {n}": ours(0.0, n) for n in (1024, 4096, 8192)},
    }
    for run in runs.values():  # optimizer states and caches
        run()
    print_table(fastest(runs, repeats))


def overhead(folder: Path, config: TrainingConfig, repeats: int) -> None:
    """Print seconds and tokens of whole steps with over without verification: the ratio of sums."""
    rows = mini_problems("quadratic", 11, "train", 256, 0)
    problems = pl.DataFrame(rows, schema=tables.SCHEMAS["problems"])
    measured = measure_overhead(config, folder, problems, repeats, lambda _: None)
    sums = measured.with_columns(seconds=pl.col("seconds_sample") + pl.col("seconds_update"))
    sums = sums.group_by("objective").agg(pl.col("tokens", "seconds", "seconds_update").sum())
    rl, rl_v = (sums.row(by_predicate=pl.col("objective") == name, named=True) for name in ("rl", "rl_v"))
    for name, row in (("rl", rl), ("rl_v", rl_v)):
        speed = (
            f"{row['seconds'] / repeats:.3f} s a step, of it update {row['seconds_update'] / repeats:.3f} s"
        )
        print(f"  {name:5s} {speed}, {row['tokens'] // repeats:,} tokens")
    ratio = {key: rl_v[key] / rl[key] for key in ("tokens", "seconds", "seconds_update")}
    print(f"  ratio: tokens {ratio['tokens']:.3f}, seconds {ratio['seconds']:.3f} (bar {BAR:.2f}), ", end="")
    print(f"update alone {ratio['seconds_update']:.3f}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = TrainingConfig(
        advantage="grpo", verification_coefficient=0.3, max_tokens=64, threads=arguments.threads
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.model or Path(scratch)
        if arguments.model is None:
            random_model(folder)
        print("one update, 128 solutions")
        updates(folder, config, arguments.repeats)
        print("whole steps, same rollouts")
        overhead(folder, config, arguments.repeats)


if __name__ == "__main__":
    main()
