"""Grading at the paper's size, beside plain math-verify.

    python -m benchmarks.grading                                # made-up LaTeX references
    python -m benchmarks.grading --math500 FILE.jsonl           # real ones: rows with an `answer`

500 problems x 512 solutions. Problems go from easy to hard; a hard one has some hundred different wrong
answers, popular ones first, as real solutions have: the reference with other digits, other problems'
references, free mixtures. The right answer comes in several notations. A few solutions carry an answer that
hangs a parser. The peer parses and compares every solution by itself, with math-verify's own timeouts, for
correctness and classes; it runs on a few solutions of a few problems, and its time is scaled up.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import re
import resource
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from rlv import tables
from rlv.answers import Grader

PROBLEMS, SOLUTIONS, PEER_PROBLEMS, PEER_SOLUTIONS = 500, 512, 30, 24
BOMB = "9^{9^{9^9}}"
FILLER = "We compute $x^{2} + \\frac{1}{2}$ and find {3, 4}. " * 30
SHAPES: list[Callable[[int, int, int], str]] = [
    *[lambda a, b, c: str(a)] * 5,
    *[lambda a, b, c: rf"\frac{{{a}}}{{{b}}}"] * 2,
    lambda a, b, c: rf"{a}\sqrt{{{b}}}",
    lambda a, b, c: f"{a}x^2 - {b}x + {c}",
    lambda a, b, c: rf"\left( {a}, {b} \right)",
    lambda a, b, c: rf"({a}, {b}] \cup [{c}, \infty)",
    lambda a, b, c: rf"\begin{{pmatrix}} {a} \\ {b} \end{{pmatrix}}",
    lambda a, b, c: f"{a}.{b}",
    lambda a, b, c: rf"{a}^\circ",
    lambda a, b, c: rf"{a} + {b}\pi",
]


def references(path: Path | None) -> list[str]:
    if path is not None:
        return [json.loads(line)["answer"] for line in path.read_text().splitlines()][:PROBLEMS]
    rng = random.Random(0)
    return [rng.choice(SHAPES)(*(rng.randint(1, 60) for _ in range(3))) for _ in range(PROBLEMS)]


def wrong_answers(reference: str, others: list[str], count: int, rng: random.Random) -> list[str]:
    """Different strings (nearly all different answers too), the most popular first."""

    def perturbed(spread: int) -> str:
        return re.sub(r"\d+", lambda m: str(rng.randint(0, int(m[0][:6]) + spread)), reference)

    found: dict[str, None] = {}
    while len(found) < count:
        kind = rng.random()
        if kind < 0.6 and re.search(r"\d", reference):
            wrong = perturbed(10 if kind < 0.4 else 1000)
        elif kind < 0.75:
            wrong = rng.choice(others)
        else:
            wrong = rng.choice(SHAPES)(*(rng.randint(1, 99) for _ in range(3)))
        found[wrong] = None
    return list(found)


def notations(reference: str) -> list[str]:
    """Ways in which solutions write the right answer, the reference's own first."""
    return [reference, reference.replace(r"\frac", r"\dfrac"), reference.replace(" ", ""), f"${reference}$"]


def made_up_samples(truths: list[str], bombs: int, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = random.Random(seed)
    texts: list[str] = []
    for truth in truths:
        skill = rng.betavariate(0.8, 1.0)
        right = notations(truth)
        wrong = wrong_answers(truth, truths, 2 + int(150 * (1 - skill) ** 2), rng)
        popularity = [1 / (k + 1) for k in range(len(wrong))]
        for _ in range(SOLUTIONS):
            if rng.random() < 0.03:
                texts.append(FILLER)
                continue
            if rng.random() < skill:
                answer = rng.choices(right, [8, 1, 1, 1])[0]
            else:
                answer = rng.choices(wrong, popularity)[0]
            texts.append(rf"{FILLER}Therefore \boxed{{{answer}}}.")
    for position in rng.sample(range(len(texts)), bombs):
        texts[position] = rf"{FILLER}Therefore \boxed{{{BOMB}}}."
    names = [f"p{i:04d}" for i in range(len(truths))]
    rows = {
        "problem_id": [p for p in names for _ in range(SOLUTIONS)],
        "sample_id": list(range(SOLUTIONS)) * len(names),
        "budget": [4096] * len(texts),
        "text": texts,
        "token_ids": [[1]] * len(texts),
        "n_prompt_tokens": [1] * len(texts),
        "n_tokens": [1] * len(texts),
        "flops": [1.0] * len(texts),
        "finish_reason": ["stop"] * len(texts),
    }
    nothing = [None] * len(names)
    problems = {
        "problem_id": names,
        "question": names,
        "answer": truths,
        "level": nothing,
        "subject": nothing,
    }
    return tables.frame("samples", rows), tables.frame("problems", problems)


def peer(solutions: pl.DataFrame, truths: dict[str, str]) -> tuple[float, int, int]:
    """Seconds, solutions, and disagreements in correctness with ours, of plain math-verify on a sample."""
    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    names = random.Random(1).sample(sorted(truths), PEER_PROBLEMS)
    subset = solutions.filter(pl.col("problem_id").is_in(names), pl.col("sample_id") < PEER_SOLUTIONS)
    subset = subset.filter(pl.col("answer") != BOMB)
    differ = 0
    start = time.perf_counter()
    for (name,), group in subset.group_by("problem_id", maintain_order=True):
        gold = parse(f"\\boxed{{{truths[str(name)]}}}")
        representatives: list[list] = []
        for answer, correct in group.select("answer", "correct").iter_rows():
            parsed = parse(f"\\boxed{{{answer}}}")
            differ += verify(gold, parsed) != correct
            if not any(verify(r, parsed) for r in representatives):
                representatives.append(parsed)
    return time.perf_counter() - start, len(subset), differ


def _processor_seconds() -> float:
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--math500", type=Path, help="JSON Lines with an `answer` a row")
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--bombs", type=int, default=5, help="solutions that hang a parser")
    options = arguments.parse_args()
    truths = references(options.math500)
    samples, problems = made_up_samples(truths, options.bombs)

    start = time.perf_counter()
    with Grader(workers=options.workers) as grader:
        solutions = grader.grade(samples, problems, "boxed")
        seconds = time.perf_counter() - start
        counts = grader.counts
    voting = solutions.drop_nulls("answer")
    strings = voting.select("problem_id", "answer").n_unique()
    classes = voting.drop_nulls("answer_class").select("problem_id", "answer_class").n_unique()
    print(f"{len(solutions)} solutions of {len(truths)} problems, {strings} different answer strings")
    print(f"{classes} classes, {solutions['correct'].mean():.3f} correct, {counts}")
    print(f"workers' and own processor time: {_processor_seconds():.0f} s")
    print(f"ours, {options.workers} workers:        {seconds:8.1f} s   (the aim is 300 s on 2 cores)")

    taken, measured, differ = peer(solutions, dict(problems.select("problem_id", "answer").iter_rows()))
    scaled = taken * len(voting) / measured
    print(f"plain math-verify, 1 process: {scaled:8.0f} s   (from {measured} solutions in {taken:.1f} s)")
    print(f"disagreements in correctness: {differ} of {measured}; ratio {scaled / seconds:.0f}")


if __name__ == "__main__":
    main()
