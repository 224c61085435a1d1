"""Grading at the paper's size, beside plain math-verify.

    python -m benchmarks.grading                                # made-up LaTeX references
    RLV_DATA=FOLDER python -m benchmarks.grading                # real ones: math500.jsonl in that folder
    python -m benchmarks.grading --math500 FILE.jsonl --solutions 512      # any file; the paper's size

500 problems x 64 solutions. Problems go from easy to hard; a hard one has some hundred different wrong
answers, popular ones first, as real solutions have: the reference with other digits, other problems'
references, free mixtures. The right answer comes in several notations. A few solutions carry an answer that
hangs a parser. The peer parses and compares every solution by itself, with math-verify's own timeouts, for
correctness and classes; it runs on a few solutions of a few problems, and its time is scaled up.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import re
import resource
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from rlv import tables
from rlv.answers import Grader

PROBLEMS, PEER_PROBLEMS, PEER_SOLUTIONS = 500, 30, 24
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


def made_up_samples(
    truths: list[str], solutions: int, bombs: int, seed: int = 0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = random.Random(seed)
    texts: list[str] = []
    for truth in truths:
        skill = rng.betavariate(0.8, 1.0)
        right = notations(truth)
        wrong = wrong_answers(truth, truths, 2 + int(150 * (1 - skill) ** 2), rng)
        popularity = [1 / (k + 1) for k in range(len(wrong))]
        for _ in range(solutions):
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
        "problem_id": [p for p in names for _ in range(solutions)],
        "sample_id": list(range(solutions)) * len(names),
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


def peer(solutions: pl.DataFrame, truths: dict[str, str]) -> tuple[float, int, int, int, list[str]]:
    """Plain math-verify on a sample: seconds, solutions, calls of verify, problems, disagreements with ours.

    A disagreement is an answer judged otherwise, or put into a class with another first member.
    """
    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    names = random.Random(1).sample(sorted(truths), min(PEER_PROBLEMS, len(truths)))
    subset = solutions.filter(pl.col("problem_id").is_in(names), pl.col("sample_id") < PEER_SOLUTIONS)
    subset = subset.filter(pl.col("answer") != BOMB)
    calls, seconds = 0, 0.0
    differ: dict[str, None] = {}
    for (name,), group in subset.group_by("problem_id", maintain_order=True):
        truth = truths[str(name)]
        start = time.process_time()
        gold = parse(f"\\boxed{{{truth}}}")
        representatives: list[tuple[str, list]] = []
        judged: list[tuple[str, bool, str]] = []  # answer, correct, first member of its class
        for answer in group["answer"]:
            parsed = parse(f"\\boxed{{{answer}}}")
            right = verify(gold, parsed)
            first = None
            for text, representative in representatives:
                calls += 1
                if verify(representative, parsed):
                    first = text
                    break
            if first is None:
                first = answer
                representatives.append((answer, parsed))
            calls += 1
            judged.append((answer, right, first))
        seconds += time.process_time() - start
        firsts: dict[int | None, str] = {}
        ours = group.select("answer", "correct", "answer_class").iter_rows()
        for (answer, right, first), (_, correct, number) in zip(judged, ours, strict=True):
            our_first = firsts.setdefault(number, answer)
            if right != correct:
                differ[f"{answer!r} for {truth!r}: we say {correct}, math-verify {right}"] = None
            elif number is None or our_first != first:
                ours_says = "no vote" if number is None else f"with {our_first!r}"
                differ[f"class of {answer!r}: {ours_says}; math-verify with {first!r}"] = None
    return seconds, len(subset), calls, len(names), list(differ)


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--math500", type=Path, help="JSON Lines with an `answer` a row")
    arguments.add_argument("--solutions", type=int, default=64, help="a problem")
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--bombs", type=int, default=5, help="solutions that hang a parser")
    options = arguments.parse_args()
    path = options.math500
    if path is None and "RLV_DATA" in os.environ:
        path = Path(os.environ["RLV_DATA"]) / "math500.jsonl"
    truths = references(path)
    samples, problems = made_up_samples(truths, options.solutions, options.bombs)

    start, before = time.perf_counter(), processor_seconds()
    with Grader(workers=options.workers) as grader:
        solutions = grader.grade(samples, problems, "boxed")
        counts = grader.counts
    # The workers' own time is known once they have ended.
    seconds, processor = time.perf_counter() - start, processor_seconds() - before
    print(f"references: {path or 'made up'}")
    voting = solutions.drop_nulls("answer")
    strings = voting.select("problem_id", "answer").n_unique()
    classes = voting.drop_nulls("answer_class").select("problem_id", "answer_class").n_unique()
    print(f"{len(solutions)} solutions of {len(truths)} problems, {strings} different answer strings")
    print(f"{classes} classes, {solutions['correct'].mean():.3f} correct, {counts}")
    print(f"ours, {options.workers} workers:        {seconds:8.1f} s, of which on processors:")
    print(f"ours, all processes:          {processor:8.1f} s   ({1e3 * processor / strings:.1f} ms a string)")

    taken, measured, calls, asked, differ = peer(
        solutions, dict(problems.select("problem_id", "answer").iter_rows())
    )
    scaled = taken * len(voting) / measured
    print(f"plain math-verify, 1 process: {scaled:8.0f} s   (from {measured} solutions of {asked} problems, ")
    print(f"    {calls} pairs, in {taken:.1f} s); ratio {scaled / processor:.0f}")
    print(f"disagreements: {len(differ)} different answers of these problems")
    for line in differ[:20]:
        print(f"  {line}")


if __name__ == "__main__":
    main()
