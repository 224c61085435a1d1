"""The cost of solutions at several length budgets, made from one set or each budget by itself.

    python -m benchmarks.budgets [--problems 32] [--samples 32] [--threads 1] [--model FOLDER]

The mini base (or another checkpoint) on held-out problems. Sampling: forcing answers from one set sampled at
the largest budget, beside sampling anew at every budget (without any forced answer, so the peer does less).
Scoring: equal solutions of a problem read once, beside reading every row. Seconds are of one run each.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TypeVar

import polars as pl
import torch

from rlv import tables
from rlv.mini import task
from rlv.models import load_model
from rlv.models.flops import shape_of
from rlv.prompts import solver_ids
from rlv.sampling import SamplingParams, sample_shard
from rlv.sampling.budgets import Forcing, force_answers
from rlv.sampling.transformers_engine import TransformersEngine
from rlv.scoring import SCORES
from rlv.scoring.readers import transformers_verifier
from rlv.scoring.verifier import score_solutions, scores_table

# A try is 7 tokens; 3 more give the answer and end.
BUDGETS = (10, 17, 24, 31, 38, 45)
T = TypeVar("T")


def timed(run: Callable[[], T]) -> tuple[T, float]:
    """The result of a call, and its seconds."""
    start = time.perf_counter()
    found = run()
    return found, time.perf_counter() - start


def measure(folder: Path, n_problems: int, n_samples: int) -> None:
    """Print both comparisons for one checkpoint."""
    model, tokenizer = load_model(folder)
    shape = shape_of(model)
    engine = TransformersEngine(model, tokenizer)
    verifier = transformers_verifier(SCORES["judge"], model, tokenizer)
    problems = tables.frame("problems", task.problems("quadratic", 10, "test", n_problems, 0))

    def sample(limit: int) -> pl.DataFrame:
        params = SamplingParams(max_tokens=limit)
        return sample_shard(engine, tokenizer, shape, problems, range(n_samples), params, "plain", 0)

    def force() -> pl.DataFrame:
        forcing = Forcing("try", "marker", answer_tokens=2, seed=0)
        return force_answers(engine, tokenizer, shape, problems, samples, BUDGETS, "plain", forcing)

    samples, seconds_largest = timed(lambda: sample(BUDGETS[-1]))
    solutions, seconds_forced = timed(force)
    anew, seconds_anew = timed(lambda: pl.concat([sample(budget) for budget in BUDGETS]))
    once = seconds_largest + seconds_forced
    print(f"{len(BUDGETS)} budgets × {n_problems} problems × {n_samples} samples")
    print(f"  one set at the largest budget {seconds_largest:7.2f} s  {samples['n_tokens'].sum():9,d} tokens")
    print(f"  answers forced from it        {seconds_forced:7.2f} s")
    print(f"  every budget sampled anew     {seconds_anew:7.2f} s  {anew['n_tokens'].sum():9,d} tokens")
    print(f"  from one set                  {seconds_anew / once:7.2f} x faster")
    prompt_of = {
        problem_id: solver_ids(tokenizer, question, "plain")
        for problem_id, question in problems.select("problem_id", "question").iter_rows()
    }

    def every(table: pl.DataFrame) -> None:
        prompts = [prompt_of[problem_id] for problem_id in table["problem_id"]]
        score_solutions(verifier, prompts, table["token_ids"].to_list(), "plain")

    for name, table in {"largest budget": samples, "all budgets": solutions}.items():
        different = table.select("problem_id", "token_ids").unique().height / len(table)
        _, seconds_each = timed(lambda table=table: every(table))
        _, seconds_once = timed(lambda table=table: scores_table(verifier, problems, table, "plain"))
        print(
            f"  scoring, {name:14s} {different:6.1%} different  every row {seconds_each:6.2f} s  "
            f"equal ones once {seconds_once:6.2f} s  {seconds_each / seconds_once:5.2f} x faster"
        )


def main() -> None:
    """Measure one checkpoint."""
    parser = argparse.ArgumentParser(description="what solutions at several length budgets cost")
    parser.add_argument("--problems", type=int, default=32)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", type=Path, default=Path(str(resources.files("rlv"))) / "mini" / "base")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    measure(args.model, args.problems, args.samples)


if __name__ == "__main__":
    main()
