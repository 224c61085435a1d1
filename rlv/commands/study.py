"""`rlv study` and `rlv plan`: the artifacts of a study, what it assumes, and what its jobs cost."""

from __future__ import annotations

import json
import textwrap
from argparse import ArgumentParser, Namespace
from collections import defaultdict

from rlv.commands.places import plan_and_store, settings_of
from rlv.commands.printing import say
from rlv.estimate.gpus import DEFAULT, Gpu, find_gpu
from rlv.estimate.jobs import estimates
from rlv.estimate.preflight import require
from rlv.estimate.report import estimate_lines, stage_lines, unknown_lines
from rlv.job.assumptions import Assumptions
from rlv.plan import Plan
from rlv.store import Store
from rlv.study.types import Study


def add_study(parser: ArgumentParser) -> None:
    parser.add_argument("what", choices=("show", "check"))
    parser.add_argument("name", nargs="?", help="instead of --study")
    parser.set_defaults(run=_study)


def _study(options: Namespace) -> None:
    study = options.name or options.study
    plan, store = plan_and_store(options, study)
    gpu = settings_of(options, study).gpu
    if options.what == "check":
        require(plan, store, gpu)
        say([f"study {plan.study.name}: sound; {len(plan.artifacts)} artifacts"])
    else:
        say(study_lines(plan, store, find_gpu(gpu or DEFAULT)))


def add_plan(parser: ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="instead of --study")
    parser.add_argument(
        "--estimate", action="store_true", help="memory of every job too; refuse what cannot fit"
    )
    parser.add_argument("--gpu", default=None, help="H100, A100-80, ...; default: config/config.yaml's")
    parser.set_defaults(run=_plan)


def _plan(options: Namespace) -> int:
    study = options.name or options.study
    plan, store = plan_and_store(options, study)
    gpu = find_gpu(options.gpu or settings_of(options, study).gpu or DEFAULT)
    if not options.estimate:
        say(cost_lines(plan, store, gpu))
        return 0
    lines, too_large = estimate_lines(plan, store, gpu)
    say(lines)
    return 1 if too_large else 0


def study_lines(plan: Plan, store: Store, gpu: Gpu) -> list[str]:
    """All artifacts with their inputs and the most tokens they can cost, and the cost of stages on a GPU."""
    study = plan.study
    lines = [f"study {study.name}: {study.description}", ""]
    for estimate in estimates(plan, store, None, Assumptions(length=1.0)):
        artifact, tokens = estimate.artifact, estimate.written + estimate.read
        mark = "x" if store.exists(artifact) else " "
        cost = f"  up to {tokens:,} tokens" if tokens else ""
        lines.append(f"[{mark}] {artifact.path}{cost}")
        lines += [f"      {role:24s} {parent.path}" for role, parent in artifact.inputs.items()]
    lines += ["", *cost_lines(plan, store, gpu)]
    return lines + assumption_lines(study)


def assumption_lines(study: Study) -> list[str]:
    """Assumptions of a study: each value with its path and its source, and the study's conventions."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, assumption in study.assumed.items():
        source = assumption.source or "this project's guess"
        alike[json.dumps(assumption.value, ensure_ascii=False, default=str), source].append(path)
    lines = ["", "assumed, not known from the paper:"] if alike else []
    for (value, source), paths in alike.items():
        lines += [f"  {path} = {value}" for path in paths] + _indented(source)
    lines += ["", "conventions, which no setting decides:"] if study.conventions else []
    for name, text in study.conventions.items():
        lines += [f"  {name}", *_indented(text)]
    return lines


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, 110, initial_indent=" " * 6, subsequent_indent=" " * 6)


def cost_lines(plan: Plan, store: Store, gpu: Gpu) -> list[str]:
    """Jobs, tokens, GPU hours and disk by stage, and what is assumed; memory is left to the full estimate."""
    assumed = Assumptions()
    likely = estimates(plan, store, gpu, assumed)
    most = estimates(plan, store, gpu, Assumptions(length=1.0))
    lines = [f"on {gpu.name} GPUs; `rlv plan --estimate` checks whether every job fits"]
    lines += [*stage_lines(likely, most), ""]
    return lines + [f"assumed: {line}" for line in assumed.lines()] + unknown_lines(most)
