"""Voting and bootstrap at the paper's size, beside a plain Python reference.

    python -m benchmarks.voting

500 problems x 512 solutions, N in 1, 2, 4 ... 512, all votes and one member of each family of weights, 1,000
bootstrap draws, from tables to tables; once with few answers a problem and once with as many as there are
solutions. The reference counts votes with dictionaries, as the loops of search-and-learn do (which group
answers first), for a few problems on the very same subsets, and its time is scaled up. Also printed: how far
95 % intervals reach, how far another set of subsets moves a curve (the Monte-Carlo error), and the memory.
Stopping rules: benchmarks/stopping.py.
"""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import polars as pl

from rlv import tables
from rlv.evaluation import curves, verifier_metrics
from rlv.evaluation.recorded import Recorded, recorded

PROBLEMS, SOLUTIONS, REFERENCE = 500, 512, 3
NS = [2**k for k in range(10)]
WEIGHTS = ("softmax:0.1", "rank:0.5", "top:0.1", "power:2", "log_odds", "pessimistic:0.5")


def synthetic(problems: int, size: int, answers: int, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Solutions and scores of problems from hard to easy, with up to `answers` wrong classes a problem."""
    rng = np.random.default_rng(seed)
    skill_P1 = rng.beta(0.8, 1.0, (problems, 1))
    correct_PS = rng.random((problems, size)) < skill_P1
    wrong_PS = 1 + (answers * rng.random((problems, size)) ** 2).astype(int)
    silent_PS = ~correct_PS & (rng.random((problems, size)) < 0.1)
    score_PS = 1 / (1 + np.exp(-(3.0 * correct_PS - 1.5 + 1.5 * rng.standard_normal((problems, size)))))
    key = {
        "problem_id": np.repeat([f"p{i:04d}" for i in range(problems)], size),
        "sample_id": np.tile(np.arange(size), problems),
        "budget": np.full(problems * size, 64),
    }
    classes = pl.Series(np.where(correct_PS, 0, wrong_PS).ravel())
    solutions = pl.DataFrame(key).with_columns(
        text=pl.lit(""),
        n_prompt_tokens=pl.lit(20),
        n_tokens=pl.lit(40),
        flops=pl.lit(4e7),
        finish_reason=pl.lit("stop"),
        answer=pl.lit("3"),
        answer_class=pl.select(pl.when(~pl.Series(silent_PS.ravel())).then(classes)).to_series(),
        correct=pl.Series(correct_PS.ravel()),
    )
    read = {"n_tokens_read": 50, "flops": 5e7, "n_tokens_new": 10, "flops_new": 1e7}
    scores = pl.DataFrame(key).with_columns(score=pl.Series(score_PS.ravel()), **read)
    return (
        solutions.select([pl.col(c).cast(t) for c, t in tables.SCHEMAS["solutions"].items()]),
        scores.select([pl.col(c).cast(t) for c, t in tables.SCHEMAS["scores"].items()]),
    )


def reference(data: Recorded, strategy: str, n: int, subsets_RN: np.ndarray, problem: int) -> float:
    """One problem's accuracy, subset by subset and vote by vote, as one would write it first."""
    assert data.scores_PS is not None
    classes = data.classes_PS[problem].tolist()
    correct = data.correct_PS[problem].tolist()
    scores = data.scores_PS[problem].tolist()
    total = 0.0
    for subset in subsets_RN.tolist():
        weight: dict[int, float] = defaultdict(float)
        hits: dict[int, list[bool]] = defaultdict(list)
        for i in subset:
            if classes[i] >= 0:
                weight[classes[i]] += 1.0 if strategy == "majority" else scores[i]
                hits[classes[i]].append(correct[i])
        if weight:
            best = max(weight.values())
            tied = [c for c, w in weight.items() if w >= best * (1 - 1e-11)]
            total += sum(sum(hits[c]) / len(hits[c]) for c in tied) / len(tied)
    return total / len(subsets_RN)


@dataclass(frozen=True)
class Measured:
    """Seconds, the plain reference's scaled up from a few problems, and how far numbers are from others."""

    curves: float
    weights: float
    metrics: float
    votes: float
    plain: float
    difference: float
    moved: float
    narrowest: float


def measure(problems: int, size: int, answers: int, ns: Sequence[int]) -> Measured:
    """Curves of all strategies, verifier metrics, and two votes beside the plain reference."""
    solutions, scores = synthetic(problems, size, answers)
    evaluate = partial(curves.evaluate, dataset="synthetic", reasoner="r", verifier="v", ns=ns)

    start = time.perf_counter()
    table, _ = evaluate(solutions, scores)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    evaluate(solutions, scores, strategies=WEIGHTS)
    seconds_weights = time.perf_counter() - start
    start = time.perf_counter()
    verifier_metrics.verification(solutions, scores, dataset="synthetic", reasoner="r", verifier="v")
    seconds_metrics = time.perf_counter() - start

    (data,) = recorded(solutions, scores, where="synthetic")
    worst, slow, fast = 0.0, 0.0, 0.0
    for strategy in ("majority", "weighted_voting"):
        for n in ns:
            subsets_RN = curves.subset_indices(size, n, curves.SUBSETS, 0)
            start = time.perf_counter()
            plain = [reference(data, strategy, n, subsets_RN, p) for p in range(REFERENCE)]
            slow += time.perf_counter() - start
            start = time.perf_counter()
            ours = curves.expected(data, strategy, n)
            fast += time.perf_counter() - start
            worst = max(worst, float(np.abs(ours[:REFERENCE] - plain).max()))

    other, _ = evaluate(solutions, scores, seed=1)
    return Measured(
        curves=seconds,
        weights=seconds_weights,
        metrics=seconds_metrics,
        votes=fast,
        plain=slow * problems / REFERENCE,
        difference=worst,
        moved=cast(float, (table["accuracy"] - other["accuracy"]).abs().max()),
        narrowest=cast(float, ((table["high"] - table["low"]) / 2).min()),
    )


def show(answers: int) -> None:
    """Print one size: seconds, agreement with the reference, interval width and Monte-Carlo error."""
    found = measure(PROBLEMS, SOLUTIONS, answers, NS)
    print(f"{answers} wrong answers a problem at most")
    print(f"  curves, 4 strategies, {len(NS)} N, 1,000 draws   {found.curves:8.1f} s")
    print(f"  curves, {len(WEIGHTS)} families of weights          {found.weights:8.1f} s")
    print(f"  verifier metrics, 1,000 draws                {found.metrics:8.1f} s")
    print(f"  two votes, all N: this package               {found.votes:8.1f} s")
    scaled = f"(scaled from {REFERENCE} problems)"
    print(f"  two votes, all N: plain Python               {found.plain:8.1f} s {scaled}")
    print(f"  largest difference to plain Python           {found.difference:8.1e}")
    print(f"  largest move of a curve with other subsets   {found.moved:8.4f}")
    print(f"  narrowest half-width of a 95 % interval      {found.narrowest:8.4f}")


if __name__ == "__main__":
    print(f"{PROBLEMS} problems x {SOLUTIONS} solutions, N = {NS}")
    for answers in (30, 5000):
        show(answers)
    print(f"highest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
