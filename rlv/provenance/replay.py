"""A history made again in another store, one artifact after the other, and compared with what it was.

Each artifact is made by `rlv make --crate` in a process of its own, as the workflow makes it: with the
settings and the threads of the first making, from inputs that were made again too. What the other store has
already is not made again, so a large history can be made by the workflow, on a cluster, and only compared
here. The crate decides what is made; a study only gives the places of data on this machine.

    <store>/.replay/<name>/ro-crate-metadata.json   what is made again
    <store>/.replay/<name>/logs/...                 the log of each making
    <store>/.replay/<name>/replay.json              the comparison of each artifact

Packages are not installed and commits are not checked out. Another commit than that of the first making is
refused unless the caller allows it, another recipe or drawing code always; other packages are named beside a
difference.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rlv.errors import DamagedArtifactError, RlvError, StoreError
from rlv.job.machine import device_name, revision
from rlv.outside.names import below
from rlv.provenance.compare import DIFFERS, Comparison, compare, unpromised
from rlv.provenance.crate import write_crate
from rlv.provenance.history import History, Record, Users, artifacts_of, record_of
from rlv.run.stages import STAGES
from rlv.store import Artifact, Store, file_digest, require_rules
from rlv.study.paths import written

# The settings of a stage that are places of external files.
PLACES = ("path", "folder")
Log = Callable[[str], None]


@dataclass(frozen=True)
class Replay:
    """The result: a comparison of each artifact, inputs first, and the folder with logs and the report."""

    history: History
    comparisons: tuple[Comparison, ...]
    folder: Path

    @property
    def differing(self) -> tuple[Comparison, ...]:
        return tuple(c for c in self.comparisons if c.verdict == DIFFERS)


def replay(
    history: History,
    target: Store,
    origin: Store | None,
    *,
    nearby: Mapping[str, Artifact] | None = None,
    any_code: bool = False,
    into: Path | None = None,
    log: Log = print,
) -> Replay:
    """Make a history again in `target`, compare every artifact, and leave the report in `into`.

    `origin`: the store with the first making, if it is at hand: files that differ are read there. `nearby`:
    artifacts of a study by key, which have the places of data and models here. `any_code`: make it with this
    code, whatever commit made it first. Raises StoreError if the history cannot be made again here, or if
    `target` holds copies of the first making.
    """
    refuse_same_store(target, origin)
    require_rules(target.root, dict.fromkeys(record.stage for record in history.records))
    refuse_other_code(history, revision(), any_code)
    history = located(history, nearby or {})
    artifacts = artifacts_of(history)
    folder = into or below(target.root / ".replay", history.name.replace("/", "-"))
    crate = write_crate(history, folder, None)
    comparisons: dict[str, Comparison] = {}
    users = Users()
    for number, record in enumerate(history.records, start=1):
        artifact = artifacts[record.path]
        log(f"[{number}/{len(history.records)}] {record.path}")
        if target.exists(artifact):
            log("  in that store already")
        else:
            _make(record, crate, target, below(folder / "logs", f"{record.path}.log", nested=True))
        found = target.problems_of(artifact)
        if found:
            raise DamagedArtifactError(
                f"{record.path}: damaged in {target.root}: {'; '.join(found)}; {target.set_aside(artifact)}, "
                "run again"
            )
        made = record_of(artifact, target, users)
        _refuse_copy(record, made, target)
        at_hand = origin is not None and origin.exists(artifact)
        comparisons[record.path] = compare(
            record,
            made,
            device_name(),
            unpromised(comparisons, record),
            origin.location(artifact) if at_hand and origin is not None else None,
            target.location(artifact),
        )
        for line in _lines_of(comparisons[record.path]):
            log(f"  {line}")
    done = Replay(history, tuple(comparisons.values()), folder)
    _write_report(done)
    return done


def refuse_same_store(target: Store, origin: Store | None) -> None:
    """Raise StoreError if the other store is the first one, or reads from it."""
    if target.upstreams:
        raise StoreError(f"{target.root}: has upstreams; a replay makes everything in one store of its own")
    if origin is not None:
        for root in (origin.root, *origin.upstreams):
            if root.resolve() == target.root.resolve():
                raise StoreError(f"{target.root}: has the first making; name a new, empty store with --store")


def refuse_other_code(history: History, code: str | None, any_code: bool) -> None:
    """Raise StoreError if a stage has another recipe, or (unless `any_code`) this is another commit.

    If the code of a stage is part of its keys, it counts as its recipe.
    """
    for record in history.records:
        stage = STAGES.get(record.stage)
        if stage is None:
            raise StoreError(f"{record.path}: this code has no stage {record.stage!r}; {_checkout(history)}")
        if stage.recipe != record.spec["recipe"]:
            raise StoreError(
                f"{record.path}: made by recipe {record.spec['recipe']} of its stage, this code has recipe "
                f"{stage.recipe}, which means something else; {_checkout(history)}"
            )
        params = record.spec["params"]
        if stage.code is not None and params.get("code") != (now := stage.code(params)):
            raise StoreError(
                f"{record.path}: made by code {params.get('code')} of its stage, this code has {now}, which "
                f"may draw something else; {_checkout(history)}"
            )
    commits = Counter(record.made.code for record in history.records)
    if code not in commits and not any_code:
        made_by = ", ".join(f"{c or 'unknown'} ({n} artifacts)" for c, n in commits.most_common())
        raise StoreError(
            f"{history.name}: made by code {made_by}; this is {code or 'no checkout'}; {_checkout(history)}, "
            "or replay it with this code: --any-code (all recipes agree)"
        )


def _checkout(history: History) -> str:
    code = Counter(record.made.code for record in history.records).most_common(1)[0][0]
    if code is None:
        return "find the code that made it"
    commit, edited, _ = code.partition("-dirty")
    return f"`git checkout {commit}`" + (" (and edits that no record has)" if edited else "")


def located(history: History, nearby: Mapping[str, Artifact]) -> History:
    """The history with the places of its data and models on this machine.

    A study that has the same artifact gives the place; else it must be the old one. Raises StoreError that
    names what is missing and its digest.
    """
    return replace(history, records=tuple(_located(record, nearby) for record in history.records))


def _located(record: Record, nearby: Mapping[str, Artifact]) -> Record:
    if record.key in nearby:
        known = {key: value for key, value in nearby[record.key].how.items() if key in PLACES}
        return replace(record, how={**record.how, **known})
    for key in PLACES:
        place = record.how.get(key)
        if place is None:
            continue
        wanted = record.spec["params"].get("sha256")
        if not Path(place).exists() or (wanted is not None and file_digest(Path(place)) != wanted):
            digest = f" (SHA-256 {wanted})" if wanted else ""
            raise StoreError(
                f"{record.path}: was made from {place}{digest}, which is not here; name with "
                "--study a study that has its place"
            )
    return record


def _make(record: Record, crate: Path, store: Store, log: Path) -> None:
    """Make one artifact in a process of its own. Raises RlvError with its last line if that fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "rlv", "make", f"--crate={crate}", f"--store={written(store.root)}"]
    command += [f"--threads={record.made.threads}", "--", record.path]
    with open(log, "w", encoding="utf-8") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        lines = log.read_text(encoding="utf-8").strip().splitlines()
        last = lines[-1] if lines else f"ended with status {done.returncode}"
        raise RlvError(
            f"{record.path}: could not be made again: {last.removeprefix('rlv: ')}; all of it: {log}"
        )


def _refuse_copy(old: Record, new: Record, store: Store) -> None:
    # Two runs never take the same time to the millisecond on the same second.
    measured = [(m.at, m.host, m.seconds, m.cpu_seconds) for m in (old.made, new.made)]
    if measured[0] == measured[1]:
        raise StoreError(
            f"{store.root}: its {old.path} is a copy of the first making, nothing was made again; name a "
            "new, empty store with --store"
        )


def _lines_of(comparison: Comparison) -> list[str]:
    before, now = comparison.seconds
    lines = [f"{comparison.verdict}  ({before:.1f} s, now {now:.1f} s)", *comparison.lines]
    if comparison.verdict == DIFFERS and comparison.unpromised:
        lines.append(f"equality was not promised: {'; '.join(comparison.unpromised)}")
    return lines


def summary_lines(done: Replay) -> list[str]:
    """How many artifacts are equal, and which are not."""
    counted = Counter(c.verdict for c in done.comparisons)
    total = len(done.comparisons)
    others = ", ".join(f"{n} {verdict}" for verdict, n in counted.items() if verdict != DIFFERS)
    differ = f"{counted[DIFFERS]} differ" if counted[DIFFERS] else "none differs"
    history = done.history
    lines = [f"{history.name} of the study {history.study} again: {others + ', ' if others else ''}{differ}"]
    promised = sum(not c.unpromised for c in done.comparisons)
    if promised < total:
        reasons = Counter(
            reason for c in done.comparisons for reason in c.unpromised if "made from" not in reason
        )
        why = "; ".join(f"{reason} ({n})" for reason, n in reasons.most_common())
        lines.append(f"equality was promised of {promised} of {total}: {why}")
    for comparison in done.differing:
        lines.append(f"differs: {comparison.path}: {'; '.join(comparison.lines)}")
    return [*lines, f"report: {done.folder / 'replay.json'}"]


def _write_report(done: Replay) -> None:
    report: dict[str, Any] = {
        "name": done.history.name,
        "study": done.history.study,
        "equal": not done.differing,
        "artifacts": [asdict(comparison) for comparison in done.comparisons],
    }
    (done.folder / "replay.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
