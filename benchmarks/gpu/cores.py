"""Part f: voting and grading on the machine's processor, beside plain Python and plain math-verify."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import grading, voting
from benchmarks.gpu.rows import Row, at_least, at_most, noted
from benchmarks.gpu.sizes import Sizes
from rlv.answers import Grader

PART = "f"
SAME = 1e-12  # of an expected accuracy


def run(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Rows of voting and of grading."""
    del folder  # no model is needed
    problems, solutions = sizes.votes
    ns = [2**k for k in range(solutions.bit_length())]
    found = voting.measure(problems, solutions, 30, ns)
    what = f"curves, {problems} problems x {solutions} solutions, {len(ns)} N, 1,000 draws"
    yield noted(PART, what, found.curves, "s")
    yield at_most(PART, "votes: largest difference", found.difference, SAME, "plain Python, the same subsets")
    ratio = found.plain / found.votes
    yield at_least(PART, "votes: speed", ratio, 1.0, "plain Python, scaled up", "x", at_size=True)
    yield from _grading(sizes)


def _grading(sizes: Sizes) -> Iterator[Row]:
    problems, solutions = sizes.graded
    truths = grading.references(None)[:problems]
    samples, table = grading.made_up_samples(truths, solutions, bombs=0)
    workers = os.cpu_count() or 1
    started, before = time.perf_counter(), grading.processor_seconds()
    with Grader(workers=workers) as grader:
        graded = grader.grade(samples, table, "boxed")
    # The workers' own time is known once they have ended.
    seconds, processor = time.perf_counter() - started, grading.processor_seconds() - before
    what = f"grading, {problems} problems x {solutions} solutions"
    yield noted(PART, what, len(graded) / seconds, "solutions/s", f"{workers} processes, {seconds:.1f} s")
    truth_of = dict(table.select("problem_id", "answer").iter_rows())
    taken, measured, _, _, differ = grading.peer(graded, truth_of)
    ratio = taken / measured * len(graded) / processor
    yield at_least(
        PART,
        "grading: processor seconds",
        ratio,
        1.0,
        f"plain math-verify, {measured} solutions",
        "x",
        at_size=True,
    )
    yield noted(
        PART, "grading: answers judged otherwise", len(differ), "", "plain math-verify; docs/grading.md"
    )
