"""Speed of replaying stopping rules, next to adaptive consistency's own loop on the same solutions.

    python -m benchmarks.stopping

500 problems x 512 solutions, n_max 256, 256 orders, all usual rules and fixed numbers by all their votes, and
intervals from 1,000 bootstrap draws; once with few answers a problem and once with as many as there are
solutions. The peer is `adaptive_consistency` (PyPI: AdaptiveConsistency, with scipy), if it is installed:
its beta criterion is asked after each solution, as its own loop would (that one calls a method that does not
exist), for a few problems and orders; its time is scaled up. Without it, its loop as we would write it in
plain Python: a counter of answers, its two largest counts, the chance that the first leads in closed form.
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Callable
from math import comb

import numpy as np

from benchmarks.voting import synthetic
from rlv.evaluation.recorded import Recorded, recorded
from rlv.evaluation.stopping.replay import ORDERS, cells, orders, replay
from rlv.evaluation.stopping.rules import usual
from rlv.evaluation.stopping.stage import adaptive

PROBLEMS, SOLUTIONS, N_MAX = 500, 512, 256
# Of the peer: problems and orders that are timed.
FEW_PROBLEMS, FEW_ORDERS = 20, 2
Loop = Callable[[list[int]], bool]


def plain(answers: list[int]) -> bool:
    """Whether adaptive consistency stops after these answers, at a level of .95."""
    (_, a), *others = Counter(answers).most_common(2)
    b = others[0][1] if others else 0
    n = a + b + 1
    return sum(comb(n, k) for k in range(a + 1)) / 2**n >= 0.95


def peer() -> tuple[str, Loop]:
    """The published package's criterion, or ours in plain Python."""
    try:
        from adaptive_consistency import AC, BetaStoppingCriteria  # pyright: ignore[reportMissingImports]
    except ImportError:
        return "plain Python", plain
    return "AdaptiveConsistency", AC(stop_criteria=BetaStoppingCriteria(0.95)).should_stop


def stopped(data: Recorded, loop: Loop, orders_RN: np.ndarray) -> np.ndarray:
    """How many solutions the loop draws: drawn_PR of the first problems."""
    found = np.zeros((FEW_PROBLEMS, len(orders_RN)), dtype=int)
    for p in range(FEW_PROBLEMS):
        classes = data.classes_PS[p]
        for r, order in enumerate(orders_RN.tolist()):
            answers: list[int] = []
            for solution in order:
                answers.append(int(classes[solution]))
                if loop(answers):
                    break
            found[p, r] = len(answers)
    return found


def show(answers: int) -> None:
    """Print one size: seconds of all rules, of one, of the peer's, and whether they draw as many."""
    solutions, scores = synthetic(PROBLEMS, SOLUTIONS, answers)
    # The peer counts a solution without an answer as one more answer: here everybody has one.
    everybody = solutions.with_columns(solutions["answer_class"].fill_null(answers + 1))
    about = {"dataset": "synthetic", "reasoner": "r", "n_max": N_MAX, "orders": ORDERS, "batch": 1}
    about |= {"draws": 1000, "seed": 0}
    print(f"{answers} wrong answers a problem at most")
    total = 0.0
    for verifier in ("", "v"):
        (data,) = recorded(solutions, scores if verifier else None, where="synthetic")
        chosen = cells(usual(N_MAX), N_MAX, reads=bool(verifier), where="synthetic")
        start = time.perf_counter()
        adaptive(data, chosen, None, {**about, "verifier": verifier})
        seconds = time.perf_counter() - start
        total += seconds
        what = "with a verifier" if verifier else "without a verifier"
        print(f"  {len(chosen):3} rules and fixed numbers {what:20} {seconds:8.1f} s")
    print(f"  all                                          {total:8.1f} s")

    (data,) = recorded(everybody, None, where="synthetic")
    name, loop = peer()
    orders_RN = orders(SOLUTIONS, N_MAX, FEW_ORDERS, 0)
    start = time.perf_counter()
    theirs_PR = stopped(data, loop, orders_RN)
    scale = PROBLEMS / FEW_PROBLEMS * ORDERS / FEW_ORDERS
    slow = (time.perf_counter() - start) * scale
    start = time.perf_counter()
    replay(data, [("beta:0.95", "majority")], N_MAX, count=ORDERS)
    fast = time.perf_counter() - start
    ours_P = replay(data, [("beta:0.95", "majority")], N_MAX, count=FEW_ORDERS)[1, :FEW_PROBLEMS, 0]
    print(f"  beta:0.95 alone: this package                {fast:8.1f} s")
    print(f"  beta:0.95 alone: {name:20}        {slow:8.1f} s (scaled from {scale:.0f} times less)")
    print(f"  ratio                                        {slow / fast:8.0f}")
    print(
        f"  largest difference in solutions drawn        {np.abs(theirs_PR.mean(axis=1) - ours_P).max():8.1e}"
    )


if __name__ == "__main__":
    print(f"{PROBLEMS} problems x {SOLUTIONS} solutions, n_max {N_MAX}, {ORDERS} orders")
    for most in (30, 5000):
        show(most)
    print(f"largest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
