"""What the stage `cross_grade` has a model do, before it runs. Imports no torch."""

from __future__ import annotations

from rlv.job.assumptions import Assumptions
from rlv.job.work import Memory, Pass, Size, Work
from rlv.scoring import SCORES
from rlv.scoring.work import scoring_memory
from rlv.store import Artifact

# What the grader is told, besides question, reference and solution.
_TASK_TOKENS = 192
_ROW_BYTES = 64


def _longest(artifact: Artifact, assumed: Assumptions, *, budget: bool) -> int | None:
    """Positions of a case: with the mean solution, or (`budget`) the longest; None if others sampled them."""
    first = artifact.inputs["solutions"].inputs["samples:00000"]
    most = first.params.get("max_tokens")
    if most is None:
        return None
    solution = int(most) if budget else assumed.solution_tokens(int(most))
    return assumed.prompt_tokens + _TASK_TOKENS + solution


def _passes(artifact: Artifact, assumed: Assumptions) -> list[Pass]:
    stop, p = _longest(artifact, assumed, budget=False), artifact.params
    if stop is None:
        return []
    cases = p["problems"] * (p["n"] + len(p["attacks"]))
    return [Pass("read", cases, 0, stop, cases)]


def _memory(artifact: Artifact, size: Size, assumed: Assumptions, device: float | None) -> list[Memory]:
    longest = _longest(artifact, assumed, budget=True)
    if longest is None:
        return []
    return [scoring_memory(size, SCORES["judge"].padded_tokens["cuda"], longest)]


def _stored(artifact: Artifact, passes: list[Pass], size: Size, assumed: Assumptions) -> float:
    return float(sum(p.sequences for p in passes) * _ROW_BYTES)


CROSS_GRADE = Work(_passes, _memory, _stored)
