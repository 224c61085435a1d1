"""`rlv doctor`: what is installed, what works here, and what each study lacks to run here.

Answers without loading torch and, unless --hub asks for it, without a network. What a study lacks is what its
own checks before a run say (rlv/estimate/preflight); `rlv doctor --study NAME` makes all of them.
"""

from __future__ import annotations

import os
import shutil
import urllib.error
import urllib.request
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rlv.columns import Column, table
from rlv.commands import installed
from rlv.commands.places import settings_of
from rlv.commands.printing import add_json, answer
from rlv.errors import RlvError, StoreError
from rlv.estimate.gpus import DEFAULT, find_gpu, local_gpu
from rlv.estimate.jobs import estimates
from rlv.estimate.preflight import at_a_glance, complaints
from rlv.hub import PATIENCE, SITE
from rlv.job.assumptions import Assumptions
from rlv.plan import Plan, build_plan
from rlv.plan.reading import load, study_folder
from rlv.run.stages import STAGES
from rlv.store import Store, require_rules
from rlv.study.configuration import CONFIG, STORE, results_folder

# FLOPs that a CPU would compute for more than a day.
_TOO_MUCH = 1e16
# Lines on each of several studies.
_SHOWN = 4
_YES, _NO = "yes", "no"
_COLOURS = {_YES: "green", _NO: "red", "not installed": "yellow", "not found": "yellow"}
_THREE = (Column(least=12, whole=True), Column(whole=True, colours=_COLOURS), Column())


def add_doctor(parser: ArgumentParser) -> None:
    parser.add_argument("--hub", action="store_true", help="ask whether the hub can be reached, too")
    add_json(parser)
    parser.set_defaults(run=_doctor)


def _doctor(options: Namespace) -> int:
    found = answer(options, lambda: findings(options), lines_of_findings)
    return 1 if options.study and not all(one["runs_here"] for one in found["studies"]) else 0


def findings(options: Namespace) -> dict[str, Any]:
    """All that there is to say, in JSON's types."""
    # The configuration's store counts, not its study: without --study all shipped ones are looked at. Outside
    # of a clone there is none, and what is asked is whether one could be here.
    if CONFIG.exists() or options.store or options.study:
        store = settings_of(options, options.study or "mini").open()
    else:
        store = Store(results_folder() / STORE)
    names = [options.study] if options.study else sorted(file.stem for file in study_folder().glob("*.yaml"))
    return {
        "python": installed.python(),
        "packages": installed.packages(),
        "extras": installed.extras(),
        "tools": installed.tools(),
        "machine": installed.machine(),
        "store": _store(store),
        "hub": {"cache": str(_hub_cache()), "reachable": _reachable() if options.hub else None},
        "studies": [_study(name, store, thorough=bool(options.study), ask=options.hub) for name in names],
    }


def _store(store: Store) -> dict[str, Any]:
    """The store's folder, and the room that is left; `fault`: why it cannot hold a store, or null."""
    root = store.root
    there = next((folder for folder in (root, *root.absolute().parents) if folder.exists()), root)
    fault, parts = None, [root]
    if root.is_dir():
        parts += [folder for folder in (root / ".work", *map(root.joinpath, STAGES)) if folder.is_dir()]
        try:
            require_rules(root)
        except StoreError as error:
            fault = str(error)
    elif not there.is_dir() or not os.access(there, os.W_OK):
        fault = f"{there}: cannot be written; name another folder"
    one = len({folder.stat().st_dev for folder in parts}) == 1 if root.is_dir() else True
    if not one and fault is None:
        fault = f"{root}: its folders lie on several file systems, between which nothing can be renamed"
    free = shutil.disk_usage(there).free / 2**30
    return {"path": str(root), "exists": root.is_dir(), "fault": fault, "free_gib": round(free, 1)} | {
        "one_file_system": one,
        "upstreams": [str(folder) for folder in store.upstreams],
    }


def _hub_cache() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _reachable() -> bool:
    """Whether the hub answers, whatever it answers."""
    request = urllib.request.Request(os.environ.get("HF_ENDPOINT") or SITE, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=PATIENCE).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _study(name: str, store: Store, *, thorough: bool, ask: bool) -> dict[str, Any]:
    """A study and what it lacks here, one line each.

    `thorough`: all checks, some of which take their time; `ask`: whether the hub may be asked.
    """
    found: dict[str, Any] = {"study": name, "artifacts": None, "published": None}
    try:
        plan = build_plan(load(name))
    except RlvError as error:
        if thorough:
            raise
        return found | {"runs_here": False, "missing": str(error).split("\n")}
    done = sum(store.exists(artifact) for artifact in plan.artifacts.values())
    missing = list(dict.fromkeys(_missing(plan, store, thorough=thorough, ask=ask)))
    found |= {"artifacts": len(plan.artifacts), "published": done}
    return found | {"runs_here": not missing, "missing": missing}


def _missing(plan: Plan, store: Store, *, thorough: bool, ask: bool) -> Iterator[str]:
    lacking = list(_packages(plan, store))
    yield from lacking
    yield from _gpus(plan, store)
    local = local_gpu()
    gpu = None if local is None else local.name
    try:
        # Tokenizers are read with transformers.
        if thorough and not lacking:
            yield from complaints(plan, store, gpu, ask=ask)
        else:
            yield from at_a_glance(plan, store, gpu)
    except RlvError as error:
        yield str(error)


def _packages(plan: Plan, store: Store) -> Iterator[str]:
    """Packages that jobs still to do import and that are not installed."""
    pending = {artifact.stage for artifact in plan.artifacts.values() if not store.exists(artifact)}
    needed: dict[str, None] = {}
    for stage in (STAGES[name] for name in STAGES if name in pending):
        needed |= dict.fromkeys(("torch", "transformers")) if stage.runs_models else {}
        needed |= {"deepspeed": None} if stage.trains else {}
    if lacking := [name for name in needed if not installed.has(name)]:
        mend = installed.pip_line(installed.bringing(lacking[0]))
        yield f"not installed: {', '.join(lacking)}; {mend}"


def _gpus(plan: Plan, store: Store) -> Iterator[str]:
    """GPUs, if there are none here and the jobs still to do are more than a CPU does in a day."""
    if installed.machine()["gpus"]:
        return
    pending = [
        e for e in estimates(plan, store, find_gpu(DEFAULT), Assumptions()) if not store.exists(e.artifact)
    ]
    if sum(one.flops for one in pending) > _TOO_MUCH:
        hours = sum(one.gpu_seconds for one in pending) / 3600
        yield f"a GPU, about {hours:,.0f} hours of one {DEFAULT}; here is none (clusters: docs/cluster.md)"


def lines_of_findings(found: Mapping[str, Any]) -> list[str]:
    """What `findings` returns, for people."""
    python, machine = found["python"], found["machine"]
    rows = [("python", python["version"], python["executable"])]
    rows += [(p["name"], p["version"] or "not installed", p["needed_for"]) for p in found["packages"]]
    lines: list[str] = ["installed", *table(_THREE, rows), "", "extras: complete?"]
    for extra in found["extras"]:
        lacks = f"lacks {', '.join(extra['missing'])}: {extra['mend']}" if extra["missing"] else ""
        lines += table(_THREE, [(extra["name"], _YES if extra["complete"] else _NO, lacks)])
    lines += ["", "programs"]
    lines += table(_THREE, [(t["name"], t["path"] or "not found", t["needed_for"]) for t in found["tools"]])
    gpus = [f"{gpu['name']} ({gpu['memory_gib'] or '?'} GiB)" for gpu in machine["gpus"]]
    lines += [
        "",
        f"machine: {machine['cores']} cores, {machine['memory_gib']} GiB; GPUs: {', '.join(gpus) or 'none'}",
    ]
    lines[-1] += (
        f"; torch is built for {'CUDA ' + machine['torch_cuda'] if machine['torch_cuda'] else 'CPUs'}"
    )
    return [*lines, *_place_lines(found), "", *_study_lines(found["studies"])]


def _place_lines(found: Mapping[str, Any]) -> Iterator[str]:
    store, hub = found["store"], found["hub"]
    state = store["fault"] or ("sound" if store["exists"] else "made by the first run")
    yield f"store: {store['path']}: {state}; {store['free_gib']:,} GiB free"
    asked = {None: "not asked (--hub asks)", True: "can be reached", False: "cannot be reached"}
    yield f"hub: {asked[hub['reachable']]}; its cache: {hub['cache']}"


def _study_lines(studies: list[Mapping[str, Any]]) -> list[str]:
    rows = []
    for one in studies:
        lines = one["missing"] or [f"{one['published']} of {one['artifacts']} artifacts are published"]
        if len(studies) > 1 and len(lines) > _SHOWN:
            more = len(lines) - _SHOWN
            lines = [*lines[:_SHOWN], f"… {more} more: rlv doctor --study {one['study']}"]
        rows.append((one["study"], _YES if one["runs_here"] else _NO, lines[0]))
        rows += [("", "", line) for line in lines[1:]]
    return ["studies: can they run here? (--study NAME: all checks)", *table(_THREE, rows)]
