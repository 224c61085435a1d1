"""Monte-Carlo values of a training batch: ours beside the obvious way, same states, same K, in one run.

    python -m benchmarks.vineppo [--threads 1] [--continuations 4] [--repeats 3]

The batch is that of a mini training step: 16 problems × 8 solutions of the mini base, tries as steps. All
three ways draw the same random numbers, so they find the same values; what differs is the work.

    one call a boundary  for every step of every solution one engine call with its K continuations, as a
                         straightforward implementation does; the K share their prefix's prefill
    one pool             the continuations of all steps of all solutions in one call
    ours                 one pool, in which a state that several solutions share is continued once, and what
                         begins a longer prefix is not prefilled

Seconds count everything: finding the steps, sampling, grading. The bar is 2 times the first way's speed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import numpy as np
import polars as pl
import torch

from rlv import tables
from rlv.answers import Grader, extract_answer
from rlv.answers.steps import step_starts
from rlv.mini.task import problems as mini_problems
from rlv.models import load_model
from rlv.sampling import Request, SamplingParams, request_seed
from rlv.sampling.transformers_engine import TransformersEngine
from rlv.training.policy import read_prompts
from rlv.training.rollout import grading
from rlv.training.run import Run
from rlv.training.values import continuations, monte_carlo_values

BAR = 2.0
# (values of all steps, solution by solution; tokens sampled)
Way = Callable[[], tuple[np.ndarray, int]]


def fastest(way: Way, repeats: int) -> tuple[float, np.ndarray, int]:
    """(seconds of the fastest run, values, tokens sampled)."""
    seconds, values, tokens = float("inf"), np.empty(0), 0
    for _ in range(repeats):
        start = time.perf_counter()
        values, tokens = way()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds, values, tokens


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--continuations", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3, help="of the pools; one call a boundary runs once")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config = Run.of(
        advantage="vineppo", continuations=arguments.continuations, step_rule="try", max_tokens=48
    )
    params = SamplingParams(config.training.temperature, config.training.top_p, config.training.max_tokens)
    model, tokenizer = load_model(Path(str(resources.files("rlv"))) / "mini" / "base", "float32")
    engine = TransformersEngine(model, tokenizer)
    rows = mini_problems("quadratic", 9, "train", config.training.problems_per_step, 0)
    problems = pl.DataFrame(rows, schema=tables.SCHEMAS["problems"])
    prompts = [
        p
        for p in read_prompts(problems, tokenizer, config.prompt_style, config.system_prompt)
        for _ in range(config.training.solutions_per_problem)
    ]
    requests = [
        Request(p.problem_id, i, p.ids, request_seed(0, p.problem_id, i)) for i, p in enumerate(prompts)
    ]
    solutions = [s.token_ids for s in engine.sample(requests, params)]

    with Grader(workers=1) as grader:
        grade = grading(config.answer_format, tokenizer, extract_answer, grader.rewards)

        def boundaries() -> list[tuple[int, tuple[int, ...]]]:
            """(solution, its tokens before a step) for every step of every solution."""
            starts = [step_starts(tokenizer, ids, config.step_rule) for ids in solutions]
            return [(b, solutions[b][:begin]) for b, begins in enumerate(starts) for begin in begins]

        def valued(states: list[tuple[int, tuple[int, ...]]]) -> tuple[np.ndarray, int]:
            """One engine call for all of the states' continuations."""
            sampled = engine.sample(
                [r for b, prefix in states for r in continuations(prompts[b], prefix, 0, config)], params
            )
            owners = [state for state in states for _ in range(config.training.continuations)]
            rewards = grade(
                [prompts[b] for b, _ in owners],
                [prefix + s.token_ids for (_, prefix), s in zip(owners, sampled, strict=True)],
                [s.finish_reason == "stop" for s in sampled],
            )
            return rewards.reshape(len(states), -1).mean(1), sum(len(s.token_ids) for s in sampled)

        def one_call_a_boundary() -> tuple[np.ndarray, int]:
            parts = [valued([state]) for state in boundaries()]
            return np.concatenate([values for values, _ in parts]), sum(tokens for _, tokens in parts)

        def ours() -> tuple[np.ndarray, int]:
            values = monte_carlo_values(
                prompts, solutions, 0, config, engine=engine, tokenizer=tokenizer, grade=grade
            )
            return values.values_BK[np.isfinite(values.values_BK)], values.tokens

        ours()  # caches of torch and of the grader
        ways: dict[str, tuple[Way, int]] = {
            "one call a boundary": (one_call_a_boundary, 1),
            "one pool": (lambda: valued(boundaries()), arguments.repeats),
            "ours": (ours, arguments.repeats),
        }
        found = {name: fastest(way, repeats) for name, (way, repeats) in ways.items()}
    slowest, reference, _ = found["one call a boundary"]
    print(f"{len(solutions)} solutions, {len(reference)} steps, K = {config.training.continuations}")
    for name, (seconds, values, tokens) in found.items():
        print(
            f"  {name:20s} {seconds:7.2f} s {len(values) / seconds:7,.0f} values/s {tokens:7,} tokens "
            f"{tokens / seconds:7,.0f} tokens/s {slowest / seconds:6.2f} x, "
            f"{(values != reference).sum()} values differ"
        )
    print(f"  bar: {BAR:.1f} x, reached {slowest / found['ours'][0]:.1f} x")


if __name__ == "__main__":
    main()
