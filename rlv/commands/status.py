"""`rlv status`: artifacts of a study that are done, missing or damaged, and keys that are being computed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rlv.cluster.logs import log_lines
from rlv.commands.find import namesakes
from rlv.commands.places import plan_and_store
from rlv.commands.printing import say
from rlv.errors import StoreError
from rlv.plan import Plan
from rlv.run.stages import STAGES
from rlv.store import Artifact, Store

DONE, MISSING, OLDER, DAMAGED, UNREAD = "done", "missing", "made by older code", "damaged", "cannot be read"


def add_status(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_status)


def _status(options: Namespace) -> None:
    say(status_lines(*plan_and_store(options)))


def state(artifact: Artifact, store: Store) -> str:
    """The state of an artifact: done, missing, made by older code, damaged, or unreadable now.

    Files are compared by size and time, then content. Anything else in an artifact's place is damaged, too.
    """
    try:
        if store.exists(artifact):
            return DAMAGED if store.problems_of(artifact, quick=True) else DONE
        if store.obstacle(artifact) is not None:
            return DAMAGED
    except StoreError:
        return UNREAD
    older = any(_by_older_code(m["spec"], artifact.spec) for _, m in namesakes(artifact, store))
    return OLDER if older else MISSING


def _by_older_code(spec: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a namesake, which has another key, comes from a lower recipe, or only from other code."""
    return spec["recipe"] < now["recipe"] or _without_code(spec) == _without_code(now)


def _without_code(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {**spec, "params": {name: value for name, value in spec["params"].items() if name != "code"}}


def status_lines(plan: Plan, store: Store) -> list[str]:
    """A table of states by stage, everything that is not done, and keys that are being computed."""
    states = {path: state(artifact, store) for path, artifact in plan.artifacts.items()}
    kinds = (DONE, MISSING, OLDER, DAMAGED, *([UNREAD] if UNREAD in states.values() else []))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for path, found in states.items():
        counts[path.split("/")[0]][found] += 1
    upstreams = "".join(f", upstream {folder}" for folder in store.upstreams)
    lines = [f"study {plan.study.name}, store {store.root}{upstreams}", ""]
    lines.append(f"{'stage':10s}" + "".join(f"{kind:>20s}" for kind in kinds))
    for stage in (s for s in STAGES if s in counts):
        lines.append(f"{stage:10s}" + "".join(f"{counts[stage][kind]:20d}" for kind in kinds))
    undone = [(path, found) for path, found in states.items() if found != DONE]
    rest = [line for path, found in undone for line in (f"{found:20s}{path}", *log_lines(path))]
    done = [plan.artifacts[path] for path, found in states.items() if found == DONE]
    lines += ["", *(rest or ["everything is done"]), *other_code_lines(done, store)]
    return [*lines, *progress_lines(plan, store)]


def other_code_lines(done: Iterable[Artifact], store: Store) -> list[str]:
    """Published artifacts whose stage had other source files when they were made.

    Only of stages whose keys do not follow their code, and of manifests that state it. This is no error: an
    edit that changes results raises the recipe of its stage.
    """
    lines = []
    for artifact in done:
        stage = STAGES[artifact.stage]
        made = store.manifest(artifact).get("made") if stage.code is None else None
        if isinstance(made, dict) and made.get("stage_code", stage.source_code) != stage.source_code:
            commit = made.get("code") or "no commit"
            lines.append(f"{'other code':20s}{artifact.path}: made by other code of this stage ({commit})")
    remark = "other code is no error; if an edit changes results, raise the recipe of its stage"
    return ["", *lines, remark] if lines else []


def progress_lines(plan: Plan, store: Store) -> list[str]:
    """Keys that the store's users compute now, of this study and of others, and those that failed last."""
    lines, failed = [], []
    try:
        leases = list(store.all_leases())
    except StoreError as error:
        return ["", f"{'in progress':20s}unknown: {error}"]
    for lease in leases:
        other = "" if lease.target in plan.artifacts else "  (another study's)"
        if not lease.released:
            alive = f"last sign of life at {datetime.fromtimestamp(lease.touched / 1e9, UTC):%F %T} UTC"
            if lease.gone():
                alive = "its process has ended, and the next run takes over"
            lines.append(f"{'in progress':20s}{lease.target}: {lease.owner()}; {alive}{other}")
        elif lease.content.get("error") and not other:
            owner = f"{lease.content['user']} on {lease.content['host']} at {lease.content['released']}"
            failed.append(f"{'failed':20s}{lease.target}: {owner}: {lease.content['error']}")
    return ["", *lines, *failed] if lines or failed else []
