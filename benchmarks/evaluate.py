"""`rlv evaluate` on a large file: 500 problems x 512 solutions with one score, from file to pages.

    python -m benchmarks.evaluate [--problems 500] [--solutions 512]

Texts of about a thousand characters; answers are integers and fractions, so that some need the grader's
workers. It prints the seconds of each stage, of all of it, and the peak memory of the largest process. No
peer does all of this; grading and voting have theirs (benchmarks/grading.py, benchmarks/voting.py).
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FILLER = "We look at the equation and see that both sides have to agree, so we go on step by step. " * 11


def write(path: Path, problems: int, solutions: int) -> None:
    """A row a solution; harder problems have more different wrong answers."""
    rng = random.Random(0)
    with path.open("w") as file:
        for p in range(problems):
            top, bottom, hard = rng.randint(1, 99), rng.choice([1, 1, 3, 7]), rng.random()
            right = str(top) if bottom == 1 else f"\\frac{{{top}}}{{{bottom}}}"
            for _ in range(solutions):
                correct = rng.random() > hard
                wrong = f"\\frac{{{top + rng.randint(1, 30)}}}{{{bottom + 1}}}"
                score = min(max(rng.gauss(0.6 if correct else 0.45, 0.2), 0.0), 1.0)
                text = f"{FILLER}\n\nThe answer is \\boxed{{{right if correct else wrong}}}."
                row = {"id": p, "target": right, "completion": text, "rm": round(score, 4)}
                file.write(json.dumps(row) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--solutions", type=int, default=512)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.jsonl"
        write(path, options.problems, options.solutions)
        size = path.stat().st_size / 2**20
        command = [sys.executable, "-m", "rlv", "evaluate", str(path), "--out", f"{folder}/out"]
        command += ["--store", f"{folder}/store"]
        command += ["--map", "problem_id=id", "answer=target", "text=completion", "score=rm"]
        started = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder)
        seconds = time.monotonic() - started
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(done.stderr.rstrip())
        pages = sum(f.stat().st_size for f in (Path(folder) / "out" / "solutions").rglob("*")) / 2**20
        print(f"{options.problems} x {options.solutions} solutions, a file of {size:,.0f} MiB")
        print(f"rlv evaluate: {seconds:.1f} s, peak {peak:.2f} GiB; explorer's files {pages:,.0f} MiB")


if __name__ == "__main__":
    main()
