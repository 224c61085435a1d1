"""`rlv time`: the time that a study took, by stage, and the users who computed it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rlv.columns import Column, table
from rlv.commands.places import plan_and_store
from rlv.commands.printing import add_json, answer
from rlv.plan import Plan
from rlv.provenance.times import makings, slowest, stage_times
from rlv.store import Store
from rlv.store.computed import computed

_NUMBERS = ("artifacts", "seconds", "cpu s", "peak MiB", "tokens")
_STAGES = (Column("stage", least=10, whole=True), *(Column(name, right=True, least=9) for name in _NUMBERS))
_COUNTED = (Column(right=True, least=9), Column())


def add_time(parser: ArgumentParser) -> None:
    add_json(parser)
    parser.set_defaults(run=_time)


def _time(options: Namespace) -> None:
    answer(options, lambda: time_of(*plan_and_store(options)), lines_of_time)


def time_of(plan: Plan, store: Store) -> dict[str, Any]:
    """Seconds, tokens and peak memory of everything published, by stage, and the ten slowest, as JSON."""
    published = [artifact for artifact in plan.artifacts.values() if store.exists(artifact)]
    made = makings(published, store)
    counted = {artifact.path for artifact, _ in made}
    return {
        "study": plan.study.name,
        "stages": [asdict(one) for one in stage_times(made)],
        "slowest": [{"path": artifact.path, "seconds": seconds} for seconds, artifact in slowest(made)],
        "not_counted": [artifact.path for artifact in published if artifact.path not in counted],
        "computed_here": computed_of(plan, store),
    }


def time_lines(plan: Plan, store: Store) -> list[str]:
    """Seconds, tokens and peak memory of everything published, by stage, and the ten slowest."""
    return lines_of_time(time_of(plan, store))


def lines_of_time(found: Mapping[str, Any]) -> list[str]:
    """The same from what `time_of` returns."""
    rows = [
        (
            *(t["stage"], str(t["artifacts"]), f"{t['seconds']:.1f}", f"{t['cpu_seconds']:.1f}"),
            *(str(t["peak_memory_mib"]), f"{t['tokens']:,d}"),
        )
        for t in found["stages"]
    ]
    lines: list[str] = [*table(_STAGES, rows), "", "slowest:"]
    lines += table(_COUNTED, ((f"{one['seconds']:.1f} s", one["path"]) for one in found["slowest"]))
    if found["not_counted"]:
        lines += ["", "not counted, since their manifests do not state it (see `rlv why`):"]
        lines += table(_COUNTED, (("", path) for path in found["not_counted"]))
    return lines + _computed_lines(found["computed_here"])


def computed_of(plan: Plan, store: Store) -> dict[str, Any] | None:
    """The users who computed the study's artifacts in this store, and how many more than once; None: nobody.

    `again`: after a loss; `dropped`: at the same time as another process, which published first.
    """
    logged = [line for line in computed(store.root) if line.get("path") in plan.artifacts]
    if not logged:
        return None
    by = Counter((line["user"], line["host"]) for line in logged)
    times = Counter(line["path"] for line in logged)
    lost = sum(not line.get("won", True) for line in logged)
    again = sum(count - 1 for count in times.values()) - lost
    users = [{"user": user, "host": host, "artifacts": count} for (user, host), count in by.most_common()]
    return {"artifacts": len(times), "again": again, "dropped": lost, "by": users}


def computed_lines(plan: Plan, store: Store) -> list[str]:
    """The users who computed the study's artifacts in this store, and how many of these more than once."""
    return _computed_lines(computed_of(plan, store))


def _computed_lines(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    lines = [f"computed here: {found['artifacts']} artifacts, {found['again']} of them again after a loss"]
    dropped = "computed at the same time as by another process, and dropped"
    rows = [(str(found["dropped"]), dropped)] if found["dropped"] else []
    rows += [(str(one["artifacts"]), f"{one['user']} on {one['host']}") for one in found["by"]]
    return ["", *lines, *table(_COUNTED, rows)]
