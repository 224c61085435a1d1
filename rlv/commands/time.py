"""`rlv time`: the time that a study took, by stage, and the users who computed it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from typing import Any

from rlv.commands.find import readable
from rlv.commands.places import plan_and_store
from rlv.commands.printing import say
from rlv.plan import Plan
from rlv.run.stages import STAGES
from rlv.store import Store, origin_fault
from rlv.store.computed import computed


def add_time(parser: ArgumentParser) -> None:
    parser.set_defaults(run=_time)


def _time(options: Namespace) -> None:
    say(time_lines(*plan_and_store(options)))


def time_lines(plan: Plan, store: Store) -> list[str]:
    """Seconds, tokens and peak memory of everything published, by stage, and the ten slowest."""
    published = {store.location(a): a for a in plan.artifacts.values() if store.exists(a)}
    read = [(published[folder], manifest) for folder, manifest in readable(published)]
    made = [(artifact, manifest) for artifact, manifest in read if origin_fault(manifest) is None]
    lines = [
        f"{'stage':10s} {'artifacts':>9s} {'seconds':>9s} {'cpu s':>9s} {'peak MiB':>9s} {'tokens':>12s}"
    ]
    for stage in STAGES:
        of = [m for a, m in made if a.stage == stage]
        if of:
            seconds, cpu = (sum(spent(m, what) for m in of) for what in ("seconds", "cpu_seconds"))
            peak, tokens = max(m["peak_memory_mib"] for m in of), sum(_tokens(m) for m in of)
            lines.append(f"{stage:10s} {len(of):9d} {seconds:9.1f} {cpu:9.1f} {peak:9d} {tokens:12,d}")
    lines += ["", "slowest:"]
    slowest = sorted(made, key=lambda item: -spent(item[1], "seconds"))[:10]
    lines += [f"{spent(m, 'seconds'):9.1f} s  {a.path}" for a, m in slowest]
    if len(made) < len(published):
        lines += ["", "not counted, since their manifests do not state it (see `rlv why`):"]
        counted = {artifact.path for artifact, _ in made}
        lines += [f"{'':12s} {a.path}" for a in published.values() if a.path not in counted]
    return lines + computed_lines(plan, store)


def spent(manifest: dict[str, Any], what: str) -> float:
    """The amount of the job that published an artifact, and of those before it that a training took."""
    return manifest[what] + sum(part[what] for part in manifest["facts"].get("earlier", ()))


def _tokens(manifest: dict[str, Any]) -> int:
    """How many tokens a stage has counted; 0 for stages that count none."""
    tokens = manifest["facts"].get("tokens", 0)
    return tokens if isinstance(tokens, int) else 0


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
