"""`rlv status`: artifacts of a study that are done, missing or damaged, and keys that are being computed."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rlv.cluster.logs import logs_of
from rlv.columns import Column, table
from rlv.commands.find import namesakes
from rlv.commands.places import plan_and_store
from rlv.commands.printing import add_json, answer
from rlv.errors import StoreError
from rlv.plan import Plan
from rlv.run.running import look
from rlv.run.stages import STAGES
from rlv.store import Artifact, Store
from rlv.store.leases import Lease

DONE, MISSING, OLDER, DAMAGED, UNREAD = "done", "missing", "made by older code", "damaged", "cannot be read"
IN_PROGRESS, FAILED, OTHER_CODE = "in progress", "failed", "other code"
COLOURS = {DONE: "green", MISSING: "yellow", OLDER: "yellow", DAMAGED: "red", UNREAD: "red", FAILED: "red"}
COLOURS |= {IN_PROGRESS: "cyan"}
_STATE = (Column(least=18, whole=True, colours=COLOURS), Column())


def add_status(parser: ArgumentParser) -> None:
    add_json(parser)
    parser.set_defaults(run=_status)


def _status(options: Namespace) -> None:
    answer(options, lambda: status_of(*plan_and_store(options)), lines_of_status)


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


def status_of(plan: Plan, store: Store) -> dict[str, Any]:
    """A study's artifacts with their states, what was made by other code, and who computes what, as JSON."""
    states = {path: state(artifact, store) for path, artifact in plan.artifacts.items()}
    artifacts = [
        {"path": path, "stage": path.split("/")[0], "key": plan.artifacts[path].key, "state": found}
        | {"logs": [] if found == DONE else [str(file) for file in logs_of(path)]}
        for path, found in states.items()
    ]
    done = [plan.artifacts[path] for path, found in states.items() if found == DONE]
    return {
        "study": plan.study.name,
        "store": str(store.root),
        "upstreams": [str(folder) for folder in store.upstreams],
        "artifacts": artifacts,
        "other_code": other_code(done, store),
        **jobs_of(plan, store),
    }


def status_lines(plan: Plan, store: Store) -> list[str]:
    """A table of states by stage, everything that is not done, and keys that are being computed."""
    return lines_of_status(status_of(plan, store))


def lines_of_status(found: Mapping[str, Any]) -> list[str]:
    """The same from what `status_of` returns."""
    states = {row["state"] for row in found["artifacts"]}
    kinds = (DONE, MISSING, OLDER, DAMAGED, *([UNREAD] if UNREAD in states else []))
    counts = Counter((row["stage"], row["state"]) for row in found["artifacts"])
    upstreams = "".join(f", upstream {folder}" for folder in found["upstreams"])
    lines = [f"study {found['study']}, store {found['store']}{upstreams}", ""]
    stages = [stage for stage in STAGES if any(row["stage"] == stage for row in found["artifacts"])]
    columns = [Column("stage", least=10, whole=True), *(Column(kind, right=True) for kind in kinds)]
    lines += table(columns, ([s, *(str(counts[s, kind]) for kind in kinds)] for s in stages))
    rest = []
    for row in found["artifacts"]:
        if row["state"] != DONE:
            rest += [(row["state"], row["path"]), *(("", f"  log: {file}") for file in row["logs"])]
    lines += ["", *(table(_STATE, rest) or ["everything is done"])]
    return lines + _other_code_lines(found["other_code"]) + _job_lines(found)


def other_code(done: Iterable[Artifact], store: Store) -> list[dict[str, str | None]]:
    """Published artifacts whose stage had other source files when they were made, each with its commit.

    Only of stages whose keys do not follow their code, and of manifests that state it. This is no error: an
    edit that changes results raises the recipe of its stage.
    """
    found = []
    for artifact in done:
        stage = STAGES[artifact.stage]
        made = store.manifest(artifact).get("made") if stage.code is None else None
        if isinstance(made, dict) and made.get("stage_code", stage.source_code) != stage.source_code:
            found.append({"path": artifact.path, "commit": made.get("code") or None})
    return found


def _other_code_lines(found: Iterable[Mapping[str, Any]]) -> list[str]:
    rows = [
        (OTHER_CODE, f"{row['path']}: made by other code of this stage ({row['commit'] or 'no commit'})")
        for row in found
    ]
    remark = "other code is no error; if an edit changes results, raise the recipe of its stage"
    return ["", *table(_STATE, rows), remark] if rows else []


def jobs_of(plan: Plan, store: Store) -> dict[str, Any]:
    """`jobs`: keys that the store's users compute now, of this study and of others, and those of this study
    that failed last; `jobs_unknown`: why that cannot be known, or null."""
    try:
        leases = list(store.all_leases())
    except StoreError as error:
        return {"jobs": [], "jobs_unknown": str(error)}
    jobs = [_job(lease, ours=lease.target in plan.artifacts) for lease in leases]
    return {"jobs": [job for job in jobs if job is not None], "jobs_unknown": None}


def _job(lease: Lease, *, ours: bool) -> dict[str, Any] | None:
    """A job as its lease states it; None if it has ended and is of no interest."""
    failed = bool(lease.released and lease.content.get("error"))
    if lease.released and not (failed and ours):
        return None
    names = ("user", "host", "pid", "slurm_job", "started", "released", "error", "log")
    return {
        "path": lease.target,
        "of_this_study": ours,
        "state": FAILED if failed else IN_PROGRESS,
        **{name: lease.content.get(name) for name in names},
        "owner": lease.owner(),
        "touched": f"{datetime.fromtimestamp(lease.touched / 1e9, UTC):%FT%TZ}",
        "ended": not failed and lease.gone(),
        "progress": None if failed or lease.gone() else _progress(lease),
    }


def _progress(lease: Lease) -> dict[str, Any] | None:
    """How far a job is, as its log says; None if that is not to be seen from here."""
    job = look(lease)
    if job.progress is None:
        return None
    far = {name: getattr(job.progress, name) for name in ("done", "total", "what", "tokens_per_second")}
    return {**far, "seconds_left": job.seconds_left}


def _far(progress: Mapping[str, Any] | None) -> str:
    """How far a job is, for people; "" if that is not known."""
    if progress is None:
        return ""
    speed, left = progress["tokens_per_second"], progress["seconds_left"]
    said = f"  {progress['done']} of {progress['total']} {progress['what']}"
    said += "" if speed is None else f", {speed:,} tokens/s"
    return said if left is None else f"{said}, about {timedelta(seconds=round(left))} left"


def progress_lines(plan: Plan, store: Store) -> list[str]:
    """Keys that the store's users compute now, of this study and of others, and those that failed last."""
    return _job_lines(jobs_of(plan, store))


def _job_lines(found: Mapping[str, Any]) -> list[str]:
    if found["jobs_unknown"] is not None:
        return ["", *table(_STATE, [(IN_PROGRESS, f"unknown: {found['jobs_unknown']}")])]
    running, failed = [], []
    for job in found["jobs"]:
        if job["state"] == FAILED:
            owner = f"{job['user']} on {job['host']} at {job['released']}"
            failed.append((FAILED, f"{job['path']}: {owner}: {job['error']}"))
            continue
        alive = f"last sign of life at {job['touched'].replace('T', ' ').removesuffix('Z')} UTC"
        if job["ended"]:
            alive = "its process has ended, and the next run takes over"
        other = "" if job["of_this_study"] else "  (another study's)"
        running.append((IN_PROGRESS, f"{job['path']}: {job['owner']}; {alive}{other}"))
        running += [("", far) for far in [_far(job["progress"])] if far]
    rows = [*running, *failed]
    return ["", *table(_STATE, rows)] if rows else []
