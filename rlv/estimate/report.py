"""Estimates as lines of text: by stage, the memory of each kind of job, and the assumptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rlv.columns import Column, table
from rlv.estimate.gpus import Gpu
from rlv.estimate.jobs import Estimate, estimates
from rlv.job.assumptions import Assumptions
from rlv.plan import Plan
from rlv.run.stages import STAGES
from rlv.store import Store

GIB = 2.0**30
_NUMBERS = (
    "jobs",
    "tokens written",
    "tokens read",
    "FLOPs",
    "GPU hours",
    "at most",
    "store GiB",
    "meanwhile",
)
_STAGES = (Column("stage", least=10, whole=True), *(Column(name, right=True) for name in _NUMBERS))


def estimate_lines(
    plan: Plan, store: Store | None, gpu: Gpu | None, assumed: Assumptions | None = None
) -> tuple[list[str], list[str]]:
    """(the estimate as text, complaints about jobs that cannot fit the GPU).

    GPU hours have two sums: at the assumed mean length of solutions, and at all of their budgets.
    """
    assumed = assumed or Assumptions()
    likely = estimates(plan, store, gpu, assumed)
    most = estimates(plan, store, gpu, replace(assumed, length=1.0))
    too_large = [line for estimate in most for line in estimate.too_large]
    lines = [f"study {plan.study.name}" + (f" on {gpu.name} GPUs" if gpu is not None else "") + ", assumed:"]
    lines += [f"  assumed: {line}" for line in assumed.lines()]
    lines += ["", *stage_lines(likely, most)]
    if gpu is not None:
        lines += ["", *memory_lines(most, gpu, assumed)]
    lines += unknown_lines(most)
    if too_large:
        lines += ["", f"does not fit {gpu.name if gpu else ''}:", *(f"  {line}" for line in too_large)]
    return lines, too_large


def unknown_lines(made: Sequence[Estimate]) -> list[str]:
    """The keys that would state the sizes of jobs left out of the sums."""
    unknown = sorted({e.unknown for e in made if e.unknown is not None})
    if not unknown:
        return []
    return ["", f"not estimated, sizes are not known: {', '.join(unknown)} (or fetch the models first)"]


def stage_lines(likely: Sequence[Estimate], most: Sequence[Estimate]) -> list[str]:
    """Jobs, tokens, FLOPs, GPU hours and disk by stage; `likely` at the assumed lengths, `most` at full."""
    rows = []
    for stage in STAGES:
        one, all_of = ([e for e in es if e.artifact.stage == stage] for es in (likely, most))
        if all_of:
            rows.append(_row(stage, one, all_of))
    return list(table(_STAGES, [*rows, _row("sum", likely, most)]))


def _row(name: str, likely: Sequence[Estimate], most: Sequence[Estimate]) -> tuple[str, ...]:
    hours = [sum(e.gpu_seconds for e in es) / 3600 for es in (likely, most)]
    return (
        name,
        f"{len(most)}",
        f"{sum(e.written for e in likely):,d}",
        f"{sum(e.read for e in likely):,d}",
        f"{sum(e.flops for e in likely):.1e}",
        *(f"{one:,.1f}" for one in hours),
        f"{sum(e.disk for e in likely) / GIB:,.1f}",
        f"{sum(e.checkpoints for e in likely) / GIB:,.1f}",
    )


def memory_lines(made: Sequence[Estimate], gpu: Gpu, assumed: Assumptions) -> list[str]:
    """The memory that each GPU needs, once for all jobs that need the same."""
    room = gpu.memory_bytes * assumed.memory_share / GIB
    usable = f"{room:.1f} of {gpu.name}'s {gpu.memory_gib:.1f} can be used"
    lines = [f"GiB on each GPU ({usable}), in the fullest phase:"]
    kinds: dict[tuple[str, str], list[Estimate]] = {}
    for estimate in made:
        if estimate.memory:
            kinds.setdefault((estimate.artifact.stage, _parts(estimate)), []).append(estimate)
    for (stage, parts), jobs in kinds.items():
        names = ", ".join(dict.fromkeys(_reasoner(e) for e in jobs))
        gpus = f"{jobs[0].gpus} GPU" + ("s" if jobs[0].gpus > 1 else "")
        lines.append(f"  {stage:9s} {parts}  [{gpus}: {names}]")
    return lines


def _parts(estimate: Estimate) -> str:
    fullest = max(estimate.memory, key=lambda one: one.total)
    parts = sorted(fullest.parts.items(), key=lambda part: -part[1])
    listed = ", ".join(f"{name} {size / GIB:.2f}" for name, size in parts)
    return f"{fullest.total / GIB:7.2f} ({fullest.when}: {listed})"


def _reasoner(estimate: Estimate) -> str:
    """The reasoner whose weights a job has on the GPU."""
    artifact = estimate.artifact
    return artifact.name if STAGES[artifact.stage].trains else artifact.inputs["model"].name
