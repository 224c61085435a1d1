"""A training step beside TRL's GRPOTrainer, and what the verification objective adds to it.

    python -m benchmarks.training_step [--threads 1] [--only mini]

Two models: SmolLM2-135M's sizes with random weights (`--model FOLDER` puts a real one in its place), and the
mini base.

First table of each: tokens a second of one update (forward, loss, backward, clipping, optimizer) on the same
token ids in float32 with as many threads and no KL; prompts and solutions count, padding and verification
prompt do not. Runs take turns, the order changes from repeat to repeat, and medians and ranges are printed.
Before that TRL tries several row counts a pass and goes on with its fastest. Both sides must report the same
gradient norm at the first step, else they do not do the same work and nothing is printed. The bar is 1.20 x
TRL on uneven lengths; equal lengths show what is left where nothing is padded. On a machine that others use
too, `--clock cpu` counts processor seconds.

Second table: `measure_overhead`, whole steps (sampling, grading, update) with and without verification on
the same rollouts; the bar is 1.10 in tokens and in seconds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import torch

from benchmarks.step_workloads import MINI_BASE, Workload, make_workload, write_random_model
from benchmarks.trl_peer import CLOCKS, TrlPeer
from rlv import tables
from rlv.mini.task import problems as mini_problems
from rlv.models import load_model
from rlv.training.learner import make_learner
from rlv.training.measure import measure_overhead
from rlv.training.run import Run
from rlv.training.update import learn

BAR_PEER = 1.20
BAR_OVERHEAD = 1.10
LEARNING_RATE = 1e-6

# One update: (seconds, gradient norm before clipping).
Step = Callable[[], tuple[float, float]]


@dataclass(frozen=True)
class Case:
    """A model, and how many problems and solutions of which lengths it learns from.

    `even`: also with equal lengths, if that takes seconds and not minutes.
    """

    name: str
    folder: Path
    problems: int
    solutions: int
    prompt: tuple[int, int]
    solution: tuple[int, int]
    peer_rows: tuple[int, ...]
    run: Run
    even: bool = False
    clock: str = "wall"

    def workload(self, *, even: bool) -> Workload:
        vocabulary = load_model(self.folder, "float32")[0].config.get_text_config().vocab_size
        prompt, solution = self.prompt, self.solution
        if even:
            prompt, solution = _middle(prompt), _middle(solution)
        return make_workload(vocabulary, self.problems, self.solutions, prompt, solution)


def _middle(span: tuple[int, int]) -> tuple[int, int]:
    return sum(span) // 2, sum(span) // 2


def our_step(case: Case, workload: Workload, coefficient: float) -> Step:
    """`learn` on the workload, on a model of its own."""
    now = CLOCKS[case.clock]
    config = case.run.but(verification_coefficient=coefficient)
    model, tokenizer = load_model(case.folder, "float32")
    learner = make_learner(model, tokenizer, config)
    trajectories = workload.trajectories()

    def step() -> tuple[float, float]:
        started = now()
        lesson = learn(learner, trajectories, config, 0)
        return now() - started, lesson.grad_norm

    return step


def start_peer(case: Case, workload: Workload, rows: int, scratch: Path, stack: ExitStack) -> TrlPeer:
    """A TRL process that has taken one step, which counts for nothing but its gradient."""
    peer = TrlPeer(
        case.folder,
        workload.groups,
        rows=rows,
        threads=case.run.threads,
        clock=case.clock,
        learning_rate=LEARNING_RATE,
        scratch=scratch,
    )
    stack.callback(peer.close)
    return peer


def choose_rows(case: Case, workload: Workload, scratch: Path) -> int:
    """The rows a pass with which TRL is fastest; each candidate runs by itself, so memory never decides."""
    seconds = {}
    for rows in case.peer_rows:
        with ExitStack() as stack:
            peer = start_peer(case, workload, rows, scratch, stack)
            peer.step()
            seconds[rows] = peer.step()[0]
    print("  TRL by rows a pass:", ", ".join(f"{rows}: {s:.2f} s" for rows, s in seconds.items()))
    return min(seconds, key=lambda rows: seconds[rows])


def measure(steps: dict[str, Step], repeats: int) -> dict[str, list[float]]:
    """Seconds of each repeat; the side that went first goes last the next time."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    names = list(steps)
    for _ in range(repeats):
        for name in names:
            seconds[name].append(steps[name]()[0])
        names.append(names.pop(0))
    return seconds


def compare(case: Case, repeats: int, scratch: Path, *, even: bool) -> None:
    """Print tokens a second of one update: TRL, ours, ours with verification."""
    workload = case.workload(even=even)
    lengths = "equal" if even else "uneven"
    print(f"\n{case.name}, one update: {workload.n_solutions} solutions of {lengths} lengths, ", end="")
    print(f"{workload.tokens:,} tokens, {case.run.threads} thread(s), {case.clock} clock")
    with ExitStack() as stack:
        rows = choose_rows(case, workload, scratch)
        peer = start_peer(case, workload, rows, scratch, stack)
        print("  TRL runs on", ", ".join(f"{name} {version}" for name, version in peer.versions.items()))
        steps: dict[str, Step] = {"TRL": peer.step}
        steps["ours"] = our_step(case, workload, 0.0)
        steps["ours, verification"] = our_step(case, workload, 0.3)
        norms = {name: step()[1] for name, step in steps.items()}  # the first steps: not timed
        if abs(norms["TRL"] / norms["ours"] - 1) > 0.01:
            raise SystemExit(f"not the same work: gradient norms {norms}")
        seconds = measure(steps, repeats)
    for name, found in seconds.items():
        speeds = sorted(workload.tokens / s for s in found)
        median = workload.tokens / statistics.median(found)
        print(f"  {name:20s} {median:8,.0f} tokens/s ({speeds[0]:,.0f} to {speeds[-1]:,.0f})", end="")
        print(f", gradient norm {norms[name]:.4f}")
    bar = "" if even else f"; bar {BAR_PEER:.2f}"
    print(f"  ours over TRL: {_ratio(seconds['TRL'], seconds['ours'])}{bar}")
    print(f"  ours with verification over TRL: {_ratio(seconds['TRL'], seconds['ours, verification'])}")
    print(f"  seconds of verification: {_ratio(seconds['ours, verification'], seconds['ours'])}")


def _ratio(above: list[float], below: list[float]) -> str:
    """Of the medians, with the range over pairs of one repeat."""
    pairs = sorted(a / b for a, b in zip(above, below, strict=True))
    median = statistics.median(above) / statistics.median(below)
    return f"{median:.2f} x ({pairs[0]:.2f} to {pairs[-1]:.2f})"


def overhead(case: Case, repeats: int) -> None:
    """Print seconds and tokens of whole steps with over without verification: the ratio of sums."""
    rows = mini_problems("quadratic", 11, "train", 256, 0)
    problems = pl.DataFrame(rows, schema=tables.SCHEMAS["problems"])
    config = case.run.but(verification_coefficient=0.3)
    print(f"\n{case.name}, whole steps, same rollouts, {config.threads} thread(s)")
    measured = measure_overhead(config, case.folder, problems, repeats, lambda _: None)
    sums = measured.with_columns(seconds=pl.col("seconds_sample") + pl.col("seconds_update"))
    sums = sums.group_by("objective").agg(pl.col("tokens", "seconds", "seconds_update").sum())
    rl, rl_v = (sums.row(by_predicate=pl.col("objective") == name, named=True) for name in ("rl", "rl_v"))
    for name, row in (("rl", rl), ("rl_v", rl_v)):
        update = f"of it update {row['seconds_update'] / repeats:.3f} s"
        print(f"  {name:5s} {row['seconds'] / repeats:.3f} s a step, {update}", end="")
        print(f", {row['tokens'] // repeats:,} tokens")
    ratio = {key: rl_v[key] / rl[key] for key in ("tokens", "seconds", "seconds_update")}
    print(f"  ratio: tokens {ratio['tokens']:.3f}, seconds {ratio['seconds']:.3f}", end="")
    print(f" (bar {BAR_OVERHEAD:.2f}), update alone {ratio['seconds_update']:.3f}")


def cases(model: Path, threads: int) -> list[Case]:
    """The small real size, and the mini study's."""
    config = Run.of(advantage="grpo", learning_rate=LEARNING_RATE, threads=threads)
    large = config.but(problems_per_step=2, solutions_per_problem=4, prompt_style="chat", max_tokens=96)
    small = config.but(problems_per_step=16)
    return [
        Case("135 M parameters", model, 2, 4, (24, 48), (32, 160), (4, 8), large),
        Case("mini base", MINI_BASE, 16, 8, (12, 24), (10, 64), (16, 64, 128), small, even=True),
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, help="a folder in the place of the random 135 M parameters")
    parser.add_argument("--only", choices=("135", "mini"))
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall", help="of the first table")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if arguments.model is None and arguments.only != "mini":
            write_random_model(scratch / "model", "smollm2-135m")
        for case in cases(arguments.model or scratch / "model", arguments.threads):
            if arguments.only and not case.name.startswith(arguments.only):
                continue
            case = replace(case, clock=arguments.clock)
            for even in (False, True) if case.even else (False,):
                compare(case, arguments.repeats, scratch, even=even)
            overhead(case, arguments.repeats)


if __name__ == "__main__":
    main()
