"""`rlv time`: the time that a study took, by stage, and the users who computed it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter

from rlv.commands.places import plan_and_store
from rlv.commands.printing import say
from rlv.plan import Plan
from rlv.provenance.times import makings, slowest, stage_times
from rlv.store import Store
from rlv.store.computed import computed


def add_time(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_time)


def _time(options: Namespace) -> None:
    say(time_lines(*plan_and_store(options)))


def time_lines(plan: Plan, store: Store) -> list[str]:
    """Seconds, tokens and peak memory of everything published, by stage, and the ten slowest."""
    published = [artifact for artifact in plan.artifacts.values() if store.exists(artifact)]
    made = makings(published, store)
    lines = [
        f"{'stage':10s} {'artifacts':>9s} {'seconds':>9s} {'cpu s':>9s} {'peak MiB':>9s} {'tokens':>12s}"
    ]
    lines += [
        f"{t.stage:10s} {t.artifacts:9d} {t.seconds:9.1f} {t.cpu_seconds:9.1f} {t.peak_memory_mib:9d} "
        f"{t.tokens:12,d}"
        for t in stage_times(made)
    ]
    lines += ["", "slowest:", *(f"{seconds:9.1f} s  {a.path}" for seconds, a in slowest(made))]
    if len(made) < len(published):
        lines += ["", "not counted, since their manifests do not state it (see `rlv why`):"]
        counted = {artifact.path for artifact, _ in made}
        lines += [f"{'':12s} {a.path}" for a in published if a.path not in counted]
    return lines + computed_lines(plan, store)


def computed_lines(plan: Plan, store: Store) -> list[str]:
    """The users who computed the study's artifacts in this store, and how many of these more than once."""
    logged = [line for line in computed(store.root) if line.get("path") in plan.artifacts]
    if not logged:
        return []
    by = Counter(f"{line['user']} on {line['host']}" for line in logged)
    times = Counter(line["path"] for line in logged)
    again = sum(count - 1 for count in times.values())
    lost = sum(not line.get("won", True) for line in logged)
    lines = ["", f"computed here: {len(times)} artifacts, {again - lost} of them again after a loss"]
    if lost:
        lines.append(f"{lost:9d}  computed at the same time as by another process, and dropped")
    return lines + [f"{count:9d}  {user}" for user, count in by.most_common()]
